// `log.sample` leaves out lines of requests that went well, evenly; whatever went wrong has its line, and numbers count all. A
// reload takes another share up.
import t from 'tap'
import { serveGate, writeConfiguration, type GateProcess } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(async (turn) => {
  await turn.whole
  await turn.reply(Number(/\d{3}$/.exec(turn.request.target)?.[0]), ['Content-Type: text/plain'], 'ok')
})
const WISH = { storage: { blob: upstream.port }, log: { sample: 0.2 } }

const statuses = (gate: GateProcess): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { status } of gate.lines('request')) counts[String(status)] = (counts[String(status)] ?? 0) + 1
  return counts
}

void t.test('one in five of what went well, all of what did not', async (test) => {
  const gate = await serveGate(test, realm, WISH)
  const client = await dial(test, gate)
  for (let i = 0; i < 20; i++) for (const status of [200, 304]) await client.ask(`GET /c/${status}`)
  for (const target of ['/c/404', '/c/500', '/c/200?sig=x', '/c/../200']) await client.ask(`GET ${target}`)
  await until(() => gate.lines('request').length >= 12, 'the lines')
  test.strictSame(statuses(gate), { 200: 4, 304: 4, 404: 1, 500: 1, 403: 1, 400: 1 })
  for (const line of gate.lines('request')) test.equal(line['sample'], Number(line['status']) < 400 ? 0.2 : undefined, `the share is in the line of a ${String(line['status'])}`)
  test.equal(await gate.metric('tidegate_requests_total', { class: '2xx' }), 20, 'numbers count them all')

  await writeConfiguration(realm, { ...WISH, log: { sample: 0 } })
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reloaded').length > 0, 'the reload')
  for (const target of ['/c/200', '/c/200', '/c/200', '/c/404']) await client.ask(`GET ${target}`)
  await until(() => gate.lines('request').length >= 13, 'the line of the last one')
  await gate.stop()
  test.equal(gate.lines('request').length, 13, 'none of those that went well')
})
