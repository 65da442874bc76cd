// The TLS policy from outside, one line a case: what a client offers, and what it gets; what is refused ends with the
// proper alert and is counted and logged once, with what was offered (contract sections 3, 5, 8; security.md T1 to T8).
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dial, dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until, within } from '../support/until.ts'
import { hello, opensslMissing, recordNode, recordOpenssl, vector16, type HelloWish } from '../tls/hello.ts'

const HOST = storageHost('blob')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const ec = await realm.certificate('ec', { names: [HOST] })
const rsa = await realm.certificate('rsa', { names: [HOST], key: 'rsa2048' })
const certificates = [ec, rsa].map(({ certFile: cert, keyFile: key }) => ({ cert, key }))
const gate = await startGate(t, realm, { storage: { blob: upstream.port }, tls: { certificates } })
const modern = await startGate(t, realm, { storage: { blob: upstream.port }, tls: { certificates, profile: 'modern' } })

type Counted = readonly [name: string, labels: Record<string, string>]

/** How much these metrics grow while `act` runs. */
async function growth(where: typeof gate, counted: readonly Counted[], act: () => Promise<void>): Promise<number[]> {
  const read = (): Promise<number[]> => Promise.all(counted.map(([name, labels]) => where.metric(`tidegate_${name}`, labels)))
  const before = await read()
  await act()
  return (await read()).map((value, i) => value - (before[i] ?? 0))
}

const V12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
const V13 = { minVersion: 'TLSv1.3' } as const

const SERVED: [what: string, options: ConnectionOptions, version: string, suite: string, group: string][] = [
  ['1.3 AES-128', { ...V13, ciphers: 'TLS_AES_128_GCM_SHA256' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'X25519MLKEM768'],
  ['1.3 AES-256', { ...V13, ciphers: 'TLS_AES_256_GCM_SHA384' }, 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', 'X25519MLKEM768'],
  ['1.3 ChaCha20', { ...V13, ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }, 'TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256', 'X25519MLKEM768'],
  ['1.3 X25519MLKEM768 alone', { ...V13, ecdhCurve: 'X25519MLKEM768' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'X25519MLKEM768'],
  ['1.3 X25519', { ...V13, ecdhCurve: 'X25519' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'x25519'],
  ['1.3 P-256', { ...V13, ecdhCurve: 'P-256' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'secp256r1'],
  ['1.3 P-384', { ...V13, ecdhCurve: 'P-384' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'secp384r1'],
  ['1.3 after a HelloRetryRequest', { ...V13, ecdhCurve: 'P-521:P-384' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'secp384r1'],
  ['1.3 for clients that verify RSA alone', { ...V13, sigalgs: 'rsa_pss_rsae_sha256' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'X25519MLKEM768'],
  ['1.2 EC, AES-128', { ...V12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }, 'TLSv1.2', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'x25519'],
  ['1.2 EC, AES-256', { ...V12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }, 'TLSv1.2', 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'x25519'],
  ['1.2 EC, ChaCha20', { ...V12, ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }, 'TLSv1.2', 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'x25519'],
  ['1.2 RSA, AES-128', { ...V12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }, 'TLSv1.2', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'x25519'],
  ['1.2 RSA, AES-256', { ...V12, ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' }, 'TLSv1.2', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'x25519'],
  ['1.2 RSA, ChaCha20', { ...V12, ciphers: 'ECDHE-RSA-CHACHA20-POLY1305' }, 'TLSv1.2', 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'x25519'],
  ['1.2 P-256', { ...V12, ecdhCurve: 'P-256', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }, 'TLSv1.2', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'secp256r1'],
  ['1.2 P-384', { ...V12, ecdhCurve: 'P-384', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }, 'TLSv1.2', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'secp384r1'],
  ['1.2, our order of suites', { ...V12, ciphers: 'ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' }, 'TLSv1.2', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'x25519'],
  ['among suites that are not ours', { ...V12, ciphers: 'AES128-SHA:AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384' }, 'TLSv1.2', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'x25519'],
  ['http/1.1 among others', { ...V13, ALPNProtocols: ['h2', 'http/1.1'] }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'X25519MLKEM768'],
  ['without SNI', { ...V13, servername: '' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'X25519MLKEM768'],
]

for (const [what, options, version, suite, group] of SERVED) {
  void t.test(`served: ${what}`, async (test) => {
    const counted: Counted[] = [['tls_handshakes_total', { version, suite, resumed: 'no', client_cert: 'no' }], ['tls_handshakes_total', {}], ['tls_groups_total', { group }], ['tls_client_hello_total', { offered: version.toLowerCase().replace('v', '') }]]
    const grown = await growth(gate, counted, async () => {
      const client = await dial(test, gate, { checkServerIdentity: () => undefined, ...options })
      test.match(client.socket.getCipher(), { standardName: suite, version })
      test.equal(client.socket.alpnProtocol === false ? 'http/1.1' : client.socket.alpnProtocol, 'http/1.1')
      test.equal((await client.ask('GET /c/b')).status, 200)
      client.close()
    })
    test.strictSame(grown, [1, 1, 1, 1])
  })
}

const ECDHE = { groups: [0x001d, 0x0017], signatures: [0x0403, 0x0804, 0x0401], serverName: HOST } as const
const OF_13 = { ...ECDHE, suites: [0x1301], versions: [0x0304], keyShares: [0x001d] } as const
const old = (...args: string[]) => (): Promise<Buffer> => recordOpenssl(...args, '-cipher', 'ALL:@SECLEVEL=0', '-servername', HOST)
const by = (wish: HelloWish) => (): Promise<Buffer> => Promise.resolve(hello(wish))

const PROTOCOL_VERSION = 70
const HANDSHAKE_FAILURE = 40
const REFUSED: [what: string, bytes: () => Promise<Buffer>, alert: number, reason: string, offered: string][] = [
  ['SSL 3', by({ legacyVersion: 0x0300, suites: [0x0035, 0x000a], bare: true }), PROTOCOL_VERSION, 'tls-version', 'ssl3'],
  ['TLS 1.0', by({ ...ECDHE, legacyVersion: 0x0301, suites: [0xc013, 0x0035] }), PROTOCOL_VERSION, 'tls-version', 'tls1.0'],
  ['TLS 1.1', by({ ...ECDHE, legacyVersion: 0x0302, suites: [0xc013, 0x0035] }), PROTOCOL_VERSION, 'tls-version', 'tls1.1'],
  ['old versions in the extension', by({ ...ECDHE, suites: [0xc013], versions: [0x0302, 0x0301] }), PROTOCOL_VERSION, 'tls-version', 'tls1.1'],
  ['a draft of TLS 1.3', by({ ...OF_13, versions: [0x7f1c] }), PROTOCOL_VERSION, 'tls-version', 'none'],
  ['versions that nobody knows', by({ ...OF_13, versions: [0x0a0a, 0x0305] }), PROTOCOL_VERSION, 'tls-version', 'none'],
  ['a fallback that is not needed', by({ ...ECDHE, suites: [0xc02b, 0x5600] }), 86, 'tls-version', 'tls1.2'],
  ['key exchange by RSA', by({ ...ECDHE, suites: [0x009c, 0x009d, 0x002f, 0x0035, 0x003c] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['DHE', by({ ...ECDHE, suites: [0x009e, 0x009f, 0x0033, 0xccaa] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['CBC', by({ ...ECDHE, suites: [0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['CCM', by({ ...ECDHE, suites: [0xc0ac, 0xc0ae] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['RC4, 3DES, NULL, anonymous, export', by({ ...ECDHE, suites: [0xc011, 0x0005, 0xc012, 0x000a, 0xc006, 0x003b, 0xc018, 0x0034, 0x0003] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['no suite at all but signals', by({ ...ECDHE, suites: [0x00ff, 0x0a0a] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['1.3 with CCM alone', by({ ...OF_13, suites: [0x1304, 0x1305] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.3'],
  ['signatures by SHA-1 alone', by({ ...ECDHE, suites: [0xc02b, 0xc02f], signatures: [0x0203, 0x0201] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'],
  ['1.3 with signatures by SHA-1 alone', by({ ...OF_13, signatures: [0x0203, 0x0201] }), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.3'],
  ['1.2 with secp521r1 alone', by({ ...ECDHE, suites: [0xc02b, 0xc02f], groups: [0x0019] }), HANDSHAKE_FAILURE, 'tls-no-shared-group', 'tls1.2'],
  ['1.2 with brainpool, secp224r1, secp256k1', by({ ...ECDHE, suites: [0xc02b, 0xc02f], groups: [0x001a, 0x001b, 0x0015, 0x0016] }), HANDSHAKE_FAILURE, 'tls-no-shared-group', 'tls1.2'],
  ['1.2 with a group of 1.3 alone', by({ ...ECDHE, suites: [0xc02b, 0xc02f], groups: [0x11ec] }), HANDSHAKE_FAILURE, 'tls-no-shared-group', 'tls1.2'],
  ['1.3 with secp521r1 alone', by({ ...OF_13, groups: [0x0019], keyShares: [0x0019] }), HANDSHAKE_FAILURE, 'tls-no-shared-group', 'tls1.3'],
  ['1.3 with finite fields alone', by({ ...OF_13, groups: [0x0100, 0x0101], keyShares: [] }), HANDSHAKE_FAILURE, 'tls-no-shared-group', 'tls1.3'],
  ['h2 alone', by({ ...OF_13, alpn: ['h2'] }), 120, 'tls-malformed', 'tls1.3'],
  ['h2 alone, 1.2', by({ ...ECDHE, suites: [0xc02b, 0xc02f], alpn: ['h2', 'spdy/3'] }), 120, 'tls-malformed', 'tls1.2'],
  ['a key share of the wrong length', by({ ...OF_13, shareBytes: 5 }), 47, 'tls-malformed', 'tls1.3'],
  ['a key share of a group that was not offered', by({ ...OF_13, groups: [0x0017] }), 47, 'tls-malformed', 'tls1.3'],
  ['one name twice', by({ ...OF_13, extensions: [[0, vector16(Buffer.from([0, 0, 1, 0x61]))]] }), 47, 'tls-malformed', 'tls1.3'],
  ['compression and nothing else', by({ ...ECDHE, suites: [0xc02b], compressions: [1] }), 47, 'tls-malformed', 'tls1.2'],
]

/** A hello in the framing of SSL 2, with suites of three bytes each in hex. */
const framed = (version: number, suites: string): Promise<Buffer> => {
  const body = Buffer.concat([Buffer.from([1, version >> 8, version & 0xff, 0, suites.length / 2, 0, 0, 0, 16]), Buffer.from(suites, 'hex'), Buffer.alloc(16, 7)])
  return Promise.resolve(Buffer.concat([Buffer.from([0x80, body.length]), body]))
}

void t.test('refused: hellos in the framing of SSL 2, with what they offer', async (test) => {
  await refused(test, gate, ['SSL 2', () => framed(0x0002, '0100800700c0030080060040020080040080080080'), PROTOCOL_VERSION, 'tls-version', 'none'])
  await refused(test, gate, ['TLS 1.0, as Java 6 says it', () => framed(0x0301, '000004000005000035010080'), PROTOCOL_VERSION, 'tls-version', 'tls1.0'])
  test.strictSame(gate.lines('refused').at(-1)?.['suites'], ['0x0004', '0x0005', '0x0035'])
  await refused(test, gate, ['SSL 3', () => framed(0x0300, '000004000005'), PROTOCOL_VERSION, 'tls-version', 'ssl3'])
  await refused(test, gate, ['TLS 1.2', () => framed(0x0303, '00c02b00c02f0000ff'), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'])
})

/** Sends a hello; returns the alert that came back, by level and number. */
async function alertFor(test: Test, port: number, bytes: Buffer): Promise<string> {
  const client = await dialPlain(test, port)
  await client.send(bytes)
  await client.ended()
  const got = Buffer.concat(client.bytes)
  return got.length === 7 && got[0] === 21 ? `${got[5]}/${got[6]}` : got.toString('hex')
}

async function refused(test: Test, where: typeof gate, [what, bytes, alert, reason, offered]: typeof REFUSED[number]): Promise<void> {
  const sent = await bytes()
  const lines = where.lines('refused').length
  const counted: Counted[] = [['refusals_total', { stage: 'handshake', reason }], ['refusals_total', {}], ['tls_client_hello_total', { offered }], ['tls_handshakes_total', {}]]
  const grown = await growth(where, counted, async () => {
    test.equal(await alertFor(test, where.port, sent), `2/${alert}`, what)
    await until(() => where.lines('refused').length > lines, 'the line')
  })
  test.strictSame(grown, [1, 1, 1, 0])
  test.match(where.lines('refused').slice(lines), [{ level: 'warn', stage: 'handshake', reason, listener: 'tls', client: '127.0.0.1', offered, suites: Array, groups: Array }])
}

for (const row of REFUSED) void t.test(`refused: ${row[0]}`, (test) => refused(test, gate, row))

void t.test('refused: what openssl offers with old versions', { skip: opensslMissing }, async (test) => {
  for (const [version, offered] of [['-tls1', 'tls1.0'], ['-tls1_1', 'tls1.1']] as const) await refused(test, gate, [version, old(version), PROTOCOL_VERSION, 'tls-version', offered])
  await refused(test, gate, ['-tls1_2 with every suite but ours', () => recordOpenssl('-tls1_2', '-cipher', 'ALL:!ECDHE:@SECLEVEL=0'), HANDSHAKE_FAILURE, 'tls-no-shared-suite', 'tls1.2'])
})

void t.test('modern refuses TLS 1.2 and serves 1.3', async (test) => {
  await refused(test, modern, ['1.2', () => recordNode({ ...V12, servername: HOST }), PROTOCOL_VERSION, 'tls-version', 'tls1.2'])
  const client = await dial(test, modern)
  test.equal(client.socket.getProtocol(), 'TLSv1.3')
})

void t.test('the line says what was offered, ours by name', async (test) => {
  await alertFor(test, gate.port, hello({ ...ECDHE, suites: [0x009c, 0x0a0a, 0x1301], groups: [0x0019], serverName: 'Nobody.Example' }))
  await until(() => gate.lines('refused').at(-1)?.['serverName'] === 'nobody.example', 'the line')
  test.match(gate.lines('refused').at(-1), { suites: ['0x009c', '0x0a0a', 'TLS_AES_128_GCM_SHA256'], groups: ['0x0019'], serverName: 'nobody.example', offered: 'tls1.2' })
  await alertFor(test, gate.port, hello({ legacyVersion: 0x0301, serverName: 'a\n"b', suites: Array.from({ length: 500 }, (_, i) => i) }))
  await until(() => gate.lines('refused').at(-1)?.['serverName'] === 'unreadable', 'the line')
  test.match(gate.lines('refused').at(-1), { suites: { length: 24 } }, 'and no more than anybody reads')
})

void t.test('what is no hello: an alert or an end, tls-malformed, never a handshake', async (test) => {
  const rows: [what: string, bytes: Buffer][] = [
    ['garbage after 0x16', Buffer.concat([Buffer.from([0x16]), Buffer.alloc(300, 0xff)])],
    ['zeros after 0x16', Buffer.concat([Buffer.from([0x16]), Buffer.alloc(300)])],
    ['HTTP after 0x16', Buffer.from('\x16GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['another message', Buffer.from('160301000402000000', 'hex')],
    ['a message of 16 MB', Buffer.concat([Buffer.from('160301400001ffffff', 'hex'), Buffer.alloc(16_380)])],
    ['a record too long', Buffer.concat([Buffer.from('160301ffff01000100', 'hex'), Buffer.alloc(400)])],
    ['lengths that lie', hello({ ...OF_13 }).fill(0xff, 43, 46)],
  ]
  for (const [what, bytes] of rows) {
    const lines = gate.lines('refused').length
    const answer = await alertFor(test, gate.port, bytes)
    test.match(answer, /^(?:2\/\d+)?$/, `${what}: ${answer}`)
    await until(() => gate.lines('refused').length > lines, 'the line')
    test.match(gate.lines('refused').slice(lines), [{ stage: 'handshake', reason: /^tls-(?:malformed|version)$/, offered: 'none' }], what)
  }
})

void t.test('a hello that OpenSSL takes and we do not read ends before any request, whatever Host says', async (test) => {
  const lines = gate.lines('refused').length
  const requests = upstream.seen.length
  const raw = connectTcp({ host: '127.0.0.1', port: gate.port })
  test.teardown(() => raw.destroy())
  await within(once(raw, 'connect'), 'a connection')
  // OpenSSL skips an empty record before the hello.
  raw.write(Buffer.from('1603010000', 'hex'))
  const secure = connectTls({ socket: raw, servername: 'nobody.example', rejectUnauthorized: false })
  secure.on('error', () => undefined)
  secure.write(`GET /c/b HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  const bytes: Buffer[] = []
  secure.on('data', (chunk: Buffer) => bytes.push(chunk))
  await within(once(secure, 'close'), 'the end')
  test.equal(Buffer.concat(bytes).toString(), '')
  await until(() => gate.lines('refused').length > lines, 'the line')
  test.match(gate.lines('refused').at(-1), { reason: 'tls-malformed', code: 'HELLO_UNREAD' })
  test.equal(upstream.seen.length, requests)
})

void t.test('every refusal stands in one line and one count', async (test) => {
  for (const where of [gate, modern]) {
    const counts = new Map<string, number>()
    for (const { reason = '' } of where.lines('refused')) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    for (const [reason, count] of counts) test.equal(await where.metric('tidegate_refusals_total', { reason }), count, reason)
    test.equal(await where.metric('tidegate_refusals_total'), where.lines('refused').length)
  }
})
