// Client certificates that must not pass, each with one thing wrong with it: made with the library directly, since no
// sound authority makes them.

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs this polyfill to be there before it
import 'reflect-metadata'
import { AsnConvert } from '@peculiar/asn1-schema'
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from '@peculiar/asn1-x509'
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, Extension, KeyUsageFlags, KeyUsagesExtension,
  SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension, X509Certificate, X509CertificateGenerator, type JsonGeneralName,
} from '@peculiar/x509'
import { KeyObject, randomBytes, type webcrypto } from 'node:crypto'

const HOUR = 3_600_000
const EC = { name: 'ECDSA', namedCurve: 'P-256' }
const rsa = (modulusLength: number) => ({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength, publicExponent: new Uint8Array([1, 0, 1]) })

/** Who signs: a name and a key, with its certificate where there is one. */
export interface Hand {
  readonly certificate: X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
  /** PEM of the certificate. */
  readonly pem: string
  /** PEM, PKCS#8. */
  readonly key: string
}

export interface OddWish {
  readonly name: string
  /** Signs itself unless there is one. */
  readonly by?: Hand
  readonly key?: 'ec' | 'rsa1024' | 'rsa2048'
  /** Of the signature. */
  readonly hash?: 'SHA-1' | 'SHA-256'
  /** An authority, with so many under it; `true` for as many as one likes. */
  readonly authority?: number | true
  /** DNS names that an authority may issue for. */
  readonly permitted?: string
  readonly alternative?: readonly JsonGeneralName[]
  /** Without key identifiers: its issuer can only be looked for by name. */
  readonly bare?: boolean
  /** `client` unless given. */
  readonly purpose?: 'client' | 'server'
  readonly notBefore?: Date
  readonly notAfter?: Date
}

/** Makes a certificate as it is wished, sound or not, good for a day. */
export async function odd(wish: OddWish): Promise<Hand> {
  const { name, by, key = 'ec', hash = 'SHA-256' } = wish
  const keys = await crypto.subtle.generateKey(key === 'ec' ? EC : rsa(key === 'rsa1024' ? 1024 : 2048), true, ['sign', 'verify'])
  const signing = by?.keys.privateKey ?? keys.privateKey
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [name] }],
    issuer: by?.certificate.subjectName.toJSON() ?? [{ CN: [name] }],
    notBefore: wish.notBefore ?? new Date(Date.now() - HOUR),
    notAfter: wish.notAfter ?? new Date(Date.now() + 24 * HOUR),
    serialNumber: `40${randomBytes(15).toString('hex')}`,
    publicKey: keys.publicKey,
    signingKey: signing,
    signingAlgorithm: { name: signing.algorithm.name, hash },
    extensions: await extensionsOf(wish, keys.publicKey),
  })
  return { certificate, keys, pem: `${certificate.toString('pem')}\n`, key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }) }
}

async function extensionsOf({ authority, permitted, alternative = [{ type: 'dns', value: 'office-1.example' }], by, bare = false, purpose = 'client' }: OddWish, own: CryptoKey): Promise<Extension[]> {
  const ids = bare ? [] : [await SubjectKeyIdentifierExtension.create(own), await AuthorityKeyIdentifierExtension.create(by?.keys.publicKey ?? own)]
  if (authority === undefined) {
    return [new BasicConstraintsExtension(false, undefined, true), new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true), new ExtendedKeyUsageExtension([purpose === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth]), new SubjectAlternativeNameExtension([...alternative]), ...ids]
  }
  return [
    new BasicConstraintsExtension(true, authority === true ? undefined : authority, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ...(permitted === undefined ? [] : [nameConstraints(permitted)]), ...(by === undefined ? ids.slice(0, 1) : ids),
  ]
}

/** RFC 5280 section 4.2.1.10. */
function nameConstraints(permitted: string): Extension {
  const subtree = new GeneralSubtree({ base: new GeneralName({ dNSName: permitted }) })
  return new Extension('2.5.29.30', true, AsnConvert.serialize(new NameConstraints({ permittedSubtrees: new GeneralSubtrees([subtree]) })))
}
