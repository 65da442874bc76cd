// Makes a certificate that vouches for itself (RFC 5280), on P-256: for connections of the process to itself, never for others.
import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface SelfSigned {
  /** The certificate, PEM. */
  readonly cert: string
  /** Its private key, PKCS #8 PEM. */
  readonly key: string
}

const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, time: 0x18, sequence: 0x30, set: 0x31, dnsName: 0x82, version: 0xa0, extensions: 0xa3 } as const
/** Contents of object identifiers (X.690 section 8.19). */
const OID = { commonName: '550403', alternativeName: '551d11', basicConstraints: '551d13', ecdsaWithSha256: '2a8648ce3d040302' } as const

/**
 * Given the DNS names that the certificate is for and the time in ms since the epoch, returns a new key and a certificate for it
 * that is valid for a day around that time.
 */
export function selfSigned(names: readonly string[], now: number): SelfSigned {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const algorithm = der(TAG.sequence, oid('ecdsaWithSha256'))
  const body = toBeSigned(names, now, algorithm, createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
  const whole = der(TAG.sequence, body, algorithm, der(TAG.bits, Buffer.of(0), sign('sha256', body, privateKey)))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return { cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'), key }
}

const HALF_A_DAY = 43_200_000

/** RFC 5280 section 4.1.2. */
function toBeSigned(names: readonly string[], now: number, algorithm: Buffer, publicKey: Buffer): Buffer {
  const itself = der(TAG.sequence, der(TAG.set, der(TAG.sequence, oid('commonName'), der(TAG.utf8, Buffer.from('tidegate')))))
  const validity = der(TAG.sequence, time(now - HALF_A_DAY), time(now + HALF_A_DAY))
  const extensions = der(TAG.sequence,
    extension('basicConstraints', der(TAG.sequence, der(TAG.boolean, Buffer.of(0xff)))),
    extension('alternativeName', der(TAG.sequence, ...names.map((name) => der(TAG.dnsName, Buffer.from(name))))))
  return der(TAG.sequence, der(TAG.version, der(TAG.integer, Buffer.of(2))), der(TAG.integer, serialNumber()), algorithm, itself, validity, itself, publicKey, der(TAG.extensions, extensions))
}

/** Positive, and without a first octet that says nothing. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

/** Ten digits of date and six of time: GeneralizedTime holds after 2049 too. */
function time(at: number): Buffer {
  return der(TAG.time, Buffer.from(`${new Date(at).toISOString().replaceAll(/[-T:]|\..*/g, '')}Z`))
}

function extension(name: keyof typeof OID, value: Buffer): Buffer {
  return der(TAG.sequence, oid(name), der(TAG.octets, value))
}

function oid(name: keyof typeof OID): Buffer {
  return der(TAG.oid, Buffer.from(OID[name], 'hex'))
}

/** One element (X.690 section 8.1): tag, length, contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}
