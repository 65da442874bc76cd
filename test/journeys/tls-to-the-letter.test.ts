// TLS from the wire, to the letter: every suite and every group by itself, the marks and signals of the RFCs, bad key
// shares, signatures that are too weak, and hellos of odd shape (security.md T1 to T5, T7, T8).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until, within } from '../support/until.ts'
import { answerTo, wire, type Wire } from '../tls/answer.ts'
import { handshakeRecord, hello, opensslMissing, vector16, type HelloWish } from '../tls/hello.ts'

const HOST = storageHost('blob')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const branch = await realm.authority.intermediate('Branch')
const ec = await realm.certificate('ec', { names: [HOST] }, branch)
const rsa = await realm.certificate('rsa', { names: [HOST], key: 'rsa2048' })
const certificates = [ec, rsa].map(({ certFile: cert, keyFile: key }) => ({ cert, key }))
const gate = await startGate(t, realm, { storage: { blob: upstream.port }, tls: { certificates } })

const OF_12: HelloWish = { suites: [0xc02b, 0xc02f], groups: [0x001d, 0x0017], signatures: [0x0403, 0x0804, 0x0401], serverName: HOST }
const OF_13: HelloWish = { ...OF_12, suites: [0x1301], versions: [0x0304], keyShares: [0x001d] }
/** A 1.3 hello whose only share is this one. */
const sharing = (group: number, key: Buffer): HelloWish => ({ ...OF_13, keyShares: undefined, extensions: [[51, vector16(Buffer.from([group >> 8, group & 0xff]), vector16(key))]] })

const answer = (test: Test, wish: HelloWish): Promise<Wire> => answerTo(test, gate.port, hello(wish))
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** IANA's registry of suites for TLS and what came before, GOST and private ones too. */
const SUITES = [
  ...range(0x0000, 0x0046), ...range(0x0060, 0x006d), ...range(0x0080, 0x00c7), 0x00ff, ...range(0x1301, 0x1307), 0x5600, ...range(0xc001, 0xc0b5),
  ...range(0xc100, 0xc106), 0xcc13, 0xcc14, 0xcc15, ...range(0xcca8, 0xccae), ...range(0xd001, 0xd005), 0xfeff, 0xfefe, 0xff85, 0xff87,
]
const OURS_12 = [0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9]
const OURS_13 = [0x1301, 0x1302, 0x1303]

void t.test('of 330 suites, one by one, only ECDHE with AEAD and those of TLS 1.3 are taken', async (test) => {
  test.ok(SUITES.length >= 330, `${SUITES.length} suites`)
  for (const [wish, ours] of [[OF_12, OURS_12], [OF_13, OURS_13]] as const) {
    const taken: number[] = []
    const alerts = new Set<string>()
    for (const suite of SUITES) {
      const { serverHello, alert, socket } = await answer(test, { ...wish, suites: [suite] })
      socket.destroy()
      if (serverHello === undefined) alerts.add(alert ?? 'none')
      else taken.push(serverHello.suite)
    }
    test.strictSame(taken, [...ours])
    // The fallback signal alone means that a newer version was there to be had (RFC 7507 section 3).
    test.strictSame(alerts, new Set(wish === OF_12 ? ['2/40', '2/86'] : ['2/40']))
  }
})

void t.test('of all groups, one by one, only X25519, P-256, P-384 and X25519MLKEM768 are taken', async (test) => {
  // IANA's registry, the drafts of Kyber, and the two for arbitrary curves; 0x001a to 0x001c and 0x001f to 0x0021 are brainpool.
  const groups = [...range(1, 41), ...range(0x0100, 0x0104), 0x0200, 0x0201, 0x0202, 0x11eb, 0x11ec, 0x11ed, 0x11ee, 0x6399, 0x639a, 0xfe30, 0xff01, 0xff02]
  for (const [wish, ours] of [[OF_12, [0x0017, 0x0018, 0x001d]], [{ ...OF_13, keyShares: [] }, [0x0017, 0x0018, 0x001d, 0x11ec]]] as const) {
    const taken: number[] = []
    for (const group of groups) {
      // An RSA suite too: in TLS 1.2 the curve of the certificate counts as well.
      const { serverHello, alert, socket } = await answer(test, { ...wish, groups: [group] })
      socket.destroy()
      if (serverHello !== undefined) taken.push(group)
      else test.equal(alert, '2/40', `group ${group}`)
      if (serverHello?.retry === true) test.equal(serverHello.extensions.get(51)?.readUInt16BE(0), group, 'asks for a share of it')
    }
    test.strictSame(taken, [...ours])
  }
})

const BAD_SHARES: [what: string, group: number, key: Buffer][] = [
  ['X25519, all zero', 0x001d, Buffer.alloc(32)], ['X25519, of small order', 0x001d, Buffer.concat([Buffer.of(1), Buffer.alloc(31)])], ['X25519, short', 0x001d, Buffer.alloc(31, 3)],
  ['P-256, not on the curve', 0x0017, Buffer.concat([Buffer.of(4), Buffer.alloc(64, 5)])], ['P-256, compressed', 0x0017, Buffer.concat([Buffer.of(2), Buffer.alloc(32, 5)])], ['P-256, at infinity', 0x0017, Buffer.of(0)],
  ['X25519MLKEM768, short', 0x11ec, Buffer.alloc(1215, 1)], ['X25519MLKEM768, coefficients too large', 0x11ec, Buffer.alloc(1216, 0xff)], ['X25519MLKEM768, its X25519 part all zero', 0x11ec, Buffer.alloc(1216)],
]

void t.test('bad key shares: illegal_parameter, tls-malformed', async (test) => {
  for (const [what, group, key] of BAD_SHARES) {
    const lines = gate.lines('refused').length
    test.equal((await answer(test, { ...sharing(group, key), groups: [group] })).alert, '2/47', what)
    await until(() => gate.lines('refused').length > lines, 'the line')
    test.match(gate.lines('refused').at(-1), { reason: 'tls-malformed', offered: 'tls1.3', code: /^ERR_SSL_/ }, what)
  }
})

void t.test('bad key exchange messages of TLS 1.2 end with an alert', async (test) => {
  for (const [group, key] of [[0x001d, Buffer.alloc(32)], [0x0017, Buffer.concat([Buffer.of(4), Buffer.alloc(64, 5)])]] as const) {
    const client = await answer(test, { ...OF_12, groups: [group] })
    await client.until(() => client.messages.some(({ type }) => type === 14), 'ServerHelloDone')
    client.send(handshakeRecord(16, Buffer.concat([Buffer.of(key.length), key])))
    await client.until(() => client.alert !== undefined, 'an alert')
    test.match(client.alert, /^2\/(?:47|50|80|40)$/)
  }
})

/** The last eight bytes of the server's random. */
const mark = (client: Wire): string | undefined => client.serverHello?.random.subarray(24).toString('latin1')

void t.test('the mark against downgrades stands in every TLS 1.2 answer, and in none of TLS 1.3', async (test) => {
  test.equal(mark(await answer(test, OF_12)), 'DOWNGRD\x01', 'RFC 8446 section 4.1.3')
  test.equal(mark(await answer(test, { ...OF_12, versions: [0x0303] })), 'DOWNGRD\x01')
  test.notMatch(mark(await answer(test, OF_13)), /^DOWNGRD/)
})

void t.test('fallback: refused where it is not needed, served where TLS 1.3 is offered', async (test) => {
  test.equal((await answer(test, { ...OF_12, suites: [0xc02b, 0x5600] })).alert, '2/86', 'RFC 7507')
  test.equal((await answer(test, { ...OF_13, suites: [0x1301, 0x5600] })).serverHello?.suite, 0x1301)
})

const SIGNALS: HelloWish['extensions'] = [[4, Buffer.alloc(0)], [15, Buffer.of(1)], [13_172, Buffer.alloc(0)], [5, Buffer.from([1, 0, 0, 0, 0])], [1, Buffer.of(1)], [22, Buffer.alloc(0)], [23, Buffer.alloc(0)], [0xff01, Buffer.of(0)]]

void t.test('renegotiation_info and extended master secret are answered; heartbeat, truncated HMAC, NPN and fragment length are not', async (test) => {
  const { serverHello } = await answer(test, { ...OF_12, extensions: SIGNALS })
  test.strictSame([...serverHello?.extensions.keys() ?? []].toSorted((a, b) => a - b).filter((type) => type !== 1), [23, 0xff01])
  test.strictSame(serverHello?.extensions.get(0xff01), Buffer.of(0), 'RFC 5746 section 3.6')
  test.equal(serverHello?.compression, 0)
  const bySuite = await answer(test, { ...OF_12, suites: [0xc02b, 0x00ff] })
  test.ok(bySuite.serverHello?.extensions.has(0xff01), 'asked by the signalling suite')
})

void t.test('compression is never chosen, whatever is offered', async (test) => {
  test.equal((await answer(test, { ...OF_12, compressions: [1, 64, 0] })).serverHello?.compression, 0)
  test.equal((await answer(test, { ...OF_12, compressions: [1] })).alert, '2/47')
  // RFC 8446 section 4.1.2: a hello of TLS 1.3 offers null alone.
  test.equal((await answer(test, { ...OF_13, compressions: [1, 0] })).alert, '2/47')
})

void t.test('a heartbeat is not answered', async (test) => {
  for (const wish of [OF_12, OF_13]) {
    const client = await answer(test, { ...wish, extensions: [[15, Buffer.of(1)]] })
    // Its length lies, as for CVE-2014-0160.
    client.send(Buffer.from('180303000301ffff', 'hex'))
    await client.until(() => client.ended, 'the end')
    test.notOk(client.records.some(({ type }) => type === 24))
    // In TLS 1.3 the alert is encrypted.
    if (wish === OF_12) test.match(client.alert, /^2\//)
  }
})

const WEAK = { sha1: [0x0203, 0x0201, 0x0202], md5: [0x0101, 0x0103], sha224: [0x0303, 0x0301] }

void t.test('no signature by MD5, SHA-1 or SHA-224: not when asked for, not by default, not beside better ones', async (test) => {
  for (const [what, signatures] of Object.entries(WEAK)) {
    test.equal((await answer(test, { ...OF_12, signatures })).alert, '2/40', `1.2 ${what}`)
    test.equal((await answer(test, { ...OF_13, signatures })).alert, '2/40', `1.3 ${what}`)
  }
  // RFC 5246 section 7.4.1.4.1: without the extension SHA-1 is meant.
  test.equal((await answer(test, { ...OF_12, signatures: undefined })).alert, '2/40')
  test.equal((await answer(test, { ...OF_13, signatures: undefined })).alert, '2/109', 'missing_extension (RFC 8446 section 9.2)')
  const client = await answer(test, { ...OF_12, signatures: [...WEAK.sha1, ...WEAK.md5, 0x0403] })
  await client.until(() => client.messages.some(({ type }) => type === 12), 'ServerKeyExchange')
  const exchange = client.messages.find(({ type }) => type === 12)?.body ?? Buffer.alloc(0)
  test.equal(exchange.readUInt16BE(4 + (exchange[3] ?? 0)), 0x0403, 'signed with the better one')
})

void t.test('the full chain is shown, of either kind of key, to whoever takes it', async (test) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const [sigalgs, kind] of [['ecdsa_secp256r1_sha256', 'prime256v1'], ['rsa_pss_rsae_sha256:rsa_pkcs1_sha256:ecdsa_secp384r1_sha384', undefined]] as const) {
      const ciphers = maxVersion === 'TLSv1.3' ? {} : { ciphers: kind === undefined ? 'ECDHE-RSA-AES128-GCM-SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256' }
      // Only the root is known to the client: it verifies because the intermediate came along.
      const client = await dial(test, gate, { maxVersion, ...(kind === undefined && maxVersion === 'TLSv1.2' ? {} : { sigalgs }), ...ciphers })
      const { asn1Curve, bits = 0, issuerCertificate } = client.socket.getPeerCertificate(true)
      test.equal(asn1Curve, kind, `${maxVersion} ${sigalgs}`)
      test.ok(bits >= (kind === undefined ? 2048 : 256))
      if (kind !== undefined) test.equal(issuerCertificate.subject.CN, 'Branch')
      client.close()
    }
  }
})

void t.test('large and odd hellos are answered: 15 kB, 500 unknown extensions, GREASE, no session id', async (test) => {
  const rows: [what: string, wish: HelloWish][] = [
    ['15 kB in one extension', { ...OF_13, extensions: [[0x4001, Buffer.alloc(15_000)]] }],
    ['40 kB in three records', { ...OF_13, extensions: [[0x4001, Buffer.alloc(40_000)]] }],
    ['500 unknown extensions', { ...OF_13, extensions: range(0x4000, 0x4000 + 499).map((type) => [type, Buffer.alloc(8)] as const) }],
    ['500 unknown extensions, 1.2', { ...OF_12, extensions: range(0x4000, 0x4000 + 499).map((type) => [type, Buffer.alloc(8)] as const) }],
    ['GREASE everywhere (RFC 8701)', { ...OF_13, suites: [0x0a0a, 0x1301], groups: [0x1a1a, 0x001d], versions: [0x2a2a, 0x0304], signatures: [0x3a3a, 0x0403], alpn: ['\x5a\x5a', 'http/1.1'], extensions: [[0x4a4a, Buffer.alloc(0)], [0x6a6a, Buffer.of(0)]] }],
    ['padding (RFC 7685)', { ...OF_13, extensions: [[21, Buffer.alloc(512)]] }],
    ['GREASE for encrypted hellos', { ...OF_13, extensions: [[0xfe0d, Buffer.alloc(250, 9)]] }],
  ]
  for (const [what, wish] of rows) test.match((await answer(test, wish)).serverHello, { compression: 0 }, what)
})

void t.test('a hello of 15 kB and a whole handshake after it', async (test) => {
  const ALPNProtocols = ['http/1.1', ...Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(250, 'x'))]
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await dial(test, gate, { maxVersion, ALPNProtocols })
    test.equal((await client.ask('GET /c/b')).status, 200)
    client.close()
  }
})

void t.test('16 MB announced, or lengths that lie: ended at once, and nothing waited for', async (test) => {
  const whole = hello(OF_13)
  const at = (offset: number, ...bytes: number[]): Buffer => Buffer.concat([whole.subarray(0, offset), Buffer.from(bytes), whole.subarray(offset + bytes.length)])
  const rows: [what: string, bytes: Buffer][] = [
    ['a message of 16 MB', at(6, 0xff, 0xff, 0xff)], ['a record of 64 kB', at(3, 0xff, 0xff)], ['a record of nothing, then 16 MB', Buffer.concat([Buffer.from('1603010000', 'hex'), at(6, 0xff, 0xff, 0xff)])],
    ['suites beyond the end', at(76, 0xff, 0xfe)], ['an odd number of suite bytes', at(76, 0x00, 0x01)], ['a session id of 255', at(43, 0xff)],
  ]
  for (const [what, bytes] of rows) {
    const client = await wire(test, gate.port)
    client.send(bytes)
    await client.until(() => client.ended, `the end after ${what}`)
    test.notOk(client.serverHello, what)
    test.match(client.alert ?? '2/none', /^2\//)
  }
})

void t.test('early data under a ticket of someone else is skipped, and the handshake goes on without it', { skip: opensslMissing }, async (test) => {
  const session = await foreignSession(test)
  const early = join(realm.folder, 'early')
  realm.write('early', `GET /early HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  const requests = upstream.seen.length
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-servername', HOST, '-tls1_3', '-sess_in', session, '-early_data', early])
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.write(`GET /after HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
  await within(once(child, 'close'), 'the end of openssl')
  const said = Buffer.concat(chunks).toString('latin1')
  test.match(said, /Early data was rejected/)
  test.match(said, /HTTP\/1\.1 200 /)
  test.strictSame(upstream.seen.slice(requests).map(({ target }) => target), ['/after'])
})

/** A session of a server that takes early data, so that a client sends some. Returns the file's name. */
async function foreignSession(test: Test): Promise<string> {
  const file = join(realm.folder, 'foreign-session')
  const server = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-tls1_3', '-early_data', '-max_early_data', '8192', '-cert', rsa.certFile, '-key', rsa.keyFile])
  test.teardown(() => server.kill('SIGKILL'))
  let said = ''
  server.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  await until(() => /ACCEPT \S+:\d+/.test(said), 'a port')
  const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${/ACCEPT \S+:(\d+)/.exec(said)?.[1]}`, '-servername', HOST, '-tls1_3', '-sess_out', file])
  // It writes the file when the ticket comes.
  await until(() => existsSync(file) && statSync(file).size > 0, 'a ticket with early data')
  client.stdin.end('Q\n')
  await within(once(client, 'close'), 'the end of openssl')
  return file
}

void t.test('renegotiation: neither asked for nor done, by openssl\'s own way', { skip: opensslMissing }, async (test) => {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-servername', HOST, '-tls1_2'])
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  await until(() => said.includes('Verify return code'), 'a handshake')
  const before = await gate.metric('tidegate_tls_handshakes_total')
  child.stdin.write('R\n')
  await within(once(child, 'close'), 'the end of openssl')
  test.match(said, /no.renegotiation/)
  test.equal(await gate.metric('tidegate_tls_handshakes_total'), before)
})

void t.test('none of that stops anybody else', async (test) => {
  const socket = connectTls({ host: '127.0.0.1', port: gate.port, servername: HOST, ca: realm.authority.pem })
  await within(once(socket, 'secureConnect'), 'a handshake')
  socket.destroy()
  for (const { reason } of gate.lines('refused')) test.match(reason, /^tls-/)
})
