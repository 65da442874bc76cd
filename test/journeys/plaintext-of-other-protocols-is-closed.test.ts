// What is neither TLS nor HTTP is closed without a byte, counted by what it spoke, and reaches no upstream (security.md X3, X4).
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { askOnce, dial, dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until } from '../support/until.ts'
import { hello } from '../tls/hello.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { blob: upstream.port }, tls: { handshakeTimeout: '700ms' } })
const PORTS = [['tls', gate.port], ['plain', gate.plainPort]] as const

const ROWS: [what: string, bytes: string | Buffer, protocol: string][] = [
  ['SSH', 'SSH-2.0-OpenSSH_9.2p1 Debian\r\n', 'ssh'],
  ['SMB 1', Buffer.from('00000054ff534d4272000000001853c8', 'hex'), 'smb'],
  ['SMB 2 and 3', Buffer.from('000000eafe534d4240000100', 'hex'), 'smb'],
  ['RDP', Buffer.from('030000130ee000000000000100080003000000', 'hex'), 'rdp'],
  ['PROXY version 1', 'PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n', 'proxy-header'],
  ['PROXY version 2, and a hello behind it', Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a2111000c7f0000017f000001d43120fb', 'hex'), hello()]), 'proxy-header'],
  ['LDAP', Buffer.from('300c020101600702010304008000', 'hex'), 'other'],
  ['a TLS alert', Buffer.from('15030100020228', 'hex'), 'other'],
  ['SMTP', 'EHLO:tide\r\n', 'other'],
  ['zeros', Buffer.alloc(64), 'other'],
  ['high bytes', Buffer.alloc(64, 0xff), 'other'],
  ['empty lines and a word', '\r\n\r\nGET', 'other'],
  ['a word longer than any method', 'A'.repeat(100), 'other'],
]

for (const [listener, port] of PORTS) {
  void t.test(`closed at once on the ${listener} port`, async (test) => {
    for (const [what, bytes, protocol] of ROWS) {
      const refused = gate.lines('refused').length
      const counted = await gate.metric('tidegate_plaintext_connections_total', { protocol })
      const client = await dialPlain(test, port)
      await client.send(bytes)
      await client.ended()
      test.equal(client.text, '', `${what}: not a byte`)
      await until(() => gate.lines('refused').length > refused, 'the line')
      test.match(gate.lines('refused').at(-1), { level: 'warn', stage: 'door', reason: 'plaintext-other', protocol, listener, client: '127.0.0.1' }, what)
      test.equal(await gate.metric('tidegate_plaintext_connections_total', { protocol }), counted + 1)
    }
  })

  void t.test(`byte by byte on the ${listener} port`, async (test) => {
    for (const [what, bytes, protocol] of ROWS.slice(0, 4)) {
      const refused = gate.lines('refused').length
      const client = await dialPlain(test, port)
      for (const byte of Buffer.from(bytes as string)) if (client.ending === undefined) await client.send(Buffer.of(byte))
      await client.ended()
      await until(() => gate.lines('refused').length > refused, 'the line')
      test.match([client.text, gate.lines('refused').at(-1)], ['', { reason: 'plaintext-other', protocol }], what)
    }
  })

  void t.test(`silence, and words that may yet become something, end in time on the ${listener} port`, async (test) => {
    for (const [bytes, protocol, counted] of [['', 'silence', 1], ['PROXY', 'other', 0], ['\r\n', 'other', 0], [Buffer.from([3]), 'other', 0], ['SSH', 'other', 0]] as const) {
      const refused = gate.lines('refused').length
      const before = await gate.metric('tidegate_plaintext_connections_total', { protocol })
      const client = await dialPlain(test, port)
      await client.send(bytes)
      await client.ended()
      await until(() => gate.lines('refused').length > refused, 'the line')
      test.match([client.text, gate.lines('refused').at(-1)], ['', { level: 'info', stage: 'door', reason: 'hello-timeout', listener, bytes: bytes.length }], JSON.stringify(bytes))
      test.equal(await gate.metric('tidegate_plaintext_connections_total', { protocol }), before + counted)
    }
  })
}

void t.test('TLS on the plain port is closed without a handshake', async (test) => {
  const refused = gate.lines('refused').length
  await test.rejects(dial(test, { port: gate.plainPort, realm }))
  await until(() => gate.lines('refused').length > refused, 'the line')
  test.match(gate.lines('refused').at(-1), { stage: 'door', reason: 'plaintext-other', protocol: 'tls', listener: 'plain' })
})

void t.test('connections that come and go without a word are no refusals', async (test) => {
  const refused = gate.lines('refused').length
  const opened = await gate.metric('tidegate_connections_total')
  for (const [, port] of PORTS) (await dialPlain(test, port)).socket.end()
  await until(async () => await gate.metric('tidegate_connections_total') === opened + 2 && await gate.metric('tidegate_connections_open') === 0, 'both to be over')
  test.equal(gate.lines('refused').length, refused)
})

void t.test('each was counted once, nothing reached the upstream, and others are served', async (test) => {
  const lines = gate.lines('refused')
  for (const reason of ['plaintext-other', 'hello-timeout']) test.equal(await gate.metric('tidegate_refusals_total', { stage: 'door', reason }), lines.filter((line) => line.reason === reason).length, reason)
  test.equal(await gate.metric('tidegate_refusals_total'), lines.length)
  test.strictSame([upstream.connections.total, gate.lines('request').length], [0, 0])
  test.equal((await askOnce(test, gate, 'GET /c/b')).status, 200)
})
