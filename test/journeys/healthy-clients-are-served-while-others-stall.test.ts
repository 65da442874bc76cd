// Peers that are silent, drip, never read or stay idle: each kind is cut with its reason in the configured time, and all the
// while healthy clients are served on new connections.
import { createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { askOnce, dial, dialPlain, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream, type Turn } from '../support/upstream.ts'

// A window of the minimum rate is 20 s.
t.setTimeout(120_000)

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, {
  storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API],
  limits: { headersTimeout: '8s', idleTimeout: '8s' }, tls: { handshakeTimeout: '8s' },
})
const EACH = 20
const HOST = storageHost('blob')

upstream.script(async (turn) => {
  if (turn.request.target.startsWith('/endless')) return await endless(turn)
  if (turn.request.target.startsWith('/drips')) return await drips(turn)
  return await ok(turn)
})

async function endless(turn: Turn): Promise<void> {
  await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
  while (!turn.socket.destroyed) await turn.write(Buffer.alloc(65536))
}

async function drips(turn: Turn): Promise<void> {
  await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
  while (!turn.socket.destroyed) {
    await turn.write('.'.repeat(20))
    await pause(500)
  }
}

async function drip(client: Client, bytes: string): Promise<void> {
  while (client.ending === undefined) {
    await client.send(bytes)
    await pause(500)
  }
}

const HELLO = Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])
const put = (host: string): string => `PUT /body HTTP/1.1\r\nHost: ${host}\r\n`

/** Each kind: how it comes to stand still, and the reason that it is cut with; null where idle connections just end. */
const KINDS: Readonly<Record<string, readonly [reason: string | null, open: (test: Test, host: string) => Promise<Client>]>> = {
  'silent': ['hello-timeout', (test) => dialPlain(test, gate.port)],
  'half a hello': ['hello-timeout', async (test) => started(await dialPlain(test, gate.port), HELLO)],
  'a hello that drips': ['hello-timeout', async (test) => dripping(await dialPlain(test, gate.port), HELLO, '\0')],
  'a hello and no more': ['tls-timeout', stopsAfterHello],
  'TLS and no more': ['headers-timeout', (test, host) => dial(test, gate, { servername: host })],
  'half a head': ['headers-timeout', async (test, host) => started(await dial(test, gate, { servername: host }), put(host))],
  'a head that drips': ['headers-timeout', async (test, host) => dripping(await dial(test, gate, { servername: host }), put(host), 'a: b\r\n')],
  'half a body': ['body-too-slow', async (test, host) => started(await dial(test, gate, { servername: host }), `${put(host)}Content-Length: 10\r\n\r\nhalf`)],
  'a body that drips': ['body-too-slow', async (test, host) => dripping(await dial(test, gate, { servername: host }), `${put(host)}Content-Length: 100000\r\n\r\n`, '.'.repeat(20))],
  'chunks that drip': ['body-too-slow', async (test, host) => dripping(await dial(test, gate, { servername: host }), `${put(host)}Transfer-Encoding: chunked\r\n\r\n`, '1;extension=of-no-use\r\na\r\n')],
  'never reading': ['body-too-slow', async (test, host) => unread(await dial(test, gate, { servername: host }), host)],
  'an upstream that drips': ['upstream-timeout', async (test, host) => started(await dial(test, gate, { servername: host }), `GET /drips HTTP/1.1\r\nHost: ${host}\r\n\r\n`)],
  'idle': [null, async (test, host) => {
    const client = await dial(test, gate, { servername: host })
    await client.ask('GET /idle', [`Host: ${host}`])
    return client
  }],
}

async function started(client: Client, bytes: string | Buffer): Promise<Client> {
  await client.send(bytes)
  return client
}

async function dripping(client: Client, bytes: string | Buffer, more: string): Promise<Client> {
  await client.send(bytes)
  void drip(client, more)
  return client
}

async function unread(client: Client, host: string): Promise<Client> {
  await client.send(`GET /endless HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  client.socket.pause()
  return client
}

/** Passes the hello of a real client on, and nothing that it says after the answer. */
async function stopsAfterHello(test: Test, host: string): Promise<Client> {
  const client = await dialPlain(test, gate.port)
  const catcher = createServer((raw) => {
    raw.once('data', (hello: Buffer) => void client.send(hello))
    raw.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  test.teardown(() => void catcher.close())
  await until(() => catcher.listening, 'a catcher of hellos')
  const real = connectTls({ port: (catcher.address() as { port: number }).port, host: '127.0.0.1', servername: host })
  real.on('error', () => undefined)
  test.teardown(() => real.destroy())
  return client
}

const isCut = (client: Client): boolean => client.ending !== undefined || client.replies.length > 1 || client.socket.isPaused()

void t.test('every kind at once', async (test) => {
  const stalled = new Map<string, Client[]>()
  for (const [kind, [, open]] of Object.entries(KINDS)) {
    stalled.set(kind, await Promise.all(Array.from({ length: EACH }, async (_, i) => await open(test, i % 2 === 0 ? HOST : API))))
  }
  let served = 0
  while ([...stalled].some(([kind, clients]) => kind !== 'never reading' && !clients.every(isCut)) || gate.parts.live.size > 0) {
    test.equal((await askOnce(test, gate, 'GET /healthy', [`Host: ${served % 2 === 0 ? HOST : API}`])).status, 200)
    served++
    await pause(250)
  }
  test.ok(served > 10, `${served} were served meanwhile`)
  for (const reason of new Set(Object.values(KINDS).map(([own]) => own))) {
    if (reason === null) continue
    const wanted = Object.values(KINDS).filter(([own]) => own === reason).length * EACH
    test.equal(await gate.metric('tidegate_refusals_total', { reason }), wanted, reason)
  }
  for (const line of gate.lines('request').filter(({ reason }) => reason === 'body-too-slow' || reason === 'upstream-timeout')) test.ok(Number(line['ms']) >= 19_000, 'not before its window is over')
  await until(() => upstream.connections.open <= EACH * 4, 'the end of what nobody reads')
})

void t.test('nothing stays', async (test) => {
  await until(async () => await gate.metric('tidegate_connections_open') === 0, 'the end of all connections')
  test.equal(gate.parts.live.size, 0)
  test.equal((await askOnce(test, gate, 'GET /after')).status, 200)
})
