// The rehearsal: every scene is played as it is meant, nothing of it stays, and where it cannot be it does no harm.
import { createSecretKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { createLoggerOver } from '../../src/observe/log.ts'
import { addressText, portOf } from '../../src/process/messages.ts'
import { rehearse } from '../../src/process/rehearsal.ts'
import { SCENES, STORAGE_HOST } from '../../src/process/rehearsal-scenes.ts'
import { selfSigned } from '../../src/tls/self-signed.ts'
import { serveGate, type LogLine } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { pause, until } from '../support/until.ts'

const monotonic = (): number => performance.now()

void t.test('each kind of request is made and comes to the end that it is for', async (test) => {
  const lines: LogLine[] = []
  const log = createLoggerOver('info', { write: (line) => void lines.push(JSON.parse(line) as LogLine) })
  test.equal(await rehearse({ log, wallClock: Date.now, monotonic }), SCENES.length)
  const told = new Set(lines.map((line) => ['msg', 'method', 'service', 'status', 'sas', 'reason', 'broken'].flatMap((name) => (line[name] === undefined ? [] : [JSON.stringify(line[name])])).join(' ').replaceAll('"', '')))
  const wanted = [
    'request GET blob 200', 'request GET blob 404', 'request HEAD blob 200', 'request PUT blob 200', 'request DELETE blob 200',
    'request GET blob 200 tightened', 'request GET blob 403 sas-signature', 'request GET api 200', 'request POST api 200',
    'request PUT blob 400 http-malformed', 'request PUT blob 499 true', 'request GET blob 200 true', 'request GET unknown 421 host-not-sni', 'request  unknown 400 http-malformed',
    'refused plaintext-http',
  ]
  test.strictSame(wanted.filter((one) => !told.has(one)), [], [...told].join(', '))
  for (const version of ['TLSv1.2', 'TLSv1.3']) test.ok(lines.some(({ tls }) => tls === version), version)
})

const open = (): string => process.getActiveResourcesInfo().filter((it) => /TCP|TLS|Server/.test(it)).toSorted().join()

void t.test('nothing of it stays', async (test) => {
  const before = open()
  await rehearse({ log: createLoggerOver('silent', { write: () => undefined }), wallClock: Date.now, monotonic })
  await until(() => open() === before, 'everything closed')
  test.equal(open(), before)
})

void t.test('a worker that has rehearsed has counted and told nothing', async (test) => {
  const gate = await serveGate(test, await createRealm(test), { storage: { blob: 1 } })
  const cpu = (): Promise<number> => gate.metric('process_cpu_seconds_total')
  // It is over when the worker does nothing any more.
  for (let [before, now] = [-1, await cpu()]; now - before > 0.1; [before, now] = [now, await cpu()]) await pause(300)
  for (const name of ['tidegate_connections_total', 'tidegate_tls_handshakes_total', 'tidegate_requests_total', 'tidegate_refusals_total']) test.equal(await gate.metric(name, name === 'tidegate_connections_total' ? { listener: 'tls' } : {}), 0, name)
  test.strictSame([...gate.lines('request'), ...gate.lines('refused')], [])
})

void t.test('where it cannot be, that is all', async (test) => {
  const log = createLoggerOver('silent', { write: () => undefined })
  test.equal(await rehearse({ log, wallClock: () => NaN, monotonic }), 0)
})

void t.test('a scene that cannot be played ends, and brings nothing else down', async (test) => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const port = portOf(addressText(server.address()))
  await new Promise((resolve) => server.close(resolve))
  const stage = { port, certificate: selfSigned([STORAGE_HOST], Date.now()).cert, key: createSecretKey(randomBytes(32)) }
  // An 'error' that nobody listens to would fail this file.
  const ends = await Promise.allSettled(SCENES.map((scene) => scene(stage)))
  test.ok(ends.filter(({ status }) => status === 'rejected').length > SCENES.length / 2, 'most say that they had no connection, and none waits for one')
})
