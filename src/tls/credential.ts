// A certificate chain with its key, and the authorities we trust: read from PEM, checked against the policy.
//
// RSA 2048 or P-256 at least, SHA-256 at least (contract section 3, T5). An RSASSA-PSS signature does not tell its hash
// here: OpenSSL's security level 2 judges it when the context is made.
import { X509Certificate, createHash, createPrivateKey, type KeyObject } from 'node:crypto'
import { alternativeNamesText } from './alternative-names.ts'

export interface Credential {
  /** Leaf first. */
  readonly chain: readonly X509Certificate[]
  /** The chain as PEM, nothing else of the file. */
  readonly pem: string
  readonly key: KeyObject
  /** DNS names in lower case (wildcards too) and IP addresses of the leaf's subject alternative name. */
  readonly names: readonly string[]
  /** When the leaf ends, ms since the epoch. */
  readonly validUntil: number
  readonly keyKind: 'rsa' | 'ec'
  /** SHA-256 of the leaf, lower-case hex. */
  readonly fingerprint: string
  readonly warnings: readonly CredentialWarning[]
}

export interface TrustBundle {
  readonly certificates: readonly X509Certificate[]
  /** The certificates as PEM, nothing else of the file. */
  readonly pem: string
  /** SHA-256 over all of them in their order, lower-case hex. */
  readonly digest: string
  /** Of the one that ends first, ms since the epoch. */
  readonly validUntil: number
}

export interface CredentialWarning {
  readonly found: string
  readonly allowed: string
}

/** What is wrong with a file, in words that hold nothing of a key. */
export class CredentialFault extends Error {
  readonly found: string
  readonly allowed: string
  /** Which of the two files it is about. */
  readonly part: 'cert' | 'key'

  constructor(part: 'cert' | 'key', found: string, allowed: string) {
    super(found)
    this.name = 'CredentialFault'
    this.part = part
    this.found = found
    this.allowed = allowed
  }
}

const DAY = 86_400_000
const MAXIMUM_DAYS = 398

const STRENGTH = 'RSA of 2048 bits or more, or EC on P-256, P-384 or P-521'
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1']
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----[^]*?-----END \1-----/

/**
 * Given a PEM file with the leaf and its intermediates, a PEM file with the key, and the time in ms since the epoch,
 * returns the credential, or throws a CredentialFault for the first thing that is wrong.
 */
export function parseCredential(certPem: Buffer, keyPem: Buffer, now: number): Credential {
  const chain = parseCertificates(certPem)
  const [leaf] = chain
  const key = parseKey(keyPem)
  checkFit(chain, key)
  checkOrder(chain)
  for (const certificate of chain) checkKey(certificate)
  // Nobody looks at the signature of a root that rides along: it is trusted for its place, not for that.
  for (const certificate of chain.filter((c, index) => index === 0 || !isRoot(c))) checkSignature(certificate)
  checkTime(leaf, now)
  return Object.freeze({
    chain: Object.freeze(chain),
    pem: chain.map(String).join(''),
    key,
    names: Object.freeze(alternativeNames(leaf)),
    validUntil: leaf.validToDate.getTime(),
    keyKind: key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec',
    fingerprint: createHash('sha256').update(leaf.raw).digest('hex'),
    warnings: Object.freeze(weigh(chain, now)),
  })
}

/** Given a PEM file with the certificates of authorities, returns them, or throws a CredentialFault. */
export function parseTrustBundle(pem: Buffer): TrustBundle {
  const certificates = parseCertificates(pem)
  const digest = createHash('sha256')
  for (const certificate of certificates) digest.update(certificate.raw)
  return Object.freeze({
    certificates: Object.freeze(certificates),
    pem: certificates.map(String).join(''),
    digest: digest.digest('hex'),
    validUntil: Math.min(...certificates.map((c) => c.validToDate.getTime())),
  })
}

function parseCertificates(pem: Buffer): [X509Certificate, ...X509Certificate[]] {
  const text = pem.toString('latin1')
  if (!text.includes('-----BEGIN ')) throw new CredentialFault('cert', pem.length === 0 ? 'an empty file' : 'no PEM', 'certificates in PEM')
  const [first, ...rest] = text.match(CERTIFICATE) ?? []
  if (first === undefined) throw new CredentialFault('cert', 'no certificate in it', 'certificates in PEM')
  return [parseCertificate(first, 0), ...rest.map((block, index) => parseCertificate(block, index + 1))]
}

function parseCertificate(block: string, index: number): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch {
    throw new CredentialFault('cert', `certificate ${index + 1} of the file cannot be read`, 'certificates in PEM')
  }
}

function parseKey(pem: Buffer): KeyObject {
  const [block, label] = PRIVATE_KEY.exec(pem.toString('latin1')) ?? []
  if (block === undefined) throw new CredentialFault('key', pem.length === 0 ? 'an empty file' : 'no private key in it', 'a private key in PEM')
  if (label === 'ENCRYPTED PRIVATE KEY' || block.includes('Proc-Type: 4,ENCRYPTED')) throw new CredentialFault('key', 'an encrypted key', 'a private key in PEM without a password')
  try {
    return createPrivateKey(block)
  } catch {
    // OpenSSL's own words could hold parts of the file.
    throw new CredentialFault('key', 'a private key that cannot be read', 'a private key in PEM')
  }
}

function checkFit(chain: readonly X509Certificate[], key: KeyObject): void {
  const fits = chain.findIndex((certificate) => certificate.checkPrivateKey(key))
  if (fits > 0) throw new CredentialFault('cert', `the key's own certificate at place ${fits + 1} of the file`, 'the leaf first, then each one\'s issuer')
  if (fits < 0) throw new CredentialFault('key', 'a key that does not fit the certificate', 'the private key of the first certificate in the file')
}

function checkOrder(chain: readonly X509Certificate[]): void {
  const stray = chain.findIndex((issuer, index) => {
    const issued = chain[index - 1]
    return issued !== undefined && !(issued.checkIssued(issuer) && issued.verify(issuer.publicKey))
  })
  if (stray > 0) throw new CredentialFault('cert', `certificate ${stray + 1} of the file, which did not issue the one before it`, 'the leaf first, then each one\'s issuer')
}

function checkKey(certificate: X509Certificate): void {
  const found = weakKey(certificate)
  if (found !== undefined) throw new CredentialFault('cert', found, STRENGTH)
}

function checkSignature(certificate: X509Certificate): void {
  const found = weakSignature(certificate)
  if (found !== undefined) throw new CredentialFault('cert', found, 'SHA-256 or better')
}

/** What is wrong with the strength of a certificate's key; undefined where it is strong enough. */
export const weakKey = (certificate: X509Certificate): string | undefined => weakPublicKey(certificate.publicKey)

/** Returns what is wrong with the strength of a public key; undefined where it is strong enough. */
export function weakPublicKey({ asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve } = {} }: KeyObject): string | undefined {
  if (type === 'rsa') return modulusLength < 2048 ? `an RSA key of ${modulusLength} bits` : undefined
  if (type === 'ec') return CURVES.includes(namedCurve) ? undefined : `an EC key on ${namedCurve ?? 'a curve without a name'}`
  return `a key of the kind ${type ?? 'unknown'}`
}

/** What is wrong with the hash of its signature; undefined where it is SHA-256 or better. */
export function weakSignature(certificate: X509Certificate): string | undefined {
  const signature = certificate.signatureAlgorithm ?? ''
  return /md[245]|sha-?1(?!\d)/i.test(signature) ? `a certificate signed with ${signature}` : undefined
}

const isRoot = (certificate: X509Certificate): boolean => certificate.ca && certificate.subject === certificate.issuer

function checkTime(leaf: X509Certificate, now: number): void {
  if (now > leaf.validToDate.getTime()) throw new CredentialFault('cert', `a certificate that expired at ${leaf.validToDate.toISOString()}`, 'one that is valid now')
  if (now < leaf.validFromDate.getTime()) throw new CredentialFault('cert', `a certificate that is not valid before ${leaf.validFromDate.toISOString()}`, 'one that is valid now')
}

function weigh(chain: readonly [X509Certificate, ...X509Certificate[]], now: number): CredentialWarning[] {
  const [leaf, ...issuers] = chain
  const days = Math.round((leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / DAY)
  const spent = issuers.findIndex((issuer) => now > issuer.validToDate.getTime())
  return [
    ...(days > MAXIMUM_DAYS ? [{ found: `a certificate that is valid for ${days} days`, allowed: `${MAXIMUM_DAYS} days at most` }] : []),
    ...(spent < 0 ? [] : [{ found: `certificate ${spent + 2} of the file has expired`, allowed: 'a chain that is valid now' }]),
    ...(alternativeNames(leaf).length > 0 ? [] : [{ found: 'a certificate without a DNS name or IP address', allowed: 'a subject alternative name' }]),
  ]
}

// Node writes odd values as JSON strings (CVE-2021-44532); a host name or an address is never odd, so those are left out.
function alternativeNames(leaf: X509Certificate): string[] {
  return alternativeNamesText(leaf).split(', ')
    .map((entry) => /^(?:DNS|IP Address):([^"]+)$/.exec(entry)?.[1]?.toLowerCase())
    .filter((name) => name !== undefined)
}
