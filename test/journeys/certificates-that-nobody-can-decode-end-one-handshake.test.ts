// openssl shows certificates whose public keys cannot be decoded, with a sound leaf before them, in TLS 1.2 and 1.3.
// Each ends that handshake with its reason, and the worker goes on (security.md F1).
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import t from 'tap'
import { serveGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce } from '../support/sockets.ts'
import { until } from '../support/until.ts'

const openssl = promisify(execFile)

const realm = await createRealm(t)
const office = await realm.certificate('office', { names: ['office.example'], clientAuth: true })
const gate = await serveGate(t, realm, {
  storage: { blob: 1 },
  workers: 1,
  tls: { clients: { verify: 'optional', ca: realm.caFile } },
})

const EC = Buffer.from('06072a8648ce3d0201', 'hex')
const P256 = Buffer.from('06082a8648ce3d030107', 'hex')

/** The office's certificate with its public key patched, so that nobody can decode it. */
function patched(find: Buffer, change: (der: Buffer, at: number) => void): string {
  const der = Buffer.from(new X509Certificate(office.cert).raw)
  const at = der.indexOf(find)
  if (at < 0) throw new Error('the certificate has another form than was expected')
  change(der, at)
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

const flip =
  (offset: number) =>
  (der: Buffer, at: number): void =>
    void (der[at + offset] = (der[at + offset] ?? 0) ^ 0x55)

const CHAIN: Readonly<Record<string, string>> = {
  'an unknown algorithm': patched(EC, flip(EC.length - 1)),
  'an unknown curve': patched(P256, flip(P256.length - 1)),
  // After the curve: 03 42 00 04, then x and y.
  'a point off the curve': patched(P256, flip(P256.length + 20)),
  'a point in an unknown form': patched(P256, flip(P256.length + 3)),
  'a key without a point': patched(P256, (der, at) => void der.fill(0, at + P256.length + 3, at + P256.length + 68)),
}

let files = 0

async function show(version: string, chain: string): Promise<void> {
  const file = realm.write(`chain-${files++}.pem`, chain)
  // At its usual security level openssl refuses to load such a chain.
  const child = openssl('openssl', [
    's_client',
    '-connect',
    `127.0.0.1:${gate.port}`,
    '-servername',
    storageHost('blob'),
    version,
    '-CAfile',
    realm.caFile,
    '-cert',
    office.certFile,
    '-key',
    office.keyFile,
    '-cert_chain',
    file,
    '-cipher',
    'ECDHE+AESGCM:@SECLEVEL=0',
  ])
  child.child.stdin?.end('GET /c/b HTTP/1.1\r\n\r\n')
  // openssl reports a fault: the handshake fails in TLS 1.2, the connection ends early in 1.3.
  await child.catch(() => undefined)
}

const restarts = (): Promise<number> => gate.metric('tidegate_worker_restarts_total')
const reason = (name: string): Promise<number> => gate.metric('tidegate_refusals_total', { reason: name })

for (const version of ['-tls1_2', '-tls1_3']) {
  for (const [what, chain] of Object.entries(CHAIN)) {
    void t.test(`${what} behind a sound leaf, ${version}`, async (test) => {
      test.throws(() => new X509Certificate(chain).publicKey, 'nobody decodes it')
      const before = await reason('client-cert-untrusted')
      await show(version, chain)
      await until(async () => (await reason('client-cert-untrusted')) > before, 'its refusal')
      test.equal(await reason('client-cert-untrusted'), before + 1)
      test.equal(await reason('unexpected'), 0)
      test.equal(await restarts(), 0, 'the worker goes on')
      test.equal((await askOnce(test, gate, 'GET /c/b')).status, 502, 'and answers')
    })
  }
}

void t.test('eight of them at a time end nothing else', async (test) => {
  await Promise.all(
    Object.values(CHAIN)
      .concat(Object.values(CHAIN).slice(0, 3))
      .map((chain) => show('-tls1_3', chain)),
  )
  test.equal(await restarts(), 0)
  test.equal((await askOnce(test, gate, 'GET /c/b')).status, 502)
})
