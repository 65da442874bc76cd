// Queue messages: the text as one region in a JSON envelope, bare or in base64 (spec/client-side-encryption.md 6, 7.10).
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { refuseCode } from '../refusal.ts'
import { readEnvelope, writeEnvelope, type Envelope, type WrittenEnvelope } from './envelope.ts'
import { NONCE_LENGTH, TAG_LENGTH } from './regions.ts'

const CIPHER = 'aes-256-gcm'
/** A message that the service stores is at most this long, in bytes of text. */
export const MESSAGE_LIMIT = 65_536
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** A message text that is an envelope. */
export interface FoundMessage {
  readonly members: Readonly<Record<string, unknown>>
  /** The JSON stood in base64: such a reader takes its text so too. */
  readonly base64: boolean
}

/** Finds an envelope in a message's text; undefined for an ordinary text. */
export function findMessage(text: string): FoundMessage | undefined {
  const bare = membersIn(text)
  if (bare !== undefined) return { members: bare, base64: false }
  const inner = text !== '' && BASE64.test(text) ? membersIn(Buffer.from(text, 'base64').toString('utf8')) : undefined
  return inner === undefined ? undefined : { members: inner, base64: true }
}

/** Reads the envelope of a found message. Refuses as `parseEnvelope` does. */
export function messageEnvelope({ members }: FoundMessage, maxRegion: number): Envelope {
  return readEnvelope(members['EncryptionData'], maxRegion)
}

/** Returns the text of a found message. Refuses with `CseBadMetadata` and `CseTampered`. */
export function openMessage({ members }: FoundMessage, contentKey: Buffer): string {
  const contents = members['EncryptedMessageContents']
  if (typeof contents !== 'string' || !BASE64.test(contents)) refuseCode('CseBadMetadata', { why: 'message contents' })
  const bytes = Buffer.from(contents, 'base64')
  if (bytes.length < NONCE_LENGTH + TAG_LENGTH) refuseCode('CseTampered', { why: 'length' })
  try {
    const decipher = createDecipheriv(CIPHER, contentKey, bytes.subarray(0, NONCE_LENGTH), { authTagLength: TAG_LENGTH })
    decipher.setAuthTag(bytes.subarray(-TAG_LENGTH))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_LENGTH, -TAG_LENGTH)), decipher.final()]).toString('utf8')
  } catch {
    return refuseCode('CseTampered', { why: 'tag' })
  }
}

/** Returns the stored text of a message. `nonce` is 12 random bytes. */
export function sealMessage(text: string, contentKey: Buffer, envelope: WrittenEnvelope, nonce: Buffer): string {
  const cipher = createCipheriv(CIPHER, contentKey, nonce, { authTagLength: TAG_LENGTH })
  const contents = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
  return `{"EncryptedMessageContents": "${contents}", "EncryptionData": ${writeEnvelope(envelope, false)}}`
}

function membersIn(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!/^\s*\{/.test(text)) return undefined
  try {
    const value = JSON.parse(text) as Readonly<Record<string, unknown>>
    return Object.hasOwn(value, 'EncryptedMessageContents') || Object.hasOwn(value, 'EncryptionData') ? value : undefined
  } catch {
    return undefined
  }
}
