// Handshakes that stall, break off or come in odd pieces: each ends in time with its one reason, or is served
// (contract section 8; security.md T4, T6, T7, T8, N1, N2, D2).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { far, startGate, type LogLine } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { Client, askOnce, dial, dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until, within } from '../support/until.ts'
import { opensslMissing, payload, recordNode, records } from '../tls/hello.ts'

const HOST = storageHost('blob')
const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const own = await realm.certificate('own', { names: [HOST, storageHost('queue')] })
const apis = await realm.certificate('apis', { names: [API, '*.wild.localhost'], key: 'rsa2048' })
const wish = {
  storage: { blob: upstream.port, queue: upstream.port },
  apis: [{ name: 'payroll', host: API, upstream: far(realm, 'api.upstream.example', upstream.port) }],
}
const certificates = [own, apis].map(({ certFile: cert, keyFile: key }) => ({ cert, key }))
const gate = await startGate(t, realm, { ...wish, tls: { certificates } })
/** With little patience: only for what never finishes. */
const hasty = await startGate(t, realm, { ...wish, tls: { certificates, handshakeTimeout: '500ms' } })

const HELLO = await recordNode({ servername: HOST })
const V12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const

/** The one line that `act` leads to. */
async function refusedBy(where: typeof gate, act: () => Promise<void>): Promise<LogLine | undefined> {
  const lines = where.lines('refused').length
  await act()
  await until(() => where.lines('refused').length > lines, 'the line')
  return where.lines('refused')[lines]
}

void t.test('half a hello: hello-timeout', async (test) => {
  for (const length of [1, 5, 6, 43, HELLO.length - 1]) {
    const line = await refusedBy(hasty, async () => {
      const client = await dialPlain(test, hasty.port)
      await client.send(HELLO.subarray(0, length))
      await client.ended()
      test.equal(client.text, '')
    })
    test.match(line, { level: 'info', stage: 'door', reason: 'hello-timeout', listener: 'tls', bytes: length, client: '127.0.0.1' })
  }
})

void t.test('a hello that drips: cut by the total, not by the pause', async (test) => {
  const line = await refusedBy(hasty, async () => {
    const client = await dialPlain(test, hasty.port)
    for (let at = 0; at < HELLO.length && client.ending === undefined; at++) await client.sendPieces(HELLO.subarray(at, at + 1))
    await client.ended()
  })
  test.match(line, { reason: /^(?:hello|tls)-timeout$/ })
})

void t.test('silence after the hello: tls-timeout, with what was offered', async (test) => {
  for (const hello of [HELLO, await recordNode({ servername: HOST, ...V12 })]) {
    const line = await refusedBy(hasty, async () => {
      const client = await dialPlain(test, hasty.port)
      await client.send(hello)
      await client.ended()
      test.ok(client.text.length > 100, 'our flight came')
    })
    test.match(line, { level: 'info', stage: 'handshake', reason: 'tls-timeout', serverName: HOST, offered: /^tls1\.[23]$/ })
  }
})

void t.test('a client that leaves after the hello: tls-aborted', async (test) => {
  for (const how of ['end', 'reset'] as const) {
    const line = await refusedBy(gate, async () => {
      const client = await dialPlain(test, gate.port)
      await client.send(HELLO)
      await until(() => client.bytes.length > 0, 'our flight')
      if (how === 'end') client.socket.end()
      else client.socket.resetAndDestroy()
    })
    test.match(line, { level: 'info', stage: 'handshake', reason: 'tls-aborted', client: '127.0.0.1', serverName: HOST }, how)
  }
})

void t.test('a client that refuses our certificate: tls-aborted', { skip: opensslMissing }, async (test) => {
  for (const version of ['-tls1_2', '-tls1_3']) {
    const line = await refusedBy(gate, async () => {
      const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-servername', HOST, version, '-verify_return_error', '-CAfile', own.certFile], { stdio: 'ignore' })
      await within(once(child, 'close'), 'the end of openssl')
    })
    test.match(line, { stage: 'handshake', reason: 'tls-aborted', code: /ALERT/ }, version)
  }
})

void t.test('garbage after the hello: tls-malformed', async (test) => {
  const line = await refusedBy(gate, async () => {
    const client = await dialPlain(test, gate.port)
    await client.send(HELLO)
    await until(() => client.bytes.length > 0, 'our flight')
    await client.send(Buffer.from(`1603030040${'ab'.repeat(64)}`, 'hex'))
    await client.ended()
  })
  test.match(line, { level: 'warn', stage: 'handshake', reason: 'tls-malformed' })
})

/** A stream over a socket that sends every byte by itself, or makes a record of every byte of the first flight. */
class Pieces extends Duplex {
  readonly #raw: Socket
  readonly #how: 'bytes' | 'records'
  #first = true

  constructor(raw: Socket, how: 'bytes' | 'records') {
    super()
    this.#raw = raw.setNoDelay(true)
    this.#how = how
    raw.on('data', (chunk: Buffer) => this.push(chunk))
    raw.on('end', () => this.push(null))
    raw.on('error', (error) => this.destroy(error))
  }

  override _read(): void {
    // The socket flows by itself.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const first = this.#first
    this.#first = false
    if (!first) return void this.#raw.write(chunk, done)
    if (this.#how === 'records') return void this.#raw.write(records(payload(chunk), 1), done)
    void this.#drip(chunk).then(() => done())
  }

  async #drip(chunk: Buffer): Promise<void> {
    for (const byte of chunk) await new Promise((resolve) => this.#raw.write(Buffer.of(byte), resolve))
  }

  override _final(done: () => void): void {
    this.#raw.end(done)
  }
}

void t.test('a hello in pieces and in records of one byte is served', async (test) => {
  for (const how of ['bytes', 'records'] as const) {
    for (const options of [{}, V12]) {
      const raw = connectTcp({ host: '127.0.0.1', port: gate.port })
      test.teardown(() => raw.destroy())
      await within(once(raw, 'connect'), 'a connection')
      const secure = connectTls({ socket: new Pieces(raw, how), servername: HOST, ca: realm.authority.pem, ...options })
      await within(once(secure, 'secureConnect'), 'a handshake')
      test.equal((await new Client(secure).ask('GET /c/b')).status, 200, how)
    }
  }
})

const fingerprint = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256

void t.test('SNI chooses the certificate; without one of ours it is the first, and then 421', async (test) => {
  const rows: [servername: string, host: string, shown: string, status: number, reason?: string][] = [
    [HOST, HOST, 'own', 200], [HOST.toUpperCase(), HOST, 'own', 200], [storageHost('queue'), storageHost('queue'), 'own', 200], [API, API, 'apis', 200], [API, `${API}:8443`, 'apis', 200],
    ['', HOST, 'own', 200], ['', API, 'own', 200],
    ['nobody.localhost', 'nobody.localhost', 'own', 421, 'host-unknown'], ['a.wild.localhost', 'a.wild.localhost', 'apis', 421, 'host-unknown'], ['nobody.localhost', HOST, 'own', 421, 'host-not-sni'],
    [HOST, API, 'own', 421, 'host-not-sni'], [API, HOST, 'apis', 421, 'host-not-sni'], [HOST, storageHost('queue'), 'own', 421, 'host-not-sni'], [HOST, '127.0.0.1', 'own', 421, 'host-not-sni'],
  ]
  const prints = new Map<string, string>()
  for (const [servername, host, shown, status, reason] of rows) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const requests = upstream.seen.length
      const client = await dial(test, gate, { servername, maxVersion, checkServerIdentity: () => undefined })
      const print = fingerprint(client.socket)
      test.equal(prints.get(shown) ?? print, print, `${servername} is shown ${shown}`)
      prints.set(shown, print)
      const reply = await client.ask('GET /c/b', [`Host: ${host}`])
      test.match([reply.status, reply.header('x-tidegate-reason')], [status, reason], `${servername}, ${host}, ${maxVersion}`)
      test.equal(upstream.seen.length - requests, status === 200 ? 1 : 0)
      client.close()
    }
  }
  test.equal(new Set(prints.values()).size, 2)
})

/** A session that can be resumed. */
async function sessionOf(test: Test, options: ConnectionOptions): Promise<Buffer> {
  const client = await dial(test, gate, options)
  // Tickets of TLS 1.3 come before the reply.
  await client.ask('GET /c/b', [`Host: ${options.servername}`])
  const given = client.socket.getSession()
  if (given === undefined) throw new Error('there is no session')
  client.close()
  return given
}

void t.test('a resumed session keeps the check of Host, in both versions', async (test) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const session = await sessionOf(test, { servername: HOST, maxVersion })
    const resumed = await gate.metric('tidegate_tls_handshakes_total', { version: maxVersion, resumed: 'yes' })
    for (const [host, status, reason] of [[HOST, 200, undefined], [API, 421, 'host-not-sni'], [storageHost('queue'), 421, 'host-not-sni']] as const) {
      const client = await dial(test, gate, { servername: HOST, maxVersion, session })
      test.ok(client.socket.isSessionReused(), maxVersion)
      const reply = await client.ask('GET /c/b', [`Host: ${host}`])
      test.match([reply.status, reply.header('x-tidegate-reason')], [status, reason], `${maxVersion} ${host}`)
      client.close()
    }
    test.equal(await gate.metric('tidegate_tls_handshakes_total', { version: maxVersion, resumed: 'yes' }) - resumed, 3)
  }
})

void t.test('a session of one site opens no other', async (test) => {
  const session = await sessionOf(test, { servername: HOST, maxVersion: 'TLSv1.2' })
  const client = await dial(test, gate, { servername: API, maxVersion: 'TLSv1.2', session, checkServerIdentity: () => undefined })
  test.equal((await client.ask('GET /c/b', [`Host: ${HOST}`])).header('x-tidegate-reason'), 'host-not-sni')
  client.close()
})

void t.test('renegotiation that the client asks for is not done', async (test) => {
  const client = await dial(test, gate, V12)
  test.equal((await client.ask('GET /c/b')).status, 200)
  const before = await gate.metric('tidegate_tls_handshakes_total')
  const outcome = await within(new Promise<string>((resolve) => {
    client.socket.once('close', () => resolve('closed'))
    client.socket.renegotiate({}, (error) => resolve(error === null ? 'done' : 'refused'))
  }), 'an answer to the renegotiation')
  test.match(outcome, /closed|refused/)
  test.equal(await gate.metric('tidegate_tls_handshakes_total'), before)
  test.equal((await askOnce(test, gate, 'GET /c/b')).status, 200, 'others are served')
})

/** What `openssl s_client` writes. */
async function sClient(...args: string[]): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-servername', HOST, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  // The reply is awaited: tickets of TLS 1.3 come after the handshake.
  child.stdin.write(`GET /c/b HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
  await within(once(child, 'close'), 'the end of openssl')
  return Buffer.concat(chunks).toString('latin1')
}

void t.test('no compression, extended master secret, secure renegotiation signalled', { skip: opensslMissing }, async (test) => {
  const said = await sClient('-tls1_2', '-comp')
  test.match(said, /Compression: NONE/)
  test.match(said, /Secure Renegotiation IS supported/)
  test.match(said, /Extended master secret: yes/)
  test.match(said, /HTTP\/1\.1 200 /)
})

void t.test('early data is never taken', { skip: opensslMissing }, async (test) => {
  const folder = test.testdir()
  const [session, early] = [join(folder, 'session'), join(folder, 'early')]
  const requests = upstream.seen.length
  writeFileSync(early, `GET /early HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  const first = await sClient('-tls1_3', '-sess_out', session)
  test.match(first, /HTTP\/1\.1 200 /)
  test.match(first, /Max Early Data: 0/)
  const second = await sClient('-tls1_3', '-sess_in', session, '-early_data', early)
  test.match(second, /Early data was (?:not sent|rejected)/)
  test.match(second, /HTTP\/1\.1 200 /)
  test.strictSame(upstream.seen.slice(requests).map(({ target }) => target), ['/c/b', '/c/b'])
})

void t.test('500 half-open hellos do not stop a healthy client', async (test) => {
  const stalled = Array.from({ length: 500 }, () => connectTcp({ host: '127.0.0.1', port: gate.port }).on('error', () => undefined))
  test.teardown(() => stalled.forEach((socket) => socket.destroy()))
  await within(Promise.all(stalled.map((socket) => once(socket, 'connect'))), '500 connections')
  for (const socket of stalled) socket.write(HELLO.subarray(0, 100))
  test.equal((await askOnce(test, gate, 'GET /c/b')).status, 200)
})

void t.test('every refusal stands in one line and one count; no connection is left over', async (test) => {
  for (const where of [gate, hasty]) {
    const counts = new Map<string, number>()
    for (const { reason = '' } of where.lines('refused')) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    for (const [reason, count] of counts) test.equal(await where.metric('tidegate_refusals_total', { reason }), count, reason)
  }
  await until(async () => await hasty.metric('tidegate_connections_open') === 0, 'all connections to be over')
  test.pass('none is')
})
