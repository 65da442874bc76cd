// Each event handler of a socket throws once. The result is the same for all: that connection ends, the fault is
// counted and logged once with reason `unexpected`, and all other clients are served (security.md F1).
import { connect as connectTcp } from 'node:net'
import t, { type Test } from 'tap'
import { probeHandlers } from '../../src/contain.ts'
import { far, startGate, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { startUpstream, type Turn } from '../support/upstream.ts'

t.setTimeout(90_000)

const API = 'api.localhost'
const HOST = `Host: ${storageHost('blob')}`
const LARGE = Buffer.alloc(3_000_000)
const BATCH = ['Content-Type: multipart/mixed; boundary=b', 'Authorization: Bearer x']
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
]

const realm = await createRealm(t)
const office = await realm.certificate('office', { names: ['office.example'], clientAuth: true })
const upstream = await startUpstream(t, realm)
const uncaught: unknown[] = []
const caught = (error: unknown): void => void uncaught.push(error)
process.on('uncaughtException', caught)
t.teardown(() => process.removeListener('uncaughtException', caught))

const SCRIPTS: Readonly<Record<string, (turn: Turn) => void | Promise<void>>> = {
  '/c/large': (turn) => turn.reply(200, [], LARGE),
  '/c/cut': async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart')
    turn.reset()
  },
  '/c/last': async (turn) => {
    await turn.whole
    await turn.reply(200, ['Connection: close'], 'ok')
    turn.end()
  },
  '/c/reading-late': async (turn) => {
    turn.pause()
    await pause(100)
    turn.resume()
    await turn.whole
    await turn.reply()
  },
  '/live/yes': async (turn) => {
    await turn.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello')
    await pause(50)
    turn.end()
  },
  '/live/cut': (turn) => turn.reset(),
  '/c/late': async (turn) => {
    await pause(100)
    await turn.reply(200, [], 'ok')
  },
  '/live/no': async (turn) => {
    await turn.write('HTTP/1.1 403 No\r\nContent-Length: 2000000\r\n\r\n')
    await turn.write(LARGE.subarray(0, 2_000_000))
    turn.end()
  },
}

upstream.script(async (turn) => {
  const script = SCRIPTS[turn.request.target.replace(/\?.*/, '')]
  if (script !== undefined) return script(turn)
  await turn.whole
  await turn.reply(200, [], 'ok')
})

type Scene = (test: Test, gate: GateHere) => Promise<unknown>

/** Sends on a connection of its own, reads what comes, and leaves; `cut`: leaves without waiting for an answer. */
const talk =
  (servername: string, text: string | Buffer, { late = false, half = false, cut = false } = {}): Scene =>
  async (test, gate) => {
    const client = await dial(test, gate, { servername })
    if (late) client.socket.pause()
    void client.send(text)
    if (half) client.socket.end()
    await pause(late ? 100 : 20)
    client.socket.resume()
    if (!cut)
      await until(
        () => client.replies.some(({ complete }) => complete) || client.ending !== undefined,
        'an answer',
      ).catch(() => undefined)
    await pause(20)
    client.close()
  }
const head = (line: string, ...fields: string[]): string => [`${line} HTTP/1.1`, ...fields, '', ''].join('\r\n')
const storage = (line: string, fields: string[] = [], body = ''): Scene =>
  talk(storageHost('blob'), head(line, HOST, ...fields) + body)
const api = (line: string, fields: string[] = [], body = ''): Scene =>
  talk(API, head(line, `Host: ${API}`, ...fields) + body)

const SCENES: Readonly<Record<string, Scene>> = {
  'a read': storage('GET /c/b'),
  'reads behind one another': talk(
    storageHost('blob'),
    head('GET /c/b', HOST) + head('PUT /c/b', HOST, 'Content-Length: 0') + head('GET /c/b', HOST),
  ),
  'an upload': storage('PUT /c/b', ['Content-Length: 5'], 'hello'),
  'a large upload to a slow upstream': talk(
    storageHost('blob'),
    Buffer.concat([Buffer.from(head('PUT /c/reading-late', HOST, `Content-Length: ${LARGE.length}`)), LARGE]),
  ),
  'a slow reader': talk(storageHost('blob'), head('GET /c/large', HOST), { late: true }),
  'a reply that is cut': storage('GET /c/cut'),
  'an upstream that ends': storage('GET /c/last'),
  'a client that has ended its sending': talk(storageHost('blob'), head('GET /c/large', HOST), {
    late: true,
    half: true,
  }),
  'a refused upload': storage('PUT /c/b', ['Content-Length: 100000', 'Host: other.localhost'], 'part'),
  'garbage behind a request': talk(storageHost('blob'), `${head('GET /c/b', HOST)}no request\r\n\r\n`),
  CONNECT: storage('CONNECT a:1'),
  'a batch': storage(
    'POST /?comp=batch',
    [...BATCH, 'Content-Length: 7'],
    '--b--\r\n',
  ),
  'a batch that is cut': talk(
    storageHost('blob'),
    `${head('POST /?comp=batch', HOST, ...BATCH, 'Content-Length: 9')}--b`,
    { cut: true },
  ),
  'an API': api('GET /c/large'),
  'an upload to an API': api('POST /x', ['Content-Length: 5'], 'hello'),
  'an early answer of an API': api('POST /c/large', ['Content-Length: 500000'], 'part'),
  'an API that is cut': api('GET /c/cut'),
  'a WebSocket': api('GET /live/yes', UPGRADE, 'x'),
  'a WebSocket that is declined': talk(API, head('GET /live/no', `Host: ${API}`, ...UPGRADE), { late: true }),
  'a certificate': async (test, gate) => {
    const client = await dial(test, gate, { servername: API, cert: office.cert, key: office.key })
    await client.ask('GET /x', [`Host: ${API}`]).catch(() => undefined)
    client.close()
  },
  'a client that leaves during an upload to an API': talk(
    API,
    head('POST /x', `Host: ${API}`, 'Content-Length: 100') + 'part',
    { cut: true },
  ),
  'a WebSocket whose upstream leaves': api('GET /live/cut', UPGRADE),
  'a client that leaves before the answer': talk(storageHost('blob'), head('GET /c/late', HOST), { cut: true }),
  'an upstream that is not there': talk(storageHost('queue'), head('GET /q/messages', `Host: ${storageHost('queue')}`)),
  'a handshake that fails': (test, gate) => dial(test, gate, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }),
  plaintext: async (test, gate) => {
    const socket = connectTcp({ host: '127.0.0.1', port: gate.plainPort, allowHalfOpen: true }).on(
      'error',
      () => undefined,
    )
    test.teardown(() => socket.destroy())
    socket.resume().write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => socket.readableEnded || socket.destroyed, 'the refusal')
    socket.write('more')
    await pause(20)
    socket.destroy()
  },
  silence: async (_test, gate) => {
    const socket = connectTcp({ host: '127.0.0.1', port: gate.port }).on('error', () => undefined)
    await until(() => socket.destroyed || socket.readableEnded, 'the end of a silent one')
  },
}

const gate = await startGate(t, realm, {
  storage: { blob: upstream.port, queue: far(realm, upstreamHost('queue'), 1) },
  apis: [
    {
      name: 'payroll',
      host: API,
      upstream: far(realm, upstreamHost('blob'), upstream.port),
      websocket: true,
      clients: { verify: 'optional' },
    },
  ],
  names: [API],
  tls: { handshakeTimeout: '1s', clients: { verify: 'none', ca: realm.caFile } },
})

const faults = (of: GateHere): unknown[] => of.lines('unexpected')
const counted = (): Promise<number> => gate.metric('tidegate_refusals_total', { reason: 'unexpected' })

const open = (): Promise<number> => gate.metric('tidegate_connections_open', { listener: 'tls' })

/** Plays a scene to its end, whatever that is, with `probe` called for each handler that runs. */
async function play(test: Test, name: string, probe: (handler: string) => void): Promise<void> {
  upstream.drop('end')
  await until(() => upstream.connections.open === 0, 'no connection that was kept')
  const before = await open()
  probeHandlers(probe)
  await SCENES[name]?.(test, gate).catch(() => undefined)
  // A handler of the end that throws has not counted it: the count is off by one then, and no more.
  for (let looks = 0; looks < 40 && (await open()) > before; looks++) await pause(10)
  probeHandlers(undefined)
}

/** Where each handler runs first. */
const first = new Map<string, string>()

await t.test('no scene alone shows a fault of the gateway', async (test) => {
  for (const scene of Object.keys(SCENES)) {
    await play(test, scene, (name) => void (first.has(name) || first.set(name, scene)))
  }
  test.strictSame(faults(gate), [])
})

for (const [handler, scene] of first) {
  void t.test(`${handler} throws, in: ${scene}`, async (test) => {
    const before = { lines: faults(gate).length, count: await counted() }
    let thrown = 0
    await play(test, scene, (name) => {
      if (name !== handler || thrown++ > 0) return
      throw new Error(`thrown in ${name}`)
    })
    test.ok(thrown > 0, 'it ran')
    test.strictSame(uncaught, [], 'nothing reached the process')
    await until(() => faults(gate).length > before.lines, 'the line that tells it')
    test.equal(faults(gate).length, before.lines + 1, 'one line')
    test.equal(await counted(), before.count + 1, 'one count')
    test.equal((await askOnce(test, gate, 'GET /c/b')).status, 200, 'everybody else is served')
  })
}
