// A gate with every kind of neighbour, and clients of every kind: good and refused, before HTTP and in it. For tests of what
// comes out as numbers and lines.
import { createHmac } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import type { Test } from 'tap'
import { hello } from '../tls/hello.ts'
import { createAuthority, type Issued } from './authority.ts'
import { far, serveGate, type GateProcess, type GateWish } from './gate.ts'
import { storageHost, upstreamHost, type Realm } from './realm.ts'
import { askOnce, dial, dialPlain } from './sockets.ts'
import { startUpstream, type Upstream } from './upstream.ts'

export const API = 'payroll.localhost'

export interface MixedGate extends GateProcess {
  /** One round of everything; resolves when it is over. */
  traffic(): Promise<void>
  readonly upstream: Upstream
  /** What it was started with. */
  readonly wish: GateWish
}

/** A running program of the two-worker kind, and its traffic; all ends with the test. `wish` goes before what it has anyway. */
export async function startMixedGate(t: Test, realm: Realm, wish: GateWish = {}): Promise<MixedGate> {
  const upstream = await startUpstream(t, realm)
  answerAsAsked(upstream)
  const stranger = await startUpstream(t, realm, { tls: await realm.authority.issue({ names: ['another.example'] }) })
  const offices = await createAuthority({ name: 'Offices' })
  realm.write('offices.pem', offices.pem)
  const own: GateWish = {
    storage: { blob: upstream.port, file: upstream.port, queue: far(realm, upstreamHost('queue'), 1), table: stranger.port },
    apis: [{ name: 'payroll', host: API, prefix: '/v1', upstream: far(realm, upstreamHost('blob'), upstream.port), clients: { verify: 'optional' }, websocket: true }],
    names: [API], workers: 2, tls: { clients: { ca: 'offices.pem' }, handshakeTimeout: '2s' }, limits: { upstreamTimeout: '1s' },
    ...wish,
  }
  const gate = await serveGate(t, realm, own)
  const shown = { own: await offices.issue({ names: ['office-1.example'], clientAuth: true }), foreign: await realm.authority.issue({ names: ['office-1.example'], clientAuth: true }) }
  return { ...gate, upstream, wish: own, traffic: async () => void await Promise.all([...plaintext(t, gate), ...handshakes(t, gate, shown), ...requests(t, gate, realm), ...resumed(t, gate)]) }
}

/** The path says how: a status, `slow` never, `reset`, `large` a megabyte. */
function answerAsAsked(upstream: Upstream): void {
  upstream.script(async (turn) => {
    const how = /(\w+)(?:\?.*)?$/.exec(turn.request.target)?.[1] ?? ''
    if (how === 'reset') return turn.reset()
    await turn.whole
    if (how === 'slow') return
    await turn.reply(/^\d{3}$/.test(how) ? Number(how) : 200, ['Content-Type: text/plain'], how === 'large' ? Buffer.alloc(1 << 20, 'x') : 'ok')
  })
}

const WORDS: readonly (string | Buffer)[] = [
  'SSH-2.0-OpenSSH_9.2p1 Debian\r\n', Buffer.from('000000eafe534d4240000100', 'hex'), Buffer.from('030000130ee000000000000100080003000000', 'hex'), 'PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\nGET / HTTP/1.1\r\n\r\n', 'EHLO:tide\r\n',
]

/** What does not begin with TLS, and half a hello. */
function plaintext(t: Test, gate: GateProcess): Promise<void>[] {
  const say = async (port: number, bytes: string | Buffer): Promise<void> => {
    const client = await dialPlain(t, port)
    if (bytes.length > 0) await client.send(bytes)
    await client.ended()
  }
  const http = `GET /c/b HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nConnection: close\r\n\r\n`
  return [...WORDS.map((bytes) => say(gate.port, bytes)), say(gate.plainPort, http), say(gate.port, http), say(gate.plainPort, hello()), say(gate.port, ''), say(gate.port, hello().subarray(0, 20))]
}

const OLD_VERSION = { legacyVersion: 0x0302, suites: [0x002f, 0xc013], groups: [0x001d], serverName: storageHost('blob') }
const OLD_SUITES = { suites: [0x002f, 0x009c], groups: [0x001d], signatures: [0x0403, 0x0804], serverName: storageHost('blob') }
const OLD_GROUPS = { suites: [0x1301], versions: [0x0304], groups: [0x0019], keyShares: [], signatures: [0x0403, 0x0804], serverName: storageHost('blob') }

function handshakes(t: Test, gate: GateProcess, shown: Readonly<Record<'own' | 'foreign', Issued>>): Promise<unknown>[] {
  const offer = async (bytes: Buffer): Promise<void> => {
    const client = await dialPlain(t, gate.port)
    await client.send(bytes)
    await client.ended()
  }
  const show = async (which: 'own' | 'foreign', options: ConnectionOptions = {}): Promise<void> => {
    const client = await dial(t, gate, { servername: API, cert: shown[which].cert, key: shown[which].key, ...options })
    await client.ask('GET /v1/staff', [`Host: ${API}`]).catch(ignore)
    client.close()
  }
  return [OLD_VERSION, OLD_SUITES, OLD_GROUPS].map((wish) => offer(hello(wish)) as Promise<unknown>).concat([show('own'), show('own', { maxVersion: 'TLSv1.2' }), show('foreign'), show('foreign', { maxVersion: 'TLSv1.2' }).catch(ignore)])
}

/** A TLS 1.2 session, so that the ticket is there when the handshake is over. */
function resumed(t: Test, gate: GateProcess): Promise<void>[] {
  const twice = async (): Promise<void> => {
    const first = await dial(t, gate, { maxVersion: 'TLSv1.2' })
    const session = first.socket.getSession()
    first.close()
    const again = await dial(t, gate, { maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) })
    await again.ask('GET /c/b')
    again.close()
  }
  return [twice()]
}

/** What is said of a request: its line, its fields, its body. */
type Asked = readonly [line: string, headers?: readonly string[], body?: string]

const TRACEPARENT = 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const api: readonly string[] = [`Host: ${API}`]
const at = (service: 'file' | 'queue' | 'table'): readonly string[] => [`Host: ${storageHost(service)}`]

const REQUESTS = (realm: Realm): readonly Asked[] => [
  ['GET /c/200', [TRACEPARENT]], ['GET /c/large'], ['PUT /c/b', ['Content-Length: 5'], 'hello'], ['HEAD /c/200'], ['GET /c/304'], ['GET /c/404'], ['GET /c/500'], ['GET /v1/staff', api], ['POST /v1/staff', [...api, 'Content-Length: 2'], 'ab'], ['GET /v2/staff', api],
  [`GET /c/b?${sas(realm.key1, '')}`], [`GET /c/b?${sas(realm.key2, '')}`], [`GET /c/b?${sas(realm.key1, 'https')}`], [`GET /c/b?${sas('d3Jvbmc=', '')}`], [`GET /c/b?${sas(realm.key1, '', '2021-01-01T00:00:00Z')}`], ['GET /c/b?sv=2020-02-10&sig=x&sig=y'],
  ['GET /c/../b'], ['GET /c/b', ['Expect: tea']], ['PUT /c/b', ['x-ms-copy-source: http://tideoffice.blob.localhost/c/a', 'Content-Length: 0']], ['POST /?comp=batch', ['Content-Type: multipart/mixed; boundary=b', 'Authorization: Bearer token', 'Content-Length: 4'], '--b\n'],
  ['GET /c/reset'], ['GET /c/slow'], ['GET /q/messages', at('queue')], ['GET /Tables', at('table')], ['GET /s/f', at('file')],
]

function requests(t: Test, gate: GateProcess, realm: Realm): Promise<unknown>[] {
  const ask = ([line, headers = [], body = '']: Asked): Promise<unknown> => askOnce(t, gate, line, headers, body).catch(ignore)
  return [...REQUESTS(realm).map(ask), other(t, gate), leaves(t, gate), refusesHost(t, gate), upgrades(t, gate)]
}

/** What Node's parser does not take. */
async function other(t: Test, gate: GateProcess): Promise<void> {
  const client = await dial(t, gate)
  await client.send('BREW / HTTP/1.1\r\n\r\n')
  await client.ended()
}

/** A client that leaves before its reply is whole. */
async function leaves(t: Test, gate: GateProcess): Promise<void> {
  const client = await dial(t, gate)
  await client.send(`GET /c/slow HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
  await new Promise((resolve) => setTimeout(resolve, 200))
  client.close()
}

async function refusesHost(t: Test, gate: GateProcess): Promise<void> {
  const client = await dial(t, gate)
  await client.ask('GET /c/b', ['Host: nobody.localhost'])
  client.close()
  const nameless = await dial(t, gate, { servername: '', checkServerIdentity: () => undefined })
  await nameless.ask('GET /c/b', ['Host: nobody.localhost'])
  nameless.close()
}

/** A WebSocket that the upstream declines. */
async function upgrades(t: Test, gate: GateProcess): Promise<void> {
  const client = await dial(t, gate, { servername: API })
  await client.ask('GET /v1/live', [...api, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'])
  client.close()
}

/** A service SAS for /c/b, by the layout of 2020-02-10 (spec/sas.md 7.2). */
function sas(key: string, spr: '' | 'https', se = '2099-01-01T00:00:00Z'): string {
  const sig = createHmac('sha256', Buffer.from(key, 'base64')).update(['r', '', se, '/blob/tideoffice/c/b', '', '', spr, '2020-02-10', 'b', '', '', '', '', '', ''].join('\n')).digest('base64')
  return `sv=2020-02-10&se=${encodeURIComponent(se)}&sr=b&sp=r${spr === '' ? '' : '&spr=https'}&sig=${encodeURIComponent(sig)}`
}

function ignore(): void {
  // How it ended is in the numbers and lines.
}
