// Thousands of broken hellos, names, heads and bodies: the worker lives, and none of it was a fault of ours. What nobody caught
// all the same ends one worker after its drain; another takes over, and both are told.
import { randomBytes, randomInt } from 'node:crypto'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { far, serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { askOnce, dial, dialPlain } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

t.setTimeout(90_000)

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const WISH = { storage: { blob: there, table: there }, apis: [{ name: 'payroll', host: API, upstream: there, websocket: true }], names: [API] }

const HEADS: readonly string[] = [
  'GET /c/b?sv=2020-02-10&sr=b&sp=r&se=2099-01-01&sig=abc HTTP/1.1\r\nHost: HOST\r\nx-ms-date: Tue, 24 Nov 2026 06:40:00 GMT\r\n\r\n',
  'PUT /c/b HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello',
  'PUT /c/b HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\n',
  'POST /$batch HTTP/1.1\r\nHost: HOST\r\nContent-Type: multipart/mixed; boundary=b\r\nAuthorization: Bearer token\r\nContent-Length: 60\r\n\r\n--b\r\nContent-Type: application/http\r\n\r\nGET /T HTTP/1.1\r\n\r\n--b--',
  'GET /chat HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nx',
  'PUT /c/b HTTP/1.1\r\nHost: HOST\r\nAuthorization: SharedKey tideoffice:abc=\r\nx-ms-copy-source: https://tideoffice.blob.localhost/c/a?sig=x\r\nContent-Length: 0\r\n\r\n',
]
const ODD = ['\0', '\r', '\n', '\r\n', ':', ' ', '\t', '%', '%00', '\xff', '\x80', '?', '&', '=', '=&=', ';', '/../', '//', '\\', '"', '__proto__', 'x'.repeat(5000), '0', '-1', ',', '(', '\x7f', '%E0%A4%A', '[', 'HTTP/', '--b', 'chunked']

/** The text with a few places changed. */
function mutated(text: string): string {
  let out = text
  for (let i = randomInt(1, 4); i > 0; i--) {
    const at = randomInt(out.length)
    out = out.slice(0, at) + (ODD[randomInt(ODD.length)] ?? '') + out.slice(at + randomInt(0, 12))
  }
  return out
}

async function onConnection(test: Test, gate: GateProcess, host: string, texts: readonly string[]): Promise<void> {
  const client = await dial(test, gate, { servername: host })
  for (const text of texts) await client.send(text.replaceAll('HOST', host))
  client.close()
}

/** A handshake with odd names: whatever becomes of it. */
async function oddHandshake(test: Test, gate: GateProcess, servername: string, protocol: string): Promise<void> {
  const socket = connectTls({ port: gate.port, host: '127.0.0.1', servername, ALPNProtocols: [protocol], rejectUnauthorized: false })
  test.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  await until(() => socket.destroyed || !socket.connecting && socket.getProtocol() !== null && socket.authorizationError !== undefined, 'its end')
  socket.destroy()
}

void t.test('broken input of every kind', async (test) => {
  const gate = await serveGate(test, realm, WISH)
  upstream.script(ok)
  const workers = await gate.workers()
  for (let round = 0; round < 25; round++) {
    const hosts = [storageHost('blob'), storageHost('table'), API]
    await Promise.all(hosts.flatMap((host) => HEADS.map((head) => onConnection(test, gate, host, [mutated(head), mutated(head)]))))
  }
  for (let i = 0; i < 100; i++) {
    const port = i % 2 === 0 ? gate.port : gate.plainPort
    const hello = Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, ...randomBytes(252)])
    for (const bytes of [hello, Buffer.from(mutated('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'latin1'), randomBytes(100)]) {
      const client = await dialPlain(test, port)
      await client.send(bytes)
      client.close()
    }
  }
  for (const name of ['__proto__', 'constructor', 'a'.repeat(250), 'xn--', '*.localhost', 'a..b', '_.localhost', storageHost('blob').toUpperCase()]) {
    for (const protocol of ['http/1.1', 'h2', '__proto__', '\x01']) await oddHandshake(test, gate, name, protocol).catch(() => undefined)
  }
  test.equal((await askOnce(test, gate, 'GET /after')).status, 200)
  test.strictSame(await gate.workers(), workers, 'no worker ended')
  test.strictSame(gate.lines().filter(({ msg }) => msg === 'uncaught' || msg === 'unexpected'), [], 'no fault of ours')
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'unexpected' }), 0)
  await until(async () => await gate.metric('tidegate_requests_in_flight') === 0, 'the end of all requests')
})

void t.test('what nobody caught: told, counted, and one worker ends after its drain', async (test) => {
  // A fault that no input makes: thrown from outside, in the worker alone.
  const fault = realm.write('fault.mjs', 'if (process.send !== undefined) process.on("SIGUSR2", () => { throw new TypeError("made by the test") })\n')
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] = `${before ?? ''} --import ${fault}`
  const gate = await serveGate(test, realm, WISH)
  if (before === undefined) delete process.env['NODE_OPTIONS']
  else process.env['NODE_OPTIONS'] = before
  const { promise: asked, resolve: answer } = Promise.withResolvers<void>()
  upstream.script(async (turn) => {
    await asked
    await turn.reply(200, [], 'whole')
  })
  const seen = upstream.seen.length
  const client = await dial(test, gate)
  client.expect('GET ')
  await client.send(`GET /slow HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
  await upstream.request(seen + 1)
  const [worker = 0] = await gate.workers()
  process.kill(worker, 'SIGUSR2')
  await until(() => gate.lines('uncaught').length === 1, 'its line')
  test.match(gate.lines('uncaught')[0], { level: 'error', err: { type: 'TypeError' } })
  answer()
  test.equal((await client.reply()).text, 'whole', 'what was under way is finished')
  await until(async () => await gate.metric('tidegate_worker_restarts_total') === 1, 'the count')
  upstream.script(ok)
  await until(async () => (await askOnce(test, gate, 'GET /next').catch(() => undefined))?.status === 200, 'another worker')
  test.not((await gate.workers())[0], worker)
})
