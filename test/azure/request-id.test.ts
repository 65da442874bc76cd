import t from 'tap'
import { requestIds } from '../../src/azure/request-id.ts'

const SEED = Buffer.from('00112233445566778899', 'hex')

void t.test('ids have the shape that storage clients know', async (test) => {
  const next = requestIds(SEED)
  test.equal(next(), '00000000-0011-2233-4455-000166778899')
  test.equal(next(), '00000000-0011-2233-4455-000266778899')
})

void t.test('ids are unique in a process, also past 16 bits of counting', async (test) => {
  const next = requestIds(SEED)
  const seen = new Set(Array.from({ length: 200_000 }, next))
  test.equal(seen.size, 200_000)
  for (const id of [...seen].slice(65_530, 65_545)) test.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
})

void t.test('processes differ by their seed', async (test) => {
  test.not(requestIds(SEED)(), requestIds(Buffer.from('ff112233445566778899', 'hex'))())
})
