// The policy table against Node's own ciphers, and against handshakes with node:tls and openssl s_client.
import { spawn } from 'node:child_process'
import { constants } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, getCiphers, type ConnectionOptions, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { readClientHello, type ClientHello } from '../../src/tls/client-hello.ts'
import { CIPHER_SUITES, NAMED_GROUPS, clientOptions, groupFor, serverOptions, sharesGroup, sharesSuite, suiteName } from '../../src/tls/policy.ts'
import { createAuthority } from '../support/authority.ts'
import { within } from '../support/until.ts'
import { eachHello, opensslMissing, recordNode } from './hello.ts'

const authority = await createAuthority({ name: 'policy' })
const ec = await authority.issue({ names: ['gate.example'] })
const rsa = await authority.issue({ names: ['gate.example'], key: 'rsa2048' })
const both = { cert: [ec.cert, rsa.cert], key: [ec.key, rsa.key] }

interface Listening {
  readonly port: number
  /** The hello of the latest connection. */
  readonly latest: { hello: ClientHello | undefined }
}

/** A server under the policy that notes each hello, as the front door does. */
async function listen(test: Test, options: TlsOptions): Promise<Listening> {
  const latest: Listening['latest'] = { hello: undefined }
  const server: Server = createServer(options, (socket) => {
    socket.on('error', () => undefined)
    socket.end('x')
  })
  server.on('tlsClientError', () => undefined)
  eachHello(server, (_, hello) => (latest.hello = hello))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, latest }
}

/** The connected socket, or the code of the fault. */
async function shake(test: Test, port: number, options: ConnectionOptions): Promise<TLSSocket | string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'gate.example', ca: authority.pem, ...options })
  test.teardown(() => socket.destroy())
  try {
    await within(once(socket, 'secureConnect'), 'a handshake')
    return socket
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

void t.test('every suite is one that Node has, and obeys the rules above the table', async (test) => {
  const known = new Set(getCiphers())
  for (const { id, iana, openssl, version } of CIPHER_SUITES) {
    test.ok(known.has(openssl.toLowerCase()), openssl)
    test.match(iana, version === 'TLSv1.3' ? /^TLS_(?:AES_\d+_GCM|CHACHA20_POLY1305)_SHA\d+$/ : /^TLS_ECDHE_(?:ECDSA|RSA)_WITH_(?:AES_\d+_GCM|CHACHA20_POLY1305)_SHA\d+$/)
    test.equal(id >> 8 === 0x13, version === 'TLSv1.3')
    test.equal(suiteName(openssl), iana)
  }
  test.equal(new Set(CIPHER_SUITES.map(({ id }) => id)).size, 9)
  test.equal(suiteName('AES128-SHA'), 'other')
  test.strictSame(NAMED_GROUPS.map(({ iana }) => iana), ['X25519MLKEM768', 'x25519', 'secp256r1', 'secp384r1'])
})

void t.test('each suite is served, under its two names and its number', async (test) => {
  const { port } = await listen(test, { ...serverOptions('intermediate'), ...both })
  for (const { id, iana, openssl, version } of CIPHER_SUITES) {
    const options: ConnectionOptions = { ciphers: openssl, minVersion: version, maxVersion: version }
    const socket = await shake(test, port, options)
    test.match(typeof socket === 'string' ? socket : socket.getCipher(), { name: openssl, standardName: iana, version })
    const hello = readClientHello(await recordNode(options))
    test.equal(typeof hello === 'string' ? hello : hello.suites.find((suite) => suite !== 0x00ff), id)
  }
})

void t.test('no other suite of Node is served', async (test) => {
  const { port } = await listen(test, { ...serverOptions('intermediate'), ...both })
  const ours = new Set(CIPHER_SUITES.map(({ openssl }) => openssl.toLowerCase()))
  const others = getCiphers().filter((name) => !ours.has(name) && !name.startsWith('tls_'))
  test.ok(others.length > 20)
  for (const name of others) {
    const what = await shake(test, port, { ciphers: `${name.toUpperCase()}:@SECLEVEL=0`, maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' }).catch((error: NodeJS.ErrnoException) => error.code)
    test.match(what, /^ERR_SSL_/, name)
  }
  for (const name of ['tls_aes_128_ccm_sha256', 'tls_aes_128_ccm_8_sha256']) {
    test.match(await shake(test, port, { ciphers: name.toUpperCase(), minVersion: 'TLSv1.3' }).catch((error: NodeJS.ErrnoException) => error.code), /^ERR_/, name)
  }
})

void t.test('options of both sides', async (test) => {
  const ours = CIPHER_SUITES.map(({ openssl }) => openssl).join(':')
  for (const options of [serverOptions('intermediate'), serverOptions('modern'), clientOptions()]) {
    test.equal(options.ciphers, `${ours}:@SECLEVEL=2`, 'the level stands last')
    test.equal(options.ecdhCurve, 'X25519MLKEM768:X25519:P-256:P-384')
    test.equal(options.maxVersion, 'TLSv1.3')
    test.notMatch(options.sigalgs, /sha1|md5|dsa_sha(?!256|384|512)/i)
    for (const bit of [constants.SSL_OP_NO_RENEGOTIATION, constants.SSL_OP_NO_COMPRESSION]) test.equal(options.secureOptions & bit, bit)
    test.strictSame(options.ALPNProtocols, ['http/1.1'])
  }
  test.equal(serverOptions('intermediate').minVersion, 'TLSv1.2')
  test.equal(serverOptions('modern').minVersion, 'TLSv1.3')
  test.match(clientOptions(), { minVersion: 'TLSv1.2', rejectUnauthorized: true })
  test.ok(serverOptions('intermediate').honorCipherOrder)
  test.ok(serverOptions('intermediate').sessionTimeout <= 24 * 3600)
})

void t.test('modern refuses TLS 1.2 and serves 1.3', async (test) => {
  const { port } = await listen(test, { ...serverOptions('modern'), ...both })
  test.match(await shake(test, port, { maxVersion: 'TLSv1.2' }), /ALERT_PROTOCOL_VERSION/)
  const socket = await shake(test, port, {})
  test.equal(typeof socket === 'string' ? socket : socket.getProtocol(), 'TLSv1.3')
})

/** What `openssl s_client` says the group was; undefined when there was no handshake. */
async function saidBy(port: number, args: readonly string[]): Promise<string | undefined> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await within(once(child, 'close'), 'the end of openssl')
  const text = Buffer.concat(chunks).toString()
  const said = /Negotiated TLS1\.3 group: (\S+)/.exec(text)?.[1] ?? /(?:Server|Peer) Temp Key: (?:ECDH, )?([\w-]+)/.exec(text)?.[1]
  return said === '<NULL>' ? undefined : said
}

const IANA = new Map([['prime256v1', 'secp256r1'], ['X25519', 'x25519'], ...NAMED_GROUPS.map(({ iana }): [string, string] => [iana, iana])])

void t.test('the group that openssl says is the one that we work out', { skip: opensslMissing }, async (test) => {
  // RSA alone: in TLS 1.2 an EC certificate needs its own curve among the client's groups.
  const { port, latest } = await listen(test, { ...serverOptions('intermediate'), cert: rsa.cert, key: rsa.key })
  const rows: [version: string, groups: string, expected: string][] = [
    ['1.3', 'X25519MLKEM768', 'X25519MLKEM768'],
    ['1.3', 'X25519MLKEM768:X25519', 'X25519MLKEM768'],
    ['1.3', 'X25519', 'x25519'],
    ['1.3', 'P-256', 'secp256r1'],
    ['1.3', 'P-384', 'secp384r1'],
    // A key share that is there goes before a group that we like better.
    ['1.3', 'X25519:X25519MLKEM768', 'x25519'],
    ['1.3', 'P-384:X25519MLKEM768:X25519:P-256', 'secp384r1'],
    // Among several key shares our order rules, not the client's.
    ['1.3', '*P-384:*P-256', 'secp256r1'],
    ['1.3', '*P-384:*X25519', 'x25519'],
    ['1.3', '*X25519:*X25519MLKEM768', 'X25519MLKEM768'],
    ['1.3', '*P-256:*X25519MLKEM768', 'X25519MLKEM768'],
    // HelloRetryRequest: no key share of ours, so our first group that was offered.
    ['1.3', 'P-521:P-384', 'secp384r1'],
    ['1.3', 'P-521:P-384:P-256', 'secp256r1'],
    ['1.3', 'P-521:P-256:X25519MLKEM768', 'X25519MLKEM768'],
    ['1.3', '*P-521:*ffdhe2048:P-384:X25519', 'x25519'],
    ['1.3', 'ffdhe2048:P-384', 'secp384r1'],
    ['1.3', 'P-521', 'other'],
    ['1.3', 'ffdhe2048:P-521', 'other'],
    // TLS 1.2 knows no key shares and no X25519MLKEM768.
    ['1.2', 'P-256', 'secp256r1'],
    ['1.2', 'X25519', 'x25519'],
    ['1.2', 'P-384', 'secp384r1'],
    ['1.2', 'P-384:P-256', 'secp256r1'],
    ['1.2', 'P-384:P-256:X25519', 'x25519'],
    ['1.2', 'P-521:P-384', 'secp384r1'],
    ['1.2', 'X25519MLKEM768:P-384', 'secp384r1'],
    ['1.2', 'P-521', 'other'],
  ]
  for (const [version, groups, expected] of rows) {
    const said = await saidBy(port, [`-tls${version.replace('.', '_')}`, '-groups', groups])
    test.equal(said === undefined ? 'other' : IANA.get(said) ?? said, expected, `openssl: ${version} ${groups}`)
    const { hello } = latest
    test.ok(hello)
    if (hello !== undefined) test.equal(groupFor(hello, `TLSv${version}`), expected, `ours: ${version} ${groups}`)
  }
})

void t.test('what is shared with a hello', async (test) => {
  test.strictSame([[0x001d], [0x0017], [0x0018], [0x0019, 0x001d]].map(sharesGroup), [true, true, true, true])
  test.strictSame([[], [0x0019], [0x0100], [0x0a0a], [0x0016]].map(sharesGroup), [false, false, false, false, false])
  test.notOk(sharesGroup([0x11ec]), 'X25519MLKEM768 is none in TLS 1.2')
  for (const { id } of CIPHER_SUITES) test.ok(sharesSuite([0x0035, id]))
  test.notOk(sharesSuite([0x0035, 0xc013, 0x1304, 0x00ff]))
})
