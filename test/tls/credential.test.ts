import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t as root, test } from 'tap'
import { CredentialFault, parseCredential, parseTrustBundle } from '../../src/tls/credential.ts'

// An hour on: the certificates below are made after this line.
const now = Date.now() + 3_600_000
const DAY = 86_400_000
const folder = root.testdir()
const missing = spawnSync('openssl', ['version']).status !== 0

const pem = (name: string) => readFileSync(join(folder, name))
const both = (...names: string[]) => Buffer.concat(names.map(pem))

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
}

const KEYS: Record<string, string[]> = {
  'rsa2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'rsa1024': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  'pss': ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'p256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'p384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  'p521': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  'p224': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-224'],
  'k256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  'ed25519': ['-algorithm', 'ED25519'],
}

/** A self-signed certificate NAME.pem with NAME.key. */
function selfSigned(name: string, kind: string, ...more: string[]): void {
  openssl('genpkey', ...(KEYS[kind] ?? []), '-out', `${name}.key`)
  openssl('req', '-x509', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.pem`, ...more)
}

function issue(name: string, issuer: string, ...more: string[]): void {
  openssl('genpkey', ...(KEYS['p256'] ?? []), '-out', `${name}.key`)
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`, '-addext', `subjectAltName=DNS:${name}.example`, ...more)
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-days', '30', '-copy_extensions', 'copyall', '-out', `${name}.pem`)
}

function faultOf(act: () => unknown): { part: string; found: string } {
  try {
    act()
  } catch (error) {
    if (error instanceof CredentialFault) return { part: error.part, found: error.found }
    throw error
  }
  return { part: '', found: 'no fault' }
}

const faultOfText = (cert: string, key: string) => faultOf(() => parseCredential(Buffer.from(cert), Buffer.from(key), now))

const faultOfPair = (cert: string, key: string, at = now) => faultOf(() => parseCredential(pem(cert), pem(key), at))

root.before(() => {
  if (missing) return
  mkdirSync(folder, { recursive: true })
  for (const kind of ['rsa2048', 'p256', 'p384', 'p521', 'rsa1024', 'p224', 'k256', 'ed25519', 'pss']) {
    selfSigned(kind, kind, '-days', '30', '-addext', 'subjectAltName=DNS:Tide.Example,DNS:*.blob.tide.example,IP:127.0.0.1,URI:spiffe://tide,email:a@tide.example')
  }
  selfSigned('sha1', 'p256', '-sha1')
  selfSigned('md5', 'rsa2048', '-md5')
  selfSigned('long', 'p256', '-days', '399', '-addext', 'subjectAltName=DNS:tide.example')
  selfSigned('root', 'p256', '-days', '60')
  selfSigned('oldroot', 'p256', '-days', '60', '-sha1')
  issue('middle', 'root', '-addext', 'basicConstraints=critical,CA:TRUE')
  issue('leaf', 'middle')
  issue('bottom', 'oldroot')
  openssl('pkey', '-in', 'p256.key', '-aes128', '-passout', 'pass:tide', '-out', 'encrypted.key')
  openssl('rsa', '-in', 'rsa2048.key', '-traditional', '-out', 'traditional.key')
  openssl('rsa', '-in', 'rsa2048.key', '-traditional', '-aes128', '-passout', 'pass:tide', '-out', 'traditional-encrypted.key')
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-out', 'parameters.key')
  openssl('req', '-x509', '-new', '-key', 'parameters.key', '-subj', '/CN=parameters', '-out', 'parameters.pem')
})

const options = { skip: missing ? 'the program openssl is missing' : false }

await test('a good pair of every kind', options, async (t) => {
  for (const [kind, keyKind] of [['rsa2048', 'rsa'], ['p256', 'ec'], ['p384', 'ec'], ['p521', 'ec']] as const) {
    const credential = parseCredential(pem(`${kind}.pem`), pem(`${kind}.key`), now)
    t.equal(credential.keyKind, keyKind)
    t.strictSame(credential.names, ['tide.example', '*.blob.tide.example', '127.0.0.1'])
    t.strictSame(credential.warnings, [])
    t.match(credential.fingerprint, /^[0-9a-f]{64}$/)
    t.ok(Math.abs(credential.validUntil - (credential.chain[0]?.validFromDate.getTime() ?? 0) - 30 * DAY) < 2000)
    t.equal(credential.key.type, 'private')
    t.equal(credential.chain.length, 1)
    t.ok(Object.isFrozen(credential) && Object.isFrozen(credential.chain) && Object.isFrozen(credential.names))
  }
})

await test('forms of files that are fine', options, async (t) => {
  t.equal(faultOfPair('rsa2048.pem', 'traditional.key').found, 'no fault')
  t.equal(faultOfPair('parameters.pem', 'parameters.key').found, 'no fault', 'EC parameters before the key')
  const one = parseCredential(both('p256.key', 'p256.pem'), both('p256.pem', 'p256.key'), now)
  t.notMatch(one.pem, /PRIVATE/, 'key and certificate in one file')
  t.equal(one.pem, pem('p256.pem').toString())
})

await test('a chain', options, async (t) => {
  const { chain, pem: text, names } = parseCredential(both('leaf.pem', 'middle.pem', 'root.pem'), pem('leaf.key'), now)
  t.strictSame(chain.map((c) => c.subject), ['CN=leaf', 'CN=middle', 'CN=root'])
  t.strictSame(names, ['leaf.example'])
  t.equal(text.match(/BEGIN CERTIFICATE/g)?.length, 3)
  t.equal(faultOf(() => parseCredential(both('bottom.pem', 'oldroot.pem'), pem('bottom.key'), now)).found, 'no fault', 'the signature of a root does not count')
  t.strictSame(faultOf(() => parseCredential(both('middle.pem', 'leaf.pem'), pem('leaf.key'), now)), { part: 'cert', found: 'the key\'s own certificate at place 2 of the file' })
  t.strictSame(faultOf(() => parseCredential(both('leaf.pem', 'root.pem', 'middle.pem'), pem('leaf.key'), now)),
    { part: 'cert', found: 'certificate 2 of the file, which did not issue the one before it' })
})

await test('every bad kind', options, async (t) => {
  const table: [cert: string, key: string, part: string, found: string | RegExp][] = [
    ['p256.key', 'p256.key', 'cert', 'no certificate in it'],
    ['p256.pem', 'p256.pem', 'key', 'no private key in it'],
    ['p256.pem', 'encrypted.key', 'key', 'an encrypted key'],
    ['rsa2048.pem', 'traditional-encrypted.key', 'key', 'an encrypted key'],
    ['p256.pem', 'p384.key', 'key', 'a key that does not fit the certificate'],
    ['p256.pem', 'rsa2048.key', 'key', 'a key that does not fit the certificate'],
    ['rsa1024.pem', 'rsa1024.key', 'cert', 'an RSA key of 1024 bits'],
    ['p224.pem', 'p224.key', 'cert', 'an EC key on secp224r1'],
    ['k256.pem', 'k256.key', 'cert', 'an EC key on secp256k1'],
    ['ed25519.pem', 'ed25519.key', 'cert', 'a key of the kind ed25519'],
    ['pss.pem', 'pss.key', 'cert', 'a key of the kind rsa-pss'],
    ['sha1.pem', 'sha1.key', 'cert', /^a certificate signed with ecdsa-with-SHA1$/],
    ['md5.pem', 'md5.key', 'cert', /^a certificate signed with md5/i],
  ]
  for (const [cert, key, part, found] of table) t.match(faultOfPair(cert, key), { part, found }, `${cert} ${key}`)
})

await test('files that are no PEM', options, async (t) => {
  const good = pem('p256.pem').toString()
  t.strictSame(faultOfText('', ''), { part: 'cert', found: 'an empty file' })
  t.strictSame(faultOfText('\u0030\u0082', ''), { part: 'cert', found: 'no PEM' })
  t.strictSame(faultOfText('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', ''), { part: 'cert', found: 'certificate 1 of the file cannot be read' })
  t.strictSame(faultOfText(good.slice(0, 200), ''), { part: 'cert', found: 'no certificate in it' })
  t.strictSame(faultOfText(good, ''), { part: 'key', found: 'an empty file' })
  t.strictSame(faultOfText(good, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'), { part: 'key', found: 'a private key that cannot be read' })
})

await test('time', options, async (t) => {
  t.match(faultOfPair('p256.pem', 'p256.key', now + 31 * DAY), { part: 'cert', found: /^a certificate that expired at 20/ })
  t.match(faultOfPair('p256.pem', 'p256.key', now - DAY), { part: 'cert', found: /^a certificate that is not valid before 20/ })
  t.strictSame(parseCredential(pem('long.pem'), pem('long.key'), now).warnings, [{ found: 'a certificate that is valid for 399 days', allowed: '398 days at most' }])
  t.match(parseCredential(pem('root.pem'), pem('root.key'), now).warnings, [{ found: 'a certificate without a DNS name or IP address' }])
})

await test('a trust bundle', options, async (t) => {
  const bundle = parseTrustBundle(both('root.pem', 'rsa2048.pem'))
  t.strictSame(bundle.certificates.map((c) => c.subject), ['CN=root', 'CN=rsa2048'])
  t.match(bundle.digest, /^[0-9a-f]{64}$/)
  t.not(bundle.digest, parseTrustBundle(pem('root.pem')).digest)
  t.equal(bundle.validUntil, bundle.certificates[1]?.validToDate.getTime(), 'the end of the first to end')
  t.strictSame(faultOf(() => parseTrustBundle(Buffer.from('no'))), { part: 'cert', found: 'no PEM' })
  t.strictSame(faultOf(() => parseTrustBundle(pem('p256.key'))), { part: 'cert', found: 'no certificate in it' })
  t.strictSame(faultOf(() => parseTrustBundle(Buffer.concat([pem('root.pem'), Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')]))),
    { part: 'cert', found: 'certificate 2 of the file cannot be read' })
})
