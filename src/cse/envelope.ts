// The metadata value `encryptiondata`: how a content key is wrapped and how the content is cut into regions
// (spec/client-side-encryption.md 2, 3).
import { refuseCode } from '../refusal.ts'

/** Metadata item that holds the envelope, and the one that holds the length record; readers ignore the case. */
export const ENVELOPE_ITEM = 'encryptiondata'
export const RECORD_ITEM = 'tidegatecse'

export interface Envelope {
  readonly keyId: string
  readonly wrappedKey: Buffer
  readonly algorithm: string
  readonly protocol: '2.0' | '2.1'
  /** Plaintext bytes of a whole region. */
  readonly regionLength: number
}

/** What a writer puts into an envelope. */
export interface WrittenEnvelope {
  readonly keyId: string
  readonly wrappedKey: Buffer
  readonly algorithm: string
}

/** Plaintext bytes of a region that the gateway writes; protocol 2.0 has no other. */
export const REGION_LENGTH = 4_194_304
const SMALLEST_REGION = 16
const NONCE_LENGTH = 12
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

type Section = Readonly<Record<string, unknown>>

/**
 * Parses an envelope from the text of its metadata item, or of a message. `maxRegion` is the largest region length in
 * bytes that is read. Refuses with `CseBadMetadata` and `CseUnsupportedProtocol`, in the order of 7.11.
 */
export function parseEnvelope(json: string, maxRegion: number): Envelope {
  return readEnvelope(parsed(json), maxRegion)
}

/** Reads an envelope that JSON.parse gave already. Refuses as `parseEnvelope` does. */
export function readEnvelope(value: unknown, maxRegion: number): Envelope {
  const whole = section(value)
  const agent = section(whole['EncryptionAgent'])
  const protocol = readProtocol(text(agent['Protocol']), text(agent['EncryptionAlgorithm']))
  const regionLength = readRegionLength(section(whole['EncryptedRegionInfo']), maxRegion)
  const wrapped = section(whole['WrappedContentKey'])
  return { keyId: text(wrapped['KeyId']), wrappedKey: decoded(text(wrapped['EncryptedKey'])), algorithm: text(wrapped['Algorithm']), protocol, regionLength }
}

/** Returns the value as Python writes it: one line of ASCII, its members in the same order. `blob` is false in messages. */
export function writeEnvelope({ keyId, wrappedKey, algorithm }: WrittenEnvelope, blob = true): string {
  const members = [
    `"WrappedContentKey": {"KeyId": ${ascii(keyId)}, "EncryptedKey": "${wrappedKey.toString('base64')}", "Algorithm": ${ascii(algorithm)}}`,
    '"EncryptionAgent": {"Protocol": "2.0", "EncryptionAlgorithm": "AES_GCM_256"}',
    `"EncryptedRegionInfo": {"DataLength": ${REGION_LENGTH}, "NonceLength": ${NONCE_LENGTH}}`,
    '"KeyWrappingMetadata": {"EncryptionLibrary": "Tidegate"}',
    ...(blob ? ['"EncryptionMode": "FullBlob"'] : []),
  ]
  return `{${members.join(', ')}}`
}

/** Returns the envelope's own text with another wrapped key: every other member stays as its writer wrote it. */
export function rewrapEnvelope(envelope: string, { keyId, wrappedKey, algorithm }: WrittenEnvelope): string {
  const whole = section(parsed(envelope))
  const wrapped = { ...section(whole['WrappedContentKey']), KeyId: keyId, EncryptedKey: wrappedKey.toString('base64'), Algorithm: algorithm }
  return escapeNonAscii(JSON.stringify({ ...whole, WrappedContentKey: wrapped }))
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return refuseCode('CseBadMetadata', { why: 'no JSON' })
  }
}

function section(value: unknown): Section {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuseCode('CseBadMetadata', { why: 'a missing section' })
  return value as Section
}

function text(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : refuseCode('CseBadMetadata', { why: 'a missing text' })
}

function readProtocol(protocol: string, algorithm: string): Envelope['protocol'] {
  if ((protocol !== '2.0' && protocol !== '2.1') || algorithm !== 'AES_GCM_256') refuseCode('CseUnsupportedProtocol')
  return protocol
}

function readRegionLength({ DataLength: length, NonceLength: nonce }: Section, maxRegion: number): number {
  if (nonce !== NONCE_LENGTH) refuseCode('CseBadMetadata', { why: 'nonce length' })
  if (typeof length !== 'number' || !Number.isInteger(length) || length < SMALLEST_REGION || length > maxRegion) refuseCode('CseBadMetadata', { why: 'region length' })
  return length
}

function decoded(base64: string): Buffer {
  if (!BASE64.test(base64)) refuseCode('CseBadMetadata', { why: 'base64' })
  return Buffer.from(base64, 'base64')
}

/** A header takes ASCII only, which JSON.stringify does not promise. */
function ascii(value: string): string {
  return escapeNonAscii(JSON.stringify(value))
}

function escapeNonAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
