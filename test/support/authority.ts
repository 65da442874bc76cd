// A certificate authority in a few lines, for tests and for the development certificates of `npm start`.

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs this polyfill to be there before it
import 'reflect-metadata'
import { KeyObject, randomBytes, type webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, KeyUsageFlags,
  KeyUsagesExtension, SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension, X509Certificate, X509CertificateGenerator, X509CrlGenerator, type Extension, type JsonGeneralName,
} from '@peculiar/x509'

const DAY = 86_400_000
// Clocks differ by a little between machines and containers.
const SKEW = 3_600_000

const rsa = (modulusLength: number) => ({
  name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength, publicExponent: new Uint8Array([1, 0, 1]),
})

const KEYS = {
  ec: { name: 'ECDSA', namedCurve: 'P-256' },
  ec384: { name: 'ECDSA', namedCurve: 'P-384' },
  rsa2048: rsa(2048),
  rsa1024: rsa(1024),
} as const

export type KeyKind = keyof typeof KEYS

export interface Wish {
  /** DNS names (wildcards too) and IP addresses; the first one is also the common name. */
  readonly names: readonly string[]
  /** A URI beside the names, such as a SPIFFE identity. */
  readonly uri?: string
  readonly key?: KeyKind
  /** From now, in days; 90 unless given. `notBefore` and `notAfter` overrule it. */
  readonly days?: number
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Extended key usages: `serverAuth` unless a certificate for `clientAuth` is wished. With both false there are none. */
  readonly clientAuth?: boolean
  readonly serverAuth?: boolean
}

export interface Issued {
  /** PEM: the leaf, then the intermediates, without the root. */
  readonly cert: string
  /** PEM, PKCS#8. */
  readonly key: string
}

export interface Authority {
  /** PEM of its own certificate: what a verifier trusts, when it is a root. */
  readonly pem: string
  /** PEM, PKCS#8, of its own private key. */
  readonly key: string
  issue(wish: Wish): Promise<Issued>
  /** A revocation list in PEM that names these certificates (PEM, leaf first); good for a week, or until `nextUpdate`. */
  revoke(certificates: readonly string[], nextUpdate?: Date): Promise<string>
  /** An authority under this one, with a key of the same kind and the same end; what it issues carries its certificate. */
  intermediate(name: string): Promise<Authority>
}

interface Signer {
  readonly certificate: X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
  readonly kind: KeyKind
  /** PEM of the certificates between a leaf and the root. */
  readonly chain: readonly string[]
}

/** Given a common name, a kind of key (EC unless given) and days of validity (365), returns a new root; nothing is kept on disk. */
export async function createAuthority({ name, key = 'ec', days = 365 }: { name: string; key?: 'ec' | 'rsa'; days?: number }): Promise<Authority> {
  const kind = key === 'rsa' ? 'rsa2048' : 'ec'
  const keys = await generate(kind)
  const certificate = await X509CertificateGenerator.create({
    ...named(name), issuer: commonName(name), ...during({ days }), serialNumber: serial(), publicKey: keys.publicKey, signingKey: keys.privateKey,
    signingAlgorithm: SIGNING,
    extensions: await authorityExtensions(keys.publicKey, keys.publicKey),
  })
  return authority({ certificate, keys, kind, chain: [] })
}

function authority(signer: Signer): Authority {
  return {
    pem: pem(signer.certificate),
    key: keyPem(signer.keys),
    issue: (wish) => issue(wish, signer),
    revoke: (certificates, nextUpdate) => revoke(certificates, nextUpdate ?? new Date(Date.now() + 7 * DAY), signer),
    intermediate: (name) => intermediate(name, signer),
  }
}

async function revoke(certificates: readonly string[], nextUpdate: Date, { certificate, keys }: Signer): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: certificate.subject,
    thisUpdate: new Date(Math.min(Date.now(), nextUpdate.getTime()) - SKEW),
    nextUpdate,
    entries: certificates.map((text) => ({ serialNumber: new X509Certificate(text).serialNumber, revocationDate: new Date(Date.now() - SKEW) })),
    signingAlgorithm: SIGNING,
    signingKey: keys.privateKey,
    extensions: [await AuthorityKeyIdentifierExtension.create(certificate.publicKey)],
  })
  // The library writes a label that OpenSSL does not know.
  return `${list.toString('pem').replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL')}\n`
}

async function issue(wish: Wish, signer: Signer): Promise<Issued> {
  const keys = await generate(wish.key ?? 'ec')
  const leaf = await sign({
    ...named(wish.names[0] ?? wish.uri ?? 'nameless'), ...during(wish), publicKey: keys.publicKey,
    extensions: await leafExtensions(wish, keys.publicKey, signer),
  }, signer)
  return { cert: [pem(leaf), ...signer.chain].join(''), key: keyPem(keys) }
}

async function intermediate(name: string, signer: Signer): Promise<Authority> {
  const keys = await generate(signer.kind)
  const certificate = await sign({
    ...named(name), notBefore: signer.certificate.notBefore, notAfter: signer.certificate.notAfter, publicKey: keys.publicKey,
    extensions: await authorityExtensions(keys.publicKey, signer.keys.publicKey),
  }, signer)
  return authority({ certificate, keys, kind: signer.kind, chain: [pem(certificate), ...signer.chain] })
}

interface ToBeSigned {
  readonly subject: { CN: string[] }[]
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: CryptoKey
  readonly extensions: Extension[]
}

// The hash is named here, since the key of an EC signer does not tell one. X509CertificateGenerator takes the rest from the signing key.
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' }

function sign(tbs: ToBeSigned, signer: Signer): Promise<X509Certificate> {
  return X509CertificateGenerator.create({
    ...tbs, issuer: signer.certificate.subjectName.toJSON(), serialNumber: serial(), signingKey: signer.keys.privateKey, signingAlgorithm: SIGNING,
  })
}

async function authorityExtensions(publicKey: CryptoKey, issuerKey: CryptoKey): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await AuthorityKeyIdentifierExtension.create(issuerKey),
  ]
}

async function leafExtensions(wish: Wish, publicKey: CryptoKey, signer: Signer): Promise<Extension[]> {
  const purposes = usages(wish)
  return [
    new BasicConstraintsExtension(false, undefined, true),
    leafKeyUsage(wish),
    ...(purposes.length > 0 ? [new ExtendedKeyUsageExtension(purposes)] : []),
    new SubjectAlternativeNameExtension(alternativeNames(wish)),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
  ]
}

function leafKeyUsage({ key = 'ec' }: Wish): Extension {
  return key.startsWith('rsa')
    ? new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true)
    : new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)
}

function usages({ clientAuth = false, serverAuth = !clientAuth }: Wish): ExtendedKeyUsage[] {
  return [...(serverAuth ? [ExtendedKeyUsage.serverAuth] : []), ...(clientAuth ? [ExtendedKeyUsage.clientAuth] : [])]
}

function alternativeNames({ names, uri }: Wish): JsonGeneralName[] {
  const known = names.map((value): JsonGeneralName => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))
  return uri === undefined ? known : [...known, { type: 'url', value: uri }]
}

function during({ days = 90, notBefore, notAfter }: Pick<Wish, 'days' | 'notBefore' | 'notAfter'>): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  return { notBefore: notBefore ?? new Date(now - SKEW), notAfter: notAfter ?? new Date(now + days * DAY) }
}

const commonName = (name: string): { CN: string[] }[] => [{ CN: [name.slice(0, 64)] }]

const named = (name: string) => ({ subject: commonName(name) })

// 128 random bits, the first two set to 01: positive, and always of one length (RFC 5280 4.1.2.2).
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

async function generate(kind: KeyKind): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(KEYS[kind], true, ['sign', 'verify'])
}

const pem = (certificate: X509Certificate): string => `${certificate.toString('pem')}\n`

const keyPem = (keys: webcrypto.CryptoKeyPair): string => KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })
