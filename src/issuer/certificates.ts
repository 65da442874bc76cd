// Makes certificates by @peculiar/x509. Their properties are those of network.md section 3.

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs this polyfill to be there before it
import 'reflect-metadata'
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, webcrypto, X509Certificate, type KeyObject } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, Extension, KeyUsageFlags,
  KeyUsagesExtension, Pkcs10CertificateRequest, PublicKey, SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension,
  X509CertificateGenerator, type JsonGeneralName,
} from '@peculiar/x509'
import { weakPublicKey } from '../tls/credential.ts'
import { nameConstraints } from './constraints.ts'
import { OfficeFault } from './fault.ts'
import { urisOf, type Holder } from './names.ts'
import type { KeyChoice } from './record.ts'

/** Clocks differ between the authority and the gateways: a certificate is valid from a little before its issue. */
const SKEW_MS = 300_000
const NAME_CONSTRAINTS = '2.5.29.30'

/** A certificate of the authority with the key that signs. */
export interface Signer {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

export interface Validity {
  /** ms since the epoch. */
  readonly now: number
  readonly until: number
}

export interface Made {
  readonly certificate: X509Certificate
  readonly pem: string
}

/** Returns a new private key. */
export function makeKey(choice: KeyChoice | 'rsa3072'): KeyObject {
  if (choice === 'p256') return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  return generateKeyPairSync('rsa', { modulusLength: choice === 'rsa3072' ? 3072 : 2048 }).privateKey
}

/** Returns a root: self-signed, for certificates and lists only, with path length 0. */
export function makeRoot(name: string, key: KeyObject, validity: Validity): Promise<Made> {
  return makeAuthority(name, key, validity, [])
}

/** Returns the connect root: it signs servers of these DNS names and of names below them, and nothing else. */
export function makeConnectRoot(name: string, key: KeyObject, validity: Validity, names: readonly string[]): Promise<Made> {
  return makeAuthority(name, key, validity, [
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new Extension(NAME_CONSTRAINTS, true, nameConstraints(names)),
  ])
}

/** Returns a client certificate for a public key, signed by `signer`. It is for clientAuth only. */
export function makeClient(holder: Holder, dns: readonly string[], key: KeyObject, validity: Validity, signer: Signer): Promise<Made> {
  const names: JsonGeneralName[] = [
    ...urisOf(holder).map((value) => ({ type: 'url', value }) as const),
    ...dns.map((value) => ({ type: 'dns', value }) as const),
  ]
  return makeLeaf({ name: holder.user ?? holder.office, names, usage: ExtendedKeyUsage.clientAuth, key, validity, signer })
}

/** Returns a server certificate for `connect`, signed by the connect root. */
export function makeServer(office: string, dns: readonly string[], key: KeyObject, validity: Validity, signer: Signer): Promise<Made> {
  const names = dns.map((value) => ({ type: 'dns', value }) as const)
  return makeLeaf({ name: `${office} connect`, names, usage: ExtendedKeyUsage.serverAuth, key, validity, signer })
}

interface Leaf {
  readonly name: string
  readonly names: JsonGeneralName[]
  readonly usage: ExtendedKeyUsage
  readonly key: KeyObject
  readonly validity: Validity
  readonly signer: Signer
}

async function makeLeaf({ name, names, usage, key, validity, signer }: Leaf): Promise<Made> {
  const subject = publicPart(key)
  return sign(validity, subject, [{ CN: [name] }], signer, await subjectOf(signer.certificate), [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usage]),
    new SubjectAlternativeNameExtension(names),
    await SubjectKeyIdentifierExtension.create(subject),
    await AuthorityKeyIdentifierExtension.create(publicPart(signer.key)),
  ])
}

async function makeAuthority(name: string, key: KeyObject, validity: Validity, more: readonly Extension[]): Promise<Made> {
  const subject = publicPart(key)
  return sign(validity, subject, [{ CN: [name] }], { key }, [{ CN: [name] }], [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(subject),
    await AuthorityKeyIdentifierExtension.create(subject),
    ...more,
  ])
}

type NameJson = { CN: string[] }[]

async function sign(
  { now, until }: Validity, publicKey: PublicKey, subject: NameJson, signer: Pick<Signer, 'key'>, issuer: string | NameJson, extensions: Extension[],
): Promise<Made> {
  const { signingKey, signingAlgorithm } = await importSigner(signer.key)
  const made = await X509CertificateGenerator.create({
    subject, issuer, publicKey, signingKey, signingAlgorithm, extensions,
    serialNumber: serialNumber(), notBefore: new Date(now - SKEW_MS), notAfter: new Date(until),
  })
  const certificate = new X509Certificate(Buffer.from(made.rawData))
  return { certificate, pem: certificate.toString() }
}

/** The name as the library writes it, so that issuer and subject have the same bytes. */
async function subjectOf(certificate: X509Certificate): Promise<string> {
  const { X509Certificate: Parsed } = await import('@peculiar/x509')
  return new Parsed(certificate.raw).subject
}

/** Returns a key as WebCrypto takes it, with the algorithm that the library signs by: always SHA-256. */
export async function importSigner(key: KeyObject): Promise<{ signingKey: webcrypto.CryptoKey; signingAlgorithm: { name: string; hash: string } }> {
  const rsa = key.asymmetricKeyType === 'rsa'
  const signingAlgorithm = { name: rsa ? 'RSASSA-PKCS1-v1_5' : 'ECDSA', hash: 'SHA-256' }
  const curve = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'P-384' : 'P-256'
  const how = rsa ? signingAlgorithm : { name: 'ECDSA', namedCurve: curve }
  const signingKey = await webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), how, false, ['sign'])
  return { signingKey, signingAlgorithm }
}

const spki = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })

/** Returns the public half of a key for the library. */
export const publicPart = (key: KeyObject): PublicKey => new PublicKey(spki(key))

/**
 * Returns a new serial number: 128 random bits (RFC 5280 section 4.1.2.2). The first octet is never zero, so that every
 * program writes the number with the same digits.
 */
function serialNumber(): string {
  const bytes = randomBytes(16)
  if ((bytes[0] ?? 0) < 0x10) bytes[0] = 0x10 | randomBytes(1).readUInt8(0)
  return bytes.toString('hex')
}

/** Returns SHA-1 and SHA-256 of a certificate, upper-case hexadecimal as Azure's portal shows them. */
export function thumbprints({ raw }: X509Certificate): { sha1: string; sha256: string } {
  const digest = (name: string): string => createHash(name).update(raw).digest('hex').toUpperCase()
  return { sha1: digest('sha1'), sha256: digest('sha256') }
}

/**
 * Returns the public key of a certificate signing request, PEM or DER. Throws an OfficeFault for a request that cannot be read,
 * whose signature does not prove that its sender has the key, or whose key is weaker than the TLS policy allows.
 */
export async function readRequest(bytes: Buffer): Promise<KeyObject> {
  const request = parseRequest(bytes)
  const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' })
  const weak = weakPublicKey(key)
  if (weak !== undefined) throw new OfficeFault(`the request has ${weak}: RSA of 2048 bits or more, or EC on P-256, P-384 or P-521 is needed`)
  if (!await request.verify().catch(() => false)) throw new OfficeFault('the request is not signed by its own key')
  return key
}

function parseRequest(bytes: Buffer): Pkcs10CertificateRequest {
  try {
    const text = bytes.toString('latin1')
    const block = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]+)-----END/.exec(text)?.[1]
    return new Pkcs10CertificateRequest(block === undefined ? bytes : Buffer.from(block, 'base64'))
  } catch {
    throw new OfficeFault('the file holds no certificate signing request that can be read')
  }
}
