// Which certificate a server name gets, seen in real handshakes: exact, wildcard, default, both key kinds side by side.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type ConnectionOptions, type TLSSocket, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { arrivalOf, recordArrival } from '../../src/door/arrival.ts'
import { CertStore } from '../../src/tls/cert-store.ts'
import { parseCredential, type Credential } from '../../src/tls/credential.ts'
import { serverOptions } from '../../src/tls/policy.ts'
import { createAuthority, type KeyKind } from '../support/authority.ts'
import { within } from '../support/until.ts'
import { eachHello } from './hello.ts'

const authority = await createAuthority({ name: 'store' })

async function credential(key: KeyKind, ...names: string[]): Promise<Credential> {
  const issued = await authority.issue({ names, key })
  return parseCredential(Buffer.from(issued.cert), Buffer.from(issued.key), Date.now())
}

const a = await credential('ec', 'a.example')
const aRsa = await credential('rsa2048', 'a.example')
const b = await credential('ec384', 'b.example', 'also.example')
const wild = await credential('ec', '*.wild.example', 'wild.example')
const exact = await credential('rsa2048', 'exact.wild.example')
const nameless = await credential('ec')

type Ask = (options: ConnectionOptions) => Promise<string>

/** A server with the store behind it. Returns the fingerprint of what a client is shown, or the code of the fault. */
async function listen(test: Test, store: CertStore): Promise<Ask> {
  const byName: TlsOptions = store.needsServerName ? {
    SNICallback(this: TLSSocket, name, done) {
      done(null, store.contextFor(name, arrivalOf(this)?.offer))
    },
  } : {}
  const server = createServer({ ...serverOptions('intermediate'), ...store.fallbackOptions, ...byName })
  eachHello(server, (socket, hello) => (recordArrival(socket, 'tls', 0).offer = hello))
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return async (options) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.pem, checkServerIdentity: () => undefined, ...options })
    try {
      await within(once(socket, 'secureConnect'), 'a handshake')
      return socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error)
    } finally {
      socket.destroy()
    }
  }
}

/** For clients that know one kind of key only. */
const RSA_ONLY: ConnectionOptions = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }
const EC_ONLY: ConnectionOptions = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }

void t.test('exact before wildcard before default, in any case, with a trailing dot', async (test) => {
  const ask = await listen(test, new CertStore('intermediate', [a, b, wild, exact]))
  const rows: [servername: string, shown: Credential][] = [
    ['a.example', a], ['A.Example', a], ['a.example.', a], ['b.example', b], ['also.example', b], ['exact.wild.example', exact], ['one.wild.example', wild], ['WILD.example', wild],
    ['two.one.wild.example', a], ['.wild.example', a], ['nobody.example', a], ['example', a], ['xb.example', a],
  ]
  for (const [servername, { fingerprint }] of rows) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) test.equal(await ask({ servername, maxVersion }), fingerprint, `${servername} ${maxVersion}`)
  }
  test.equal(await ask({}), a.fingerprint, 'without SNI')
})

void t.test('both key kinds of one name are offered side by side, whichever comes first', async (test) => {
  for (const credentials of [[b, a, aRsa], [b, aRsa, a], [a, aRsa], [aRsa, a], [a, aRsa, b], [aRsa, b, a]]) {
    const ask = await listen(test, new CertStore('intermediate', credentials))
    // In TLS 1.3 the kind follows from the signature schemes, in 1.2 from the suites and groups as well.
    test.equal(await ask({ servername: 'a.example', sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256' }), aRsa.fingerprint)
    test.equal(await ask({ servername: 'a.example', sigalgs: 'ecdsa_secp256r1_sha256' }), a.fingerprint)
    test.equal(await ask({ servername: 'a.example', maxVersion: 'TLSv1.2', ecdhCurve: 'X25519' }), aRsa.fingerprint)
    test.equal(await ask({ servername: 'a.example', ...RSA_ONLY }), aRsa.fingerprint)
    test.equal(await ask({ servername: 'a.example', ...EC_ONLY }), a.fingerprint)
    test.equal(await ask({ servername: 'a.example' }), a.fingerprint, 'EC costs us less')
  }
})

void t.test('the default is offered in both kinds too', async (test) => {
  const ask = await listen(test, new CertStore('intermediate', [aRsa, b, a]))
  test.equal(await ask(RSA_ONLY), aRsa.fingerprint)
  test.equal(await ask(EC_ONLY), a.fingerprint)
  test.equal(await ask({ servername: 'b.example' }), b.fingerprint)
  test.match(await ask({ servername: 'b.example', ...RSA_ONLY }), /ALERT_HANDSHAKE_FAILURE/, 'no other name\'s certificate')
})

void t.test('a handshake asks for a name only where it makes a difference', async (test) => {
  const rows: [credentials: Credential[], needs: boolean][] = [[[a], false], [[a, aRsa], false], [[b], false], [[a, b], true], [[wild, exact], true], [[nameless, a], true], [[a, nameless], false]]
  for (const [credentials, needs] of rows) test.equal(new CertStore('intermediate', credentials).needsServerName, needs, credentials.map(({ names }) => names.join()).join(' | '))
  const ask = await listen(test, new CertStore('intermediate', [nameless, a]))
  test.equal(await ask({ servername: 'a.example' }), a.fingerprint)
  test.equal(await ask({ servername: 'b.example' }), nameless.fingerprint)
})

void t.test('publishing: all or nothing', async (test) => {
  const store = new CertStore('intermediate', [a, b])
  const ask = await listen(test, store)
  test.equal(await ask({ servername: 'b.example' }), b.fingerprint)
  test.throws(() => store.publish([]), 'nothing to show')
  const broken = { ...wild, key: a.key }
  test.throws(() => store.publish([a, exact, broken]), 'a key that does not fit')
  test.equal(await ask({ servername: 'b.example' }), b.fingerprint, 'the old ones serve on')
  test.equal(await ask({ servername: 'one.wild.example' }), a.fingerprint)
  store.publish([a, wild])
  test.equal(await ask({ servername: 'one.wild.example' }), wild.fingerprint)
  test.equal(await ask({ servername: 'b.example' }), a.fingerprint)
})
