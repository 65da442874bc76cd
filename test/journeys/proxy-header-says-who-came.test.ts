// PROXY headers before TLS: required from the listed senders and refused from all others; whom they name is who came, for
// tokens that are bound to an address, for APIs, for the log and for the limit of an address. On the plain port as well.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { createLoggerOver } from '../../src/observe/log.ts'
import { buildParts } from '../../src/process/build.ts'
import { portOf } from '../../src/process/messages.ts'
import { listen, stop } from '../../src/process/traffic.ts'
import { far, type GateWish, type LogLine, writeConfiguration } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost, type Realm } from '../support/realm.ts'
import { Client } from '../support/sockets.ts'
import { startUpstream, type Message } from '../support/upstream.ts'
import { pause, until, within } from '../support/until.ts'
import { issue } from '../sas/second.ts'

const API = 'api.localhost'
const monotonic = (): number => performance.now()

interface Door {
  readonly port: number
  readonly plainPort: number
  readonly realm: Realm
  lines(message: string): LogLine[]
}

/** A gate that listens on every address of this machine and expects headers from `from`. */
async function startDoor(test: Test, realm: Realm, from: readonly string[], wish: GateWish = {}): Promise<Door> {
  const file = await writeConfiguration(realm, wish)
  const configuration = JSON.parse(readFileSync(file, 'utf8')) as { listen: Record<string, unknown> }
  configuration.listen['proxyProtocol'] = { from }
  const loaded = await loadConfig(realm.write('tidegate.yaml', JSON.stringify(configuration)), { environment: {}, now: Date.now() })
  const text: string[] = []
  const parts = await buildParts(loaded, { log: createLoggerOver('trace', { write: (line) => void text.push(line) }), seed: randomBytes(10), ticketKeys: randomBytes(48), wallClock: Date.now, monotonic })
  const bound = await listen(parts, loaded.config, { ports: {}, shared: false })
  test.teardown(async () => {
    stop(parts)
    await parts.app.close()
  })
  return {
    realm, port: portOf(bound.tls), plainPort: portOf(bound.plain ?? ':0'),
    lines: (message) => text.map((line) => JSON.parse(line) as LogLine).filter(({ msg }) => msg === message),
  }
}

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const WISH: GateWish = {
  storage: { blob: upstream.port }, names: [API],
  apis: [{ name: 'payroll', host: API, upstream: far(realm, 'api.upstream.example', upstream.port) }],
}
const listed = await startDoor(t, realm, ['127.0.0.0/8', '::1'], WISH)
const hasty = await startDoor(t, realm, ['127.0.0.1'], { ...WISH, tls: { handshakeTimeout: '500ms' } })
const unlisted = await startDoor(t, realm, ['10.0.0.0/24', '2001:db8::/32'], WISH)

async function raw(test: Test, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  test.teardown(() => socket.destroy())
  await within(once(socket, 'connect'), 'a connection')
  return socket
}

/** TLS over a connection on which something was said before. */
async function secured(socket: Socket, servername = storageHost('blob')): Promise<Client<TLSSocket>> {
  const secure = connectTls({ socket, servername, ca: realm.authority.pem })
  const client = new Client(secure)
  await within(once(secure, 'secureConnect'), 'a TLS connection')
  return client
}

/** A client behind a balancer that says this first. */
async function behind(test: Test, header: string | Buffer, servername?: string): Promise<Client<TLSSocket>> {
  const socket = await raw(test, listed.port)
  socket.write(typeof header === 'string' ? Buffer.from(header, 'latin1') : header)
  return await secured(socket, servername)
}

const tcp4 = (address: string): string => `PROXY TCP4 ${address} 198.51.100.1 4711 443\r\n`
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

function v2(command: number, family: number, ...body: readonly Buffer[]): Buffer {
  const size = Buffer.concat(body).length
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, size >> 8, size & 0xff]), ...body])
}

const V4 = Buffer.from([203, 0, 113, 9, 198, 51, 100, 1, 0x12, 0x67, 1, 0xbb])
const V6 = Buffer.concat([Buffer.from('20010db8000000000000000000000009', 'hex'), Buffer.alloc(16), Buffer.from([0x12, 0x67, 1, 0xbb])])
const MAPPED = Buffer.concat([Buffer.from('00000000000000000000ffffcb007109', 'hex'), Buffer.alloc(16), Buffer.from([0, 1, 0, 2])])
const TLVS = Buffer.from([1, 0, 2, 0x68, 0x32, 0xee, 0, 5, 1, 1, 2, 3, 4])

async function viaApi(test: Test, header: string | Buffer): Promise<Message> {
  const client = await behind(test, header, API)
  const before = upstream.seen.length
  test.equal((await client.ask('GET /who', [`Host: ${API}`, 'X-Forwarded-For: 6.6.6.6'])).status, 200)
  client.close()
  return upstream.seen[before] as Message
}

for (const [what, header, address] of [
  ['version 1, IPv4', tcp4('203.0.113.9'), '203.0.113.9'], ['version 1, IPv6', 'PROXY TCP6 2001:db8::9 ::1 1 2\r\n', '2001:db8::9'], ['version 1, a mapped address', 'PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n', '203.0.113.9'],
  ['version 1, unknown', 'PROXY UNKNOWN\r\n', '127.0.0.1'], ['version 2, IPv4', v2(0x21, 0x11, V4), '203.0.113.9'], ['version 2, IPv4 with TLVs', v2(0x21, 0x11, V4, TLVS), '203.0.113.9'],
  ['version 2, IPv6', v2(0x21, 0x21, V6), '2001:db8::9'], ['version 2, a mapped address', v2(0x21, 0x21, MAPPED), '203.0.113.9'], ['version 2, of the balancer itself', v2(0x20, 0x00), '127.0.0.1'], ['version 2, no address', v2(0x21, 0x00, TLVS), '127.0.0.1'],
] as const) {
  void t.test(`an API learns who came: ${what}`, async (test) => {
    const lines = listed.lines('request').length
    const seen = await viaApi(test, header)
    test.strictSame(seen.all('x-forwarded-for'), [address], 'and never what the client says')
    await until(() => listed.lines('request').length > lines, 'its line')
    test.equal(listed.lines('request').at(-1)?.['client'], address, 'and the log')
  })
}

void t.test('a header in pieces of one byte, and with the hello in one segment', async (test) => {
  for (const header of [Buffer.from(tcp4('203.0.113.9')), v2(0x21, 0x21, V6, TLVS)]) {
    const socket = await raw(test, listed.port)
    socket.setNoDelay(true)
    for (const byte of header) {
      socket.write(Buffer.from([byte]))
      await pause(0)
    }
    test.equal((await (await secured(socket)).ask('GET /a')).status, 200, 'in pieces')

    test.equal((await (await secured(await raw(test, await balancer(test, header)))).ask('GET /a')).status, 200, 'in one segment')
  }
})

/** A balancer that sends its header in one write with the first bytes of the client; returns its port. */
async function balancer(test: Test, header: Buffer): Promise<number> {
  const server = createServer((client) => {
    const onward = connect({ host: '127.0.0.1', port: listed.port })
    for (const socket of [client, onward]) socket.on('error', () => undefined)
    client.once('data', (hello: Buffer) => {
      onward.write(Buffer.concat([header, hello]))
      client.pipe(onward).pipe(client)
    })
    test.teardown(() => onward.destroy())
  })
  test.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const token = (sip: string, spr?: string): string => issue({
  service: 'blob', account: ACCOUNT, path: '/c/b',
  params: [['sv', '2025-05-05'], ['se', new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '')], ['sr', 'b'], ['sp', 'r'], ['sip', sip], ...(spr === undefined ? [] : [['spr', spr] as const])],
}, Buffer.from(realm.key1, 'base64'))

void t.test('`sip` is judged against whom the header names', async (test) => {
  const before = upstream.seen.length
  for (const [header, sip, status] of [
    [tcp4('203.0.113.9'), '203.0.113.9', 200], [tcp4('203.0.113.9'), '203.0.113.0-203.0.113.9', 200], [v2(0x21, 0x21, MAPPED), '203.0.113.9', 200], ['PROXY UNKNOWN\r\n', '127.0.0.1', 200],
    [tcp4('203.0.113.9'), '203.0.113.10-203.0.113.255', 403], [tcp4('203.0.113.9'), '127.0.0.1', 403], [v2(0x21, 0x21, V6), '0.0.0.0-255.255.255.255', 403], [v2(0x20, 0x00), '203.0.113.9', 403],
  ] as const) {
    const client = await behind(test, header)
    const reply = await client.ask(`GET /c/b?${token(sip)}`, ['X-Forwarded-For: 203.0.113.9', 'X-Real-IP: 203.0.113.9', 'Forwarded: for=203.0.113.9'])
    test.equal(reply.status, status, sip)
    test.equal(reply.header('x-tidegate-reason'), status === 403 ? 'sas-source-ip' : undefined)
    if (status === 403) test.equal(reply.header('x-ms-error-code'), 'AuthorizationSourceIPMismatch')
    client.close()
  }
  test.equal(upstream.seen.length, before + 4)
})

/** What was logged of the connection that this did. */
async function refusalOf(test: Test, door: Door, port: number, say: (socket: Socket) => void): Promise<LogLine | undefined> {
  const before = door.lines('refused').length
  const socket = await raw(test, port)
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  const closed = once(socket, 'close')
  say(socket)
  await within(closed, 'the end of the connection')
  test.equal(bytes, 0, 'nothing is said to it')
  await until(() => door.lines('refused').length > before, 'the line of a refusal')
  test.equal(door.lines('refused').length, before + 1, 'one reason')
  return door.lines('refused').at(-1)
}

const HELLO = Buffer.from('160301020001000100030300', 'hex')
const BOTH = ['port', 'plainPort'] as const

for (const which of BOTH) {
  void t.test(`listed and without a header, or with a broken one: ${which}`, async (test) => {
    for (const [reason, bytes] of [
      ['proxy-header-missing', HELLO], ['proxy-header-missing', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'], ['proxy-header-missing', 'SSH-2.0-x\r\n'], ['proxy-header-missing', '\0\0\0\x10\xfeSMB1234'],
      ['proxy-header-invalid', 'PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n'], ['proxy-header-invalid', 'PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n'], ['proxy-header-invalid', `PROXY UNKNOWN ${'x'.repeat(200)}`], ['proxy-header-invalid', v2(0x21, 0x11, V4, Buffer.from([1]))], ['proxy-header-invalid', v2(0x23, 0x11, V4)],
      ['proxy-header-invalid', v2(0x20, 0, Buffer.alloc(5000))], ['proxy-header-invalid', `${tcp4('203.0.113.9')}${tcp4('203.0.113.8')}`], ['proxy-header-invalid', Buffer.concat([v2(0x21, 0x11, V4), v2(0x21, 0x11, V4)])],
    ] as const) {
      const line = await refusalOf(test, listed, listed[which], (socket) => socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes))
      test.match(line, { reason, listener: which === 'port' ? 'tls' : 'plain' }, JSON.stringify(bytes.toString('latin1').slice(0, 40)))
    }
  })

  void t.test(`listed and slow, or silent: ${which}`, async (test) => {
    for (const bytes of ['P', 'PROXY TCP4 203.0.113.9', '\r\n\r\n\0\r\nQUI', SIGNATURE.toString('latin1')]) {
      test.match(await refusalOf(test, hasty, hasty[which], (socket) => socket.write(Buffer.from(bytes, 'latin1'))), { reason: 'proxy-header-invalid' }, JSON.stringify(bytes))
    }
    test.match(await refusalOf(test, hasty, hasty[which], () => undefined), { reason: 'hello-timeout', client: '127.0.0.1', bytes: 0 })
    const named = await refusalOf(test, hasty, hasty[which], (socket) => socket.write(tcp4('203.0.113.9')))
    test.match(named, { reason: 'hello-timeout', client: '203.0.113.9', balancer: '127.0.0.1' }, 'after a whole header the hello is owed')
  })

  void t.test(`not listed, and with a header: ${which}`, async (test) => {
    for (const bytes of [tcp4('203.0.113.9'), 'PROXY UNKNOWN\r\n', v2(0x21, 0x11, V4), v2(0x20, 0x00)]) {
      test.match(await refusalOf(test, unlisted, unlisted[which], (socket) => socket.write(bytes)), { reason: 'proxy-header-untrusted', client: '127.0.0.1' })
    }
  })
}

void t.test('not listed and without a header: as if there were no balancers', async (test) => {
  const client = await secured(await raw(test, unlisted.port))
  test.equal((await client.ask(`GET /c/b?${token('127.0.0.1')}`)).status, 200)
  const plain = new Client(await raw(test, unlisted.plainPort))
  test.match(await plain.request(`GET /a HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`), { status: 400 })
})

void t.test('plain HTTP behind a balancer is told so, on both ports, and the line names the client', async (test) => {
  for (const which of BOTH) {
    const before = listed.lines('refused').length
    const client = new Client(await raw(test, listed[which]))
    const number = client.expect('GET ')
    await client.send(`${tcp4('203.0.113.77')}GET /a?sig=secret HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
    const reply = await client.reply(number)
    test.match([reply.status, reply.header('x-ms-error-code'), reply.header('x-tidegate-reason')], [400, 'AccountRequiresHttps', 'plaintext-http'])
    await until(() => listed.lines('refused').length > before, 'its line')
    test.match(listed.lines('refused').at(-1), { reason: 'plaintext-http', client: '203.0.113.77', balancer: '127.0.0.1' })
  }
})

void t.test('a handshake that fails behind a balancer names both', async (test) => {
  const before = listed.lines('refused').length
  const socket = await raw(test, listed.port)
  socket.write(tcp4('203.0.113.78'))
  const secure = connectTls({ socket, servername: storageHost('blob'), ca: realm.authority.pem, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' })
  await within(once(secure, 'error'), 'an alert')
  await until(() => listed.lines('refused').length > before, 'its line')
  test.match(listed.lines('refused').at(-1), { reason: 'tls-version', stage: 'handshake', listener: 'tls', client: '203.0.113.78', balancer: '127.0.0.1' })
})

void t.test('a limit by address counts whom the header names, not the balancer', async (test) => {
  const door = await startDoor(test, realm, ['127.0.0.1'], { ...WISH, limits: { connectionsPerAddress: 2 } })
  const come = async (address: string): Promise<Socket> => {
    const socket = await raw(test, door.port)
    socket.write(tcp4(address))
    return socket
  }
  const kept = []
  for (const address of ['203.0.113.1', '203.0.113.1', '203.0.113.2', '203.0.113.2', '203.0.113.3']) kept.push(await secured(await come(address)))
  for (const client of kept) test.equal((await client.ask('GET /a')).status, 200)
  const third = await come('203.0.113.1')
  await within(once(third.resume(), 'close'), 'the end of the third')
  await until(() => door.lines('refused').length > 0, 'its line')
  test.match(door.lines('refused'), [{ reason: 'too-many-connections', client: '203.0.113.1', balancer: '127.0.0.1' }])
  kept[0]?.close()
  await until(async () => {
    try {
      return (await (await secured(await come('203.0.113.1'))).ask('GET /a')).status === 200
    } catch {
      return false
    }
  }, 'room for another one')
})
