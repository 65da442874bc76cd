// The length record: the plaintext's length, and its MD5 where the client gave one, sealed under a key of its own. It
// reveals what the format cannot: regions that were cut from the end (spec/client-side-encryption.md 7.4).
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { refuseCode } from '../refusal.ts'

export interface LengthRecord {
  /** Plaintext bytes. */
  readonly length: number
  /** MD5 of the plaintext as the client gave it, base64. */
  readonly md5: string | undefined
}

const LABEL = 'tidegate-cse-aux-v1'
const CIPHER = 'aes-256-gcm'
const NONCE_LENGTH = 12
const TAG_LENGTH = 16
const FORM = /^1\.([A-Za-z0-9_-]+)$/

/** Returns the metadata value. `nonce` is 12 random bytes. */
export function sealRecord(contentKey: Buffer, { length, md5 }: LengthRecord, nonce: Buffer): string {
  const cipher = createCipheriv(CIPHER, keyOf(contentKey), nonce, { authTagLength: TAG_LENGTH }).setAAD(Buffer.from(LABEL))
  const text = JSON.stringify({ v: 1, len: length, ...(md5 === undefined ? {} : { md5 }) })
  return `1.${Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')}`
}

/** Opens a metadata value. Refuses with `CseTampered` where it is not what this content key sealed. */
export function openRecord(contentKey: Buffer, value: string): LengthRecord {
  const bytes = Buffer.from(FORM.exec(value)?.[1] ?? '', 'base64url')
  if (bytes.length <= NONCE_LENGTH + TAG_LENGTH) return invalid()
  const decipher = createDecipheriv(CIPHER, keyOf(contentKey), bytes.subarray(0, NONCE_LENGTH), { authTagLength: TAG_LENGTH })
  decipher.setAAD(Buffer.from(LABEL)).setAuthTag(bytes.subarray(-TAG_LENGTH))
  try {
    return readRecord(Buffer.concat([decipher.update(bytes.subarray(NONCE_LENGTH, -TAG_LENGTH)), decipher.final()]).toString('utf8'))
  } catch {
    return invalid()
  }
}

function readRecord(text: string): LengthRecord {
  const { v, len, md5 } = JSON.parse(text) as { v?: unknown; len?: unknown; md5?: unknown }
  if (v !== 1 || typeof len !== 'number' || !Number.isSafeInteger(len) || len < 0) throw new Error('not a record')
  return { length: len, md5: typeof md5 === 'string' ? md5 : undefined }
}

function invalid(): never {
  return refuseCode('CseTampered', { why: 'length record' })
}

/** The derived key, exported for the vectors. */
export function keyOf(contentKey: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', contentKey, Buffer.alloc(0), LABEL, 32))
}
