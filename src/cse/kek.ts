// Key encryption keys from JWK files: AES key wrap and RSA-OAEP (spec/client-side-encryption.md 3, 7.2).
import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, createSecretKey, constants, publicEncrypt, webcrypto, type KeyObject } from 'node:crypto'
import { refuseCode } from '../refusal.ts'

/** A wrapped content key. */
export interface Wrapped {
  readonly bytes: Buffer
  readonly algorithm: string
}

/** One key encryption key. */
export interface Kek {
  readonly kid: string
  readonly kind: 'oct' | 'rsa' | 'vault'
  wrap(bytes: Buffer): Promise<Wrapped>
  /** Refuses with `CseUnwrapFailed`, and a key in a vault with `CseKeyUnavailable`. */
  unwrap(bytes: Buffer, algorithm: string): Promise<Buffer>
}

const WRAP = 'id-aes256-wrap'
const INITIAL_VALUE = Buffer.alloc(8, 0xa6)
const OCT_LENGTH = 32
const SMALLEST_MODULUS = 2048
/** Hash of OAEP, in its label and in MGF1, by the name of the algorithm. */
const OAEP: ReadonlyMap<string, string> = new Map([['RSA-OAEP', 'SHA-1'], ['RSA-OAEP-256', 'SHA-256']])

/** An AES-256 key: RFC 3394. */
export class OctKek implements Kek {
  readonly kind = 'oct'
  readonly kid: string
  readonly #key: KeyObject

  constructor(kid: string, key: KeyObject) {
    this.kid = kid
    this.#key = key
  }

  async wrap(bytes: Buffer): Promise<Wrapped> {
    const cipher = createCipheriv(WRAP, this.#key, INITIAL_VALUE)
    return { bytes: Buffer.concat([cipher.update(bytes), cipher.final()]), algorithm: 'A256KW' }
  }

  async unwrap(bytes: Buffer, algorithm: string): Promise<Buffer> {
    if (algorithm !== 'A256KW') refuseCode('CseUnwrapFailed', { kid: this.kid })
    try {
      const decipher = createDecipheriv(WRAP, this.#key, INITIAL_VALUE)
      return Buffer.concat([decipher.update(bytes), decipher.final()])
    } catch {
      return refuseCode('CseUnwrapFailed', { kid: this.kid })
    }
  }
}

/** An RSA key with its private part. It opens in the thread pool: a private operation takes a millisecond and more. */
export class RsaKek implements Kek {
  readonly kind = 'rsa'
  readonly kid: string
  readonly #public: KeyObject
  readonly #private: KeyObject
  readonly #imported = new Map<string, Promise<webcrypto.CryptoKey>>()

  constructor(kid: string, key: KeyObject) {
    this.kid = kid
    this.#private = key
    this.#public = createPublicKey(key)
  }

  async wrap(bytes: Buffer): Promise<Wrapped> {
    return wrapWithPublic(this.#public, bytes)
  }

  async unwrap(bytes: Buffer, algorithm: string): Promise<Buffer> {
    const hash = OAEP.get(algorithm)
    if (hash === undefined) refuseCode('CseUnwrapFailed', { kid: this.kid })
    try {
      return Buffer.from(await webcrypto.subtle.decrypt({ name: 'RSA-OAEP' }, await this.#keyFor(hash), new Uint8Array(bytes)))
    } catch {
      return refuseCode('CseUnwrapFailed', { kid: this.kid })
    }
  }

  #keyFor(hash: string): Promise<webcrypto.CryptoKey> {
    let imported = this.#imported.get(hash)
    if (imported === undefined) {
      imported = webcrypto.subtle.importKey('pkcs8', this.#private.export({ type: 'pkcs8', format: 'der' }), { name: 'RSA-OAEP', hash }, false, ['decrypt'])
      this.#imported.set(hash, imported)
    }
    return imported
  }
}

/** Wraps with the public part of an RSA key, which needs no vault. */
export function wrapWithPublic(key: KeyObject, bytes: Buffer): Wrapped {
  return { bytes: publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, bytes), algorithm: 'RSA-OAEP-256' }
}

export const KEK_ALLOWED = 'a JWK, or a JWK set that holds the kid: an oct key of 32 bytes, or an RSA key of 2048 bits or more with its private part'

/** Parses a key file: a JWK or a JWK set in which `kid` chooses. Returns the key, or what is wrong in words that hold nothing of it. */
export function parseKekFile(bytes: Buffer, kid: string): Kek | string {
  let file: unknown
  try {
    file = JSON.parse(bytes.toString('utf8'))
  } catch {
    return 'something that is not JSON'
  }
  const jwk = chooseKey(file, kid)
  if (typeof jwk === 'string') return jwk
  if (jwk['kty'] === 'oct') return octKek(jwk, kid)
  return jwk['kty'] === 'RSA' ? rsaKek(jwk, kid) : 'a key of another type'
}

type Jwk = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Jwk {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function chooseKey(file: unknown, kid: string): Jwk | string {
  if (!isObject(file)) return 'something that is not a JWK'
  const { keys } = file
  if (!Array.isArray(keys)) return file['kid'] === undefined || file['kid'] === kid ? file : 'a key of another kid'
  const found: unknown = keys.find((key: unknown) => isObject(key) && key['kid'] === kid)
  return isObject(found) ? found : 'a set without that kid'
}

function octKek({ k }: Jwk, kid: string): Kek | string {
  const key = typeof k === 'string' && /^[A-Za-z0-9_-]+$/.test(k) ? Buffer.from(k, 'base64url') : undefined
  if (key?.length !== OCT_LENGTH) return 'an oct key of another length'
  return new OctKek(kid, createSecretKey(key))
}

function rsaKek(jwk: Jwk, kid: string): Kek | string {
  if (typeof jwk['d'] !== 'string') return 'an RSA key without its private part'
  try {
    const key = createPrivateKey({ key: jwk, format: 'jwk' })
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) < SMALLEST_MODULUS ? 'too short an RSA key' : new RsaKek(kid, key)
  } catch {
    return 'an RSA key that cannot be read'
  }
}
