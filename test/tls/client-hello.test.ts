// Reads hellos of real clients, recorded at run time, and hellos written by hand; never throws, whatever comes.
import { array, assert, constantFrom, integer, nat, property, uint8Array } from 'fast-check'
import t from 'tap'
import { offeredVersion, readClientHello, type ClientHello } from '../../src/tls/client-hello.ts'
import { hello, helloMessage, numbers, opensslMissing, payload, recordNode, recordOpenssl, records, vector16, type HelloWish } from './hello.ts'

function read(bytes: Buffer): ClientHello {
  const state = readClientHello(bytes)
  if (typeof state === 'string') throw new Error(`the hello is ${state}`)
  return state
}

/** The same bytes with others at the end. */
function withEnd(bytes: Buffer, ...end: number[]): Buffer {
  return Buffer.concat([bytes.subarray(0, bytes.length - end.length), Buffer.from(end)])
}

const survives = (bytes: Uint8Array): boolean => ['string', 'object'].includes(typeof readClientHello(Buffer.from(bytes)))

const X25519 = 0x001d
const P256 = 0x0017
const P384 = 0x0018
const MLKEM = 0x11ec

/** Cut at every byte: `more`, and whole only at its end. */
function cutEverywhere(bytes: Buffer): string {
  for (let length = 0; length < bytes.length; length++) {
    if (readClientHello(bytes.subarray(0, length)) !== 'more') return `at ${length} of ${bytes.length}`
  }
  return typeof readClientHello(bytes) === 'string' ? 'not whole at its end' : 'fine'
}

void t.test('node:tls', async (test) => {
  const bytes = await recordNode({ servername: 'TideOffice.Blob.Tide.Example' })
  const found = read(bytes)
  test.match(found, { version: 0x0304, serverName: 'tideoffice.blob.tide.example' })
  for (const suite of [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f]) test.ok(found.suites.includes(suite), suite.toString(16))
  for (const group of [MLKEM, X25519, P256]) test.ok(found.groups.includes(group), group.toString(16))
  test.ok(found.keyShares.length > 0 && found.keyShares.every((group) => found.groups.includes(group)))
  test.equal(cutEverywhere(bytes), 'fine')
})

void t.test('node:tls with options of its own', async (test) => {
  const rows: [options: Parameters<typeof recordNode>[0], expected: Partial<ClientHello>][] = [
    [{ maxVersion: 'TLSv1.2', servername: 'a.example' }, { version: 0x0303, keyShares: [] }],
    [{ minVersion: 'TLSv1.3', ecdhCurve: 'P-384' }, { version: 0x0304, groups: [P384], keyShares: [P384], serverName: undefined }],
    [{ sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256' }, { signatures: [0x0403, 0x0804] }],
    [{ minVersion: 'TLSv1.3', ecdhCurve: 'X25519:P-256' }, { groups: [X25519, P256], keyShares: [X25519] }],
    [{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', ecdhCurve: 'P-256' }, { suites: [0xc02f], groups: [P256] }],
    [{ minVersion: 'TLSv1.3', ciphers: 'TLS_CHACHA20_POLY1305_SHA256', servername: 'a.example.' }, { suites: [0x1303], serverName: 'a.example' }],
  ]
  for (const [options, expected] of rows) test.match(read(await recordNode(options)), expected, JSON.stringify(options))
})

void t.test('openssl s_client', { skip: opensslMissing }, async (test) => {
  const weak = ['-cipher', 'ALL:@SECLEVEL=0']
  const rows: [args: string[], expected: Partial<ClientHello>, offered: string][] = [
    [['-tls1', ...weak, '-noservername'], { version: 0x0301, serverName: undefined, keyShares: [] }, 'tls1.0'],
    [['-tls1_1', ...weak, '-servername', 'old.example'], { version: 0x0302, serverName: 'old.example' }, 'tls1.1'],
    [['-tls1_2', '-groups', 'P-256', '-servername', 'B.EXAMPLE'], { version: 0x0303, groups: [P256], serverName: 'b.example' }, 'tls1.2'],
    [['-tls1_3', '-groups', 'X25519MLKEM768:X25519', '-ciphersuites', 'TLS_AES_256_GCM_SHA384'], { version: 0x0304, groups: [MLKEM, X25519] }, 'tls1.3'],
    [['-tls1_3', '-groups', '*P-384:*X25519:P-256', '-noservername'], { groups: [P384, X25519, P256], keyShares: [P384, X25519], serverName: undefined }, 'tls1.3'],
    [['-groups', 'P-521'], { groups: [0x0019], version: 0x0304 }, 'tls1.3'],
    [['-tls1_3', '-groups', 'ffdhe2048'], { groups: [0x0100], keyShares: [0x0100] }, 'tls1.3'],
  ]
  for (const [args, expected, offered] of rows) {
    const bytes = await recordOpenssl(...args)
    test.match(read(bytes), expected, args.join(' '))
    test.equal(offeredVersion(read(bytes)), offered)
    test.equal(cutEverywhere(bytes), 'fine')
  }
})

void t.test('written by hand', async (test) => {
  const rows: [what: string, wish: HelloWish, expected: Partial<ClientHello>][] = [
    ['SSL 3, without extensions', { legacyVersion: 0x0300, suites: [0x0035], bare: true }, { version: 0x0300, suites: [0x0035], groups: [], keyShares: [], serverName: undefined }],
    ['no extension at all', {}, { version: 0x0303, groups: [], keyShares: [] }],
    ['GREASE in every list', { suites: [0x0a0a, 0x1301], groups: [0x1a1a, X25519], versions: [0xfafa, 0x0304, 0x0303], keyShares: [0x2a2a, X25519] }, { version: 0x0304, suites: [0x0a0a, 0x1301], groups: [0x1a1a, X25519], keyShares: [0x2a2a, X25519] }],
    ['only GREASE versions', { versions: [0x0a0a, 0xdada] }, { version: 0 }],
    ['versions in any order', { versions: [0x0301, 0x0304, 0x0303] }, { version: 0x0304 }],
    ['supported_versions rules over the old field', { legacyVersion: 0x0303, versions: [0x0302, 0x0301] }, { version: 0x0302 }],
    ['a draft of TLS 1.3', { versions: [0x7f1c] }, { version: 0x7f1c }],
    ['DTLS numbers', { legacyVersion: 0xfefd }, { version: 0xfefd }],
    ['a name with a dot and capitals', { serverName: 'A.Example.' }, { serverName: 'a.example' }],
    ['a name of other bytes', { serverName: '\xff\0x' }, { serverName: '\xff\0x' }],
    ['an empty name', { serverName: '' }, { serverName: '' }],
    ['an unknown kind of name and then a host', { extensions: [[0, vector16(Buffer.from([5, 0, 1, 0x78, 0, 0, 1, 0x79]))]] }, { serverName: 'y' }],
    ['no name in the list', { extensions: [[0, vector16()]] }, { serverName: undefined }],
    ['500 unknown extensions', { serverName: 'a', extensions: Array.from({ length: 500 }, (_, i): [number, Buffer] => [0x5000 + i, Buffer.alloc(3)]) }, { serverName: 'a' }],
    ['15 kB of padding', { serverName: 'a', extensions: [[21, Buffer.alloc(15_000)]] }, { serverName: 'a' }],
    ['several records of padding', { serverName: 'a', extensions: [[21, Buffer.alloc(50_000)]] }, { serverName: 'a' }],
    ['an empty key share list', { keyShares: [] }, { keyShares: [] }],
  ]
  for (const [what, wish, expected] of rows) test.match(read(hello(wish)), expected, what)
})

void t.test('split into records of every size, and cut there at every byte', async (test) => {
  const message = helloMessage({ serverName: 'split.example', groups: [X25519], versions: [0x0304], keyShares: [X25519] })
  for (const size of [1, 2, 3, 4, 5, 7, 64, 100, message.length - 1, message.length]) {
    const bytes = records(message, size)
    test.match(read(bytes), { serverName: 'split.example', keyShares: [X25519] }, `records of ${size}`)
    test.equal(cutEverywhere(bytes), 'fine')
  }
})

void t.test('what follows the hello is not looked at', async (test) => {
  test.equal(read(Buffer.concat([hello({ serverName: 'a' }), Buffer.from('160301')])).serverName, 'a')
  test.equal(read(records(Buffer.concat([helloMessage({ serverName: 'a' }), Buffer.alloc(40)]))).serverName, 'a')
})

void t.test('bytes of which no hello can come', async (test) => {
  const rows: [what: string, bytes: Buffer][] = [
    ['another content type', Buffer.from('1503010002022801', 'hex')],
    ['no TLS version', Buffer.from('1602010004010000', 'hex')],
    ['an empty record', Buffer.from('1603010000', 'hex')],
    ['an empty record in the midst', Buffer.concat([records(helloMessage().subarray(0, 10)), Buffer.from('1603010000', 'hex')])],
    ['a record longer than any', Buffer.from('160301480101', 'hex')],
    ['another handshake message', records(Buffer.from('0200000100', 'hex'))],
    ['an alert between the records', Buffer.concat([records(helloMessage().subarray(0, 10)), Buffer.from('1503010002', 'hex')])],
    ['an empty message', records(Buffer.from('01000000', 'hex'))],
    ['suites longer than the message', records(Buffer.concat([Buffer.from('0100002703030000', 'hex'), Buffer.alloc(31), Buffer.from('00ffff00', 'hex')]))],
    ['extensions longer than the message', withEnd(hello({ extensions: [] }), 0xff, 0xff)],
    ['an extension longer than the rest', withEnd(hello({ extensions: [[0x1234, Buffer.from('abcd', 'hex')]] }), 0xff, 0xff, 0xab, 0xcd)],
    ['a name longer than its list', hello({ extensions: [[0, vector16(Buffer.from([0, 0, 9, 0x61]))]] })],
    ['a key share longer than its list', hello({ extensions: [[51, vector16(numbers(X25519, 32))]] })],
    ['groups longer than their extension', hello({ extensions: [[10, numbers(8, X25519)]] })],
    ['versions longer than their extension', hello({ extensions: [[43, Buffer.from([9, 3, 4])]] })],
  ]
  for (const [what, bytes] of rows) test.equal(readClientHello(bytes), 'malformed', what)
})

void t.test('a hello of 128 KiB is read, with its name', async (test) => {
  test.equal(readClientHello(records(Buffer.from('0101fffc', 'hex'))), 'more', 'up to the last byte')
  test.equal(readClientHello(records(Buffer.from('0101fffd', 'hex'))), 'too-long', 'and a byte more')
  test.equal(readClientHello(records(Buffer.from('01ffffff', 'hex'))), 'too-long', 'and 16 MiB')
  const suites = Array.from({ length: 32_700 }, () => 0x1301)
  const bytes = hello({ suites, serverName: 'a', extensions: [[21, Buffer.alloc(65_000)]] })
  test.ok(bytes.length > 130_000, `${bytes.length} bytes`)
  test.equal(read(bytes).serverName, 'a')
})

void t.test('a hello in ever smaller records costs no more than it has bytes', async (test) => {
  // Once, every record made all before it be copied again: 60 kB in records of one byte took most of a minute.
  const bytes = records(helloMessage({ extensions: [[21, Buffer.alloc(60_000)]] }), 1)
  test.equal(readClientHello(bytes), 'too-long', 'more records than anyone needs')
  const most = records(helloMessage({ serverName: 'a', extensions: [[21, Buffer.alloc(3_900)]] }), 1)
  test.equal(read(most).serverName, 'a', 'nearly 4000 records of one byte')
})

void t.test('random bytes, and hellos with some bytes changed, never throw', async (test) => {
  assert(property(uint8Array({ maxLength: 400 }), survives), { numRuns: 2000 })
  assert(property(uint8Array({ maxLength: 400 }), (bytes) => survives(records(Buffer.concat([Buffer.from([1, 0, 0, Math.min(bytes.length, 255)]), bytes])))), { numRuns: 2000 })
  const real = await recordNode({ servername: 'real.example' })
  const change = property(array(nat(real.length - 1), { minLength: 1, maxLength: 6 }), integer({ min: 0, max: 255 }), (places, value) => {
    const bytes = Buffer.from(real)
    for (const place of places) bytes[place] = value
    return survives(bytes)
  })
  assert(change, { numRuns: 3000 })
  assert(property(constantFrom(...Array.from({ length: 40 }, (_, i) => i + 1)), (size) => survives(records(payload(real), size))), { numRuns: 40 })
  test.pass('none did')
})

void t.test('the label of what was offered is one of six', async (test) => {
  const rows: [number, string][] = [[0x0300, 'ssl3'], [0x0301, 'tls1.0'], [0x0302, 'tls1.1'], [0x0303, 'tls1.2'], [0x0304, 'tls1.3'], [0x0305, 'none'], [0x7f1c, 'none'], [0, 'none'], [0xfefd, 'none']]
  for (const [version, label] of rows) test.equal(offeredVersion({ version, suites: [], groups: [], keyShares: [], signatures: [], serverName: undefined }), label)
  test.equal(offeredVersion(undefined), 'none')
})
