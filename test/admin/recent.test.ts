// What was counted in the last five minutes: the difference to the sample before them, zero at the start.
import t from 'tap'
import type { ExposedValues } from '../../src/observe/family.ts'
import { Recent, keyOf } from '../../src/admin/recent.ts'

const family = (value: number, type = 'counter'): ExposedValues => ({ name: 'x', help: '', type, aggregator: 'sum', values: [{ value, labels: { a: 'b' } }] })
const KEY = 'x|{"a":"b"}'
const MINUTE = 60_000

void t.test('before anything was sampled all began at zero, at the start', async (test) => {
  const { at, values } = new Recent(1000).before(5000)
  test.equal(at, 1000)
  test.equal(values.size, 0)
})

void t.test('from five minutes on the latest sample that is old enough', async (test) => {
  const recent = new Recent(0)
  for (let minute = 1; minute <= 12; minute++) recent.note([family(minute)], minute * MINUTE)
  test.strictSame([recent.before(12 * MINUTE).at, recent.before(12 * MINUTE).values.get(KEY)], [7 * MINUTE, 7])
  test.equal(recent.before(12.9 * MINUTE).at, 7 * MINUTE)
  test.equal(recent.before(60 * MINUTE).at, 12 * MINUTE, 'after a long pause the last one there is')
})

void t.test('bounded: close samples are not kept, old ones go', async (test) => {
  const recent = new Recent(0)
  for (let ms = 0; ms < 60 * MINUTE; ms += 1000) recent.note([family(ms)], ms)
  test.ok(recent.before(60 * MINUTE).at <= 55 * MINUTE)
  test.ok(recent.before(60 * MINUTE).at >= 55 * MINUTE - 30_000)
  test.ok(recent.size <= 12, `${recent.size} samples`)
})

void t.test('gauges are no counts', async (test) => {
  const recent = new Recent(0)
  recent.note([family(5, 'gauge')], 6 * MINUTE)
  test.equal(recent.before(60 * MINUTE).values.size, 0)
  test.equal(keyOf('x', { value: 1, labels: { le: '1' }, metricName: 'x_bucket' }), 'x_bucket|{"le":"1"}')
})
