// Private keys of the authority on disk: PKCS#8, encrypted with PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256 and AES-256-CBC.
//
// Node's own `export({ cipher, passphrase })` uses 2048 rounds of PBKDF2, which a graphics card tries a million times a second;
// contract 10.6 asks for 600,000.
import { createCipheriv, createPrivateKey, pbkdf2Sync, randomBytes, type KeyObject } from 'node:crypto'
import { der, integer, oid, TAG } from './der.ts'
import { OfficeFault } from './fault.ts'

const ROUNDS = 600_000
const OID = { pbes2: '2a864886f70d01050d', pbkdf2: '2a864886f70d01050c', hmacSha256: '2a864886f70d0209', aes256cbc: '60864801650304012a' } as const

/** Returns a private key as PEM: encrypted with the passphrase, or in clear where there is none. */
export function sealKey(key: KeyObject, passphrase: Buffer | undefined): string {
  const plain = key.export({ type: 'pkcs8', format: 'der' })
  return passphrase === undefined ? pem('PRIVATE KEY', plain) : pem('ENCRYPTED PRIVATE KEY', encrypt(plain, passphrase))
}

/** Tells from a PEM text whether its key is encrypted. */
export const isSealed = (text: string): boolean => text.includes('ENCRYPTED PRIVATE KEY')

/** Returns the key in a PEM text. Throws an OfficeFault, which names `file`, for a wrong passphrase and an unreadable key. */
export function openKey(text: string, passphrase: Buffer | undefined, file: string): KeyObject {
  const sealed = isSealed(text)
  if (sealed && passphrase === undefined) throw new OfficeFault(`${file} is encrypted: a passphrase is needed`)
  try {
    return createPrivateKey(sealed && passphrase !== undefined ? { key: text, passphrase } : text)
  } catch {
    // OpenSSL's own words could hold parts of the file.
    throw new OfficeFault(sealed ? `the passphrase does not open ${file}` : `${file} holds no private key that can be read`)
  }
}

function encrypt(plain: Buffer, passphrase: Buffer): Buffer {
  const salt = randomBytes(16)
  const iv = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(passphrase, salt, ROUNDS, 32, 'sha256'), iv)
  const derivation = der(TAG.sequence, oid(OID.pbkdf2), der(TAG.sequence, der(TAG.octets, salt), integer(ROUNDS),
    der(TAG.sequence, oid(OID.hmacSha256), der(TAG.null))))
  const scheme = der(TAG.sequence, oid(OID.aes256cbc), der(TAG.octets, iv))
  const algorithm = der(TAG.sequence, oid(OID.pbes2), der(TAG.sequence, derivation, scheme))
  return der(TAG.sequence, algorithm, der(TAG.octets, cipher.update(plain), cipher.final()))
}

/** Returns DER as PEM (RFC 7468) with this label. */
export function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
