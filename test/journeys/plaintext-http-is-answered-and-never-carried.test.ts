// Plain HTTP on either port gets one 400 that storage clients understand, and the end of the connection; never a
// redirect, never a word of what was sent, and nothing of it reaches an upstream (contract section 5, security.md X1, X2).
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { METHODS, request as httpRequest, type IncomingMessage } from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { far, startGate } from '../support/gate.ts'
import { SERVICES, createRealm, storageHost } from '../support/realm.ts'
import { askOnce, dialPlain, type Client } from '../support/sockets.ts'
import { startUpstream, type Message } from '../support/upstream.ts'
import { until, within } from '../support/until.ts'

const API = 'api.localhost'
const SECRET = 'Zk9uLVBob2VuaXgtU2lnbmF0dXJl'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const gate = await startGate(t, realm, {
  storage: Object.fromEntries(SERVICES.map((service) => [service, upstream.port])),
  apis: [{ name: 'payroll', host: API, upstream: far(realm, 'api.upstream.example', upstream.port) }],
  names: [API], tls: { handshakeTimeout: '700ms' },
})
const PORTS = [['the TLS port', gate.port], ['the plain port', gate.plainPort]] as const

let refused = 0

/** Sends a head as it is and gives the one reply; the connection has ended. */
async function ask(test: Test, port: number, head: string, body = ''): Promise<{ reply: Message; client: Client }> {
  const client = await dialPlain(test, port)
  refused++
  const reply = await client.request(head, body)
  test.equal(await client.ended(), 'fin', head.slice(0, 30))
  return { reply, client }
}

/** What every such reply is. */
function told(test: Test, reply: Message, what: string): void {
  test.equal(reply.line, 'HTTP/1.1 400 The account being accessed does not support http.', what)
  test.strictSame([reply.header('x-ms-error-code'), reply.header('x-tidegate-reason'), reply.header('connection')], ['AccountRequiresHttps', 'plaintext-http', 'close'], what)
  test.match(reply.header('x-ms-request-id'), /^[0-9a-f-]{36}$/)
  for (const name of ['location', 'strict-transport-security', 'upgrade', 'www-authenticate', 'set-cookie']) test.equal(reply.header(name), undefined, `${what}: no ${name}`)
}

for (const [where, port] of PORTS) {
  void t.test(`every method on ${where}`, async (test) => {
    for (const method of [...METHODS, 'MERGE', 'PRI', 'BREW', 'get', 'Put', 'x']) {
      const { reply } = await ask(test, port, `${method} /c/b?sig=${SECRET} HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
      told(test, reply, method)
      test.equal(reply.text.includes('<Code>AccountRequiresHttps</Code>'), method !== 'HEAD', method)
    }
  })

  void t.test(`the shape follows Host on ${where}`, async (test) => {
    const XML = 'application/xml'
    const rows: [host: string | undefined, type: string, account: boolean][] = [
      [storageHost('blob'), XML, true], [storageHost('queue'), XML, true], [storageHost('file'), XML, true],
      [storageHost('table'), 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8', false], [storageHost('dfs'), 'application/json;charset=utf-8', false],
      [`${storageHost('table').toUpperCase()}.:8080`, 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8', false],
      [API, XML, false], ['nobody.example', XML, false], ['127.0.0.1', XML, false], ['a b', XML, false], ['', XML, false], [undefined, XML, false],
    ]
    for (const [host, type, account] of rows) {
      const { reply } = await ask(test, port, `GET / HTTP/1.1\r\n${host === undefined ? '' : `Host: ${host}\r\n`}\r\n`)
      told(test, reply, String(host))
      test.equal(reply.header('content-type'), type)
      test.equal(reply.text.includes('<AccountName>tideoffice</AccountName>'), account)
      if (type !== XML) test.match(JSON.stringify(JSON.parse(reply.text)), /"code":"AccountRequiresHttps"/)
    }
  })

  void t.test(`odd heads on ${where}`, async (test) => {
    const host = `Host: ${storageHost('dfs')}`
    const rows: [what: string, head: string][] = [
      ['absolute-form', `GET http://${storageHost('dfs')}/ HTTP/1.1\r\n${host}\r\n\r\n`], ['HTTP/1.0', `GET / HTTP/1.0\r\n${host}\r\n\r\n`], ['HTTP/0.9', 'GET /\r\n\r\n'], ['LF alone', `GET / HTTP/1.1\n${host}\n\n`],
      ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], ['an upgrade to h2c', `GET / HTTP/1.1\r\n${host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`],
      ['an upgrade to TLS', `OPTIONS * HTTP/1.1\r\n${host}\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade\r\n\r\n`], ['Expect', `PUT / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`],
      ['blanks before the host', `GET / HTTP/1.1\r\nhost:\t ${storageHost('dfs')} \r\n\r\n`], ['control characters', 'GET /\0\x1b[2J HTTP/1.1\r\nHost: \x7f\r\n\r\n'], ['a head over all limits', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`],
      ['two requests', `GET / HTTP/1.1\r\n${host}\r\n\r\nGET / HTTP/1.1\r\n${host}\r\n\r\n`],
    ]
    for (const [what, head] of rows) {
      const { reply, client } = await ask(test, port, head)
      told(test, reply, what)
      test.equal(client.text.match(/HTTP\/1\.1 /g)?.length, 1, `${what}: one reply`)
      if (head.includes(host) || what.startsWith('blanks')) test.equal(reply.header('content-type'), 'application/json;charset=utf-8', what)
    }
  })

  void t.test(`byte by byte, and a head that never ends, on ${where}`, async (test) => {
    const head = `GET /c HTTP/1.1\r\nHost: ${storageHost('table')}\r\n\r\n`
    const slow = await dialPlain(test, port)
    refused++
    slow.expect(head)
    for (const byte of head) await slow.send(byte)
    told(test, await slow.reply(), 'byte by byte')
    const stalled = await dialPlain(test, port)
    refused++
    await stalled.send(head.slice(0, -4))
    stalled.expect(head)
    const reply = await stalled.reply()
    told(test, reply, 'stalled')
    test.match(reply.header('content-type'), /odata/, 'by what came of Host')
  })

  void t.test(`a large body does not cost the reply, on ${where}`, async (test) => {
    const size = 8 * 1024 * 1024
    for (const headers of [{ 'content-length': size }, { 'transfer-encoding': 'chunked' }]) {
      refused++
      const sent = httpRequest({ host: '127.0.0.1', port, method: 'PUT', path: '/c/b', agent: false, headers: { host: storageHost('blob'), ...headers } })
      const answer = within(once(sent, 'response'), 'a reply') as Promise<[IncomingMessage]>
      const piece = Buffer.alloc(64 * 1024)
      for (let i = 0; i < size; i += piece.length) sent.write(piece)
      sent.end()
      const [reply] = await answer
      test.match([reply.statusCode, reply.headers['x-ms-error-code']], [400, 'AccountRequiresHttps'])
      reply.resume()
      sent.on('error', () => undefined)
      sent.destroy()
    }
  })
}

void t.test('curl with a large upload sees the 400', { skip: spawnSync('curl', ['--version']).status === 0 ? false : 'curl is missing' }, async (test) => {
  const file = join(test.testdir(), 'large')
  writeFileSync(file, Buffer.alloc(8 * 1024 * 1024))
  for (const [where, port] of PORTS) {
    for (const expect of ['Expect:', 'Expect: 100-continue']) {
      refused++
      const child = spawn('curl', ['-sS', '-T', file, '-H', expect, '-o', join(test.testdirName, 'body'), '-w', '%{http_code}', `http://127.0.0.1:${port}/c/b`], { stdio: ['ignore', 'pipe', 'ignore'] })
      const chunks: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
      await within(once(child, 'close'), 'the end of curl')
      test.equal(Buffer.concat(chunks).toString(), '400', `${where}, ${expect}`)
    }
  }
})

void t.test('nothing that was sent is told to anybody', async (test) => {
  for (const [, port] of PORTS) {
    const { client } = await ask(test, port, `PUT /${SECRET}?sig=${SECRET} HTTP/1.1\r\nHost: ${SECRET}.example\r\nAuthorization: SharedKey a:${SECRET}\r\nx-ms-client-request-id: ${SECRET}\r\nCookie: ${SECRET}\r\nContent-Length: 28\r\n\r\n`, SECRET)
    test.notMatch(client.text, new RegExp(SECRET, 'i'))
  }
  test.notMatch(gate.text.join('\n'), new RegExp(SECRET, 'i'))
  test.notMatch(await gate.parts.metrics.registry.metrics(), new RegExp(SECRET, 'i'))
})

void t.test('each is counted and logged once; nothing reached an upstream; others are served', async (test) => {
  const expected = refused
  await until(() => gate.lines('refused').length >= expected, 'the lines')
  test.equal(gate.lines('refused').length, expected)
  test.equal(await gate.metric('tidegate_refusals_total'), expected)
  test.equal(await gate.metric('tidegate_refusals_total', { stage: 'door', reason: 'plaintext-http' }), expected)
  test.equal(await gate.metric('tidegate_plaintext_connections_total', { protocol: 'http' }), expected)
  for (const line of gate.lines('refused')) test.match(line, { level: 'warn', stage: 'door', reason: 'plaintext-http', client: '127.0.0.1', listener: /^(?:tls|plain)$/ })
  test.equal(gate.lines('request').length, 0)
  test.equal(upstream.connections.total, 0)
  test.equal((await askOnce(test, gate, 'GET /c/b')).status, 200)
})
