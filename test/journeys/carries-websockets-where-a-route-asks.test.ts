// WebSockets: carried on API routes that ask for them, with every rule of a request before; elsewhere Upgrade is dropped.
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { drain } from '../../src/process/traffic.ts'
import { far, startGate, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { pause, until, within } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'chat.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']

/** One site with WebSockets under /live and without them everywhere else. */
function gateTo(test: Test, port: number, limits: object = {}): Promise<GateHere> {
  const api = { host: API, upstream: far(realm, upstreamHost('blob'), port) }
  return startGate(test, realm, { apis: [{ ...api, name: 'live', prefix: '/live', websocket: true }, { ...api, name: 'plain' }], names: [API], limits, storage: { blob: upstream.port } })
}

/** The ws package as an upstream: sends back what it gets. */
async function echoServer(test: Test): Promise<number> {
  const { cert, key } = await realm.authority.issue({ names: [upstreamHost('blob')] })
  const server = createServer({ cert, key })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, request) => {
    socket.send(JSON.stringify({ target: request.url, headers: request.headers }))
    socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => {
    for (const client of sockets.clients) client.terminate()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function open(test: Test, gate: GateHere, path: string): WebSocket {
  // Its types leave out what it hands on to node:tls.
  const tls = { servername: API, ca: realm.authority.pem }
  const socket = new WebSocket(`wss://127.0.0.1:${gate.port}${path}`, [], { ...tls, headers: { Host: API, 'X-Forwarded-For': '203.0.113.9', Cookie: 'a=b' } })
  test.teardown(() => socket.terminate())
  return socket
}

void t.test('a real client and a real server talk through the gate', async (test) => {
  const gate = await gateTo(test, await echoServer(test))
  const socket = open(test, gate, '/live/room%201?x=1')
  const [first] = (await within(once(socket, 'message'), 'the greeting')) as [Buffer]
  const seen = JSON.parse(first.toString()) as { target: string; headers: Record<string, string> }
  test.equal(seen.target, '/live/room%201?x=1', 'the target is sent upstream as it came')
  test.match(seen.headers, { host: upstreamHost('blob'), 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': API, cookie: 'a=b' })
  test.equal(gate.parts.tunnels.size, 1)
  test.equal(await gate.metric('tidegate_upstream_requests_total', { upstream: 'live', result: 'ok' }), 1, 'counted as answered')
  const sent = Buffer.alloc(3_000_000, 'payload ')
  socket.send(sent)
  const [back] = (await within(once(socket, 'message'), 'the echo')) as [Buffer]
  test.ok(sent.equals(back), 'three megabytes go there and back')
  socket.close(1000)
  const [code] = (await within(once(socket, 'close'), 'the closing handshake')) as [number]
  test.equal(code, 1000)
  const [line] = await gate.requests(1)
  test.match(line, { status: 101, route: 'live' })
  await until(() => gate.parts.tunnels.size === 0, 'the tunnel to leave')
  test.equal(await gate.metric('tidegate_requests_in_flight', { route: 'live' }), 0)
})

void t.test('bytes behind the head and behind the 101 are not lost', async (test) => {
  const gate = await gateTo(test, upstream.port)
  upstream.script(async (turn) => {
    await turn.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Own: kept\r\n\r\nearly words')
    turn.socket.on('data', (chunk: Buffer) => void turn.write(chunk.toString().toUpperCase()))
  })
  const client = await dial(test, gate, { servername: API })
  await client.send([`GET /live HTTP/1.1`, `Host: ${API}`, ...handshake, '', ''].join('\r\n'))
  await until(() => client.text.includes('early words'), 'what came behind the 101')
  test.match(client.text, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  test.match(client.text, /\r\nX-Own: kept\r\n/)
  test.equal(client.text.match(/\r\nUpgrade: websocket\r\n/gi)?.length, 1)
  await client.send('abc')
  await until(() => client.text.endsWith('ABC'), 'the answer')
  upstream.drop('end')
  test.equal(await client.ended(), 'fin')
})

void t.test('an upstream that does not agree is heard, whole or visibly cut short', async (test) => {
  const gate = await gateTo(test, upstream.port)
  const ask = async (reply: string, end: 'stay' | 'end'): Promise<Awaited<ReturnType<typeof dial>>> => {
    upstream.script(async (turn) => {
      await turn.write(reply)
      if (end === 'end') turn.end()
    })
    const client = await dial(test, gate, { servername: API })
    const head = [`GET /live HTTP/1.1`, `Host: ${API}`, ...handshake, '', ''].join('\r\n')
    client.expect(head)
    await client.send(head)
    return client
  }
  const refused = await ask('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\r\nnope', 'stay')
  test.match(await refused.reply(), { status: 401, text: 'nope' })
  test.equal(await refused.ended(), 'fin')
  const chunked = await ask('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n', 'stay')
  test.match(await chunked.reply(), { status: 426, text: 'nope' })
  test.equal(await chunked.ended(), 'fin')
  const cut = await ask('HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf', 'end')
  test.equal(await cut.ended(), 'rst')
  const nonsense = await ask('SSH-2.0-OpenSSH_9.2\r\n\r\n', 'stay')
  test.equal((await nonsense.reply()).status, 502)
  const lines = gate.lines('request')
  test.match(lines.at(-1), { status: 502, reason: 'upstream-reset' })
})

void t.test('a silent upstream is given up, an absent one is told of', async (test) => {
  const gate = await gateTo(test, upstream.port, { upstreamTimeout: '300ms' })
  upstream.script(() => undefined)
  const client = await dial(test, gate, { servername: API })
  test.equal((await client.ask('GET /live', [`Host: ${API}`, ...handshake])).status, 504)
  const nowhere = await gateTo(test, 1)
  const other = await dial(test, nowhere, { servername: API })
  test.equal((await other.ask('GET /live', [`Host: ${API}`, ...handshake])).status, 502)
  await until(() => nowhere.parts.tunnels.size === 0, 'the tunnel to leave')
  test.equal(await gate.metric('tidegate_upstream_requests_total', { upstream: 'live', result: 'timeout' }), 1)
  test.equal(await nowhere.metric('tidegate_upstream_requests_total', { upstream: 'live', result: 'unreachable' }), 1)
  test.equal(await nowhere.metric('tidegate_upstream_healthy', { upstream: 'live' }), 0)
})

void t.test('elsewhere Upgrade is dropped, and every rule holds before a WebSocket opens', async (test) => {
  const gate = await gateTo(test, upstream.port)
  upstream.script((turn) => turn.reply(200, [], 'plain'))
  for (const [path, host] of [['/other', API], ['/live', storageHost('blob')]] as const) {
    const client = await dial(test, gate, { servername: host })
    const reply = await client.ask(`GET ${path}`, [`Host: ${host}`, ...handshake])
    test.match(reply, { status: 200, text: 'plain' })
    test.equal(upstream.seen.at(-1)?.target, path)
    test.equal(upstream.seen.at(-1)?.header('upgrade'), undefined)
  }
  const misled = await dial(test, gate, { servername: API })
  test.equal((await misled.ask('GET /live/../x', [`Host: ${API}`, 'Host: other', ...handshake])).status, 400)
  const looped = await dial(test, gate, { servername: API })
  test.equal((await looped.ask('GET /live', [`Host: ${API}`, 'Expect: 200-maybe', ...handshake])).status, 417)
})

void t.test('behind a request that is still carried no WebSocket opens', async (test) => {
  const gate = await gateTo(test, upstream.port)
  upstream.script(async (turn) => {
    if (turn.request.target === '/live/first') await until(() => upstream.seen.length > 0, 'a request')
    await turn.reply(200, [], turn.request.target)
  })
  const client = await dial(test, gate, { servername: API })
  const first = `GET /live/first HTTP/1.1\r\nHost: ${API}\r\n\r\n`
  const second = ['GET /live/second HTTP/1.1', `Host: ${API}`, ...handshake, '', ''].join('\r\n')
  client.expect(first)
  client.expect(second)
  await client.send(first + second)
  test.equal((await client.reply(1)).text, '/live/first')
  test.match(await client.reply(2), { status: 200, text: '/live/second' })
})

void t.test('behind a refusal that ends the connection no WebSocket opens', async (test) => {
  const gate = await gateTo(test, upstream.port)
  const before = upstream.seen.length
  const bad = `GET /live HTTP/1.1\r\nHost: ${API}\r\nHost: ${API}\r\n\r\n`
  const upgrade = ['GET /live HTTP/1.1', `Host: ${API}`, ...handshake, '', ''].join('\r\n')
  for (const [now, later] of [[bad + upgrade, ''], [bad, upgrade]] as const) {
    const client = await dial(test, gate, { servername: API, allowHalfOpen: true } as ConnectionOptions)
    client.expect(bad)
    await client.send(now)
    test.equal((await client.reply(1)).status, 400)
    // What comes while the end lingers is read and dropped.
    await client.send(later)
    await pause(100)
    test.equal(client.replies.length, 1)
    client.close()
  }
  test.equal(upstream.seen.length, before, 'nothing went up')
  test.equal(gate.parts.tunnels.size, 0)
})

void t.test('a drain waits for WebSockets until its deadline and then ends them', async (test) => {
  const gate = await gateTo(test, await echoServer(test))
  const socket = open(test, gate, '/live')
  await within(once(socket, 'message'), 'the greeting')
  const closed = once(socket, 'close')
  const drained = drain(gate.parts, 400, () => performance.now())
  socket.send('still here')
  const [back] = (await within(once(socket, 'message'), 'the echo while draining')) as [Buffer]
  test.equal(back.toString(), 'still here')
  await within(closed, 'the end')
  await drained
})
