// Reads the few SMB messages that a guard judges ([MS-SMB2] section 2.2). A reader answers `malformed` for everything
// that does not add up; nothing here throws, and nothing reads beyond the frame.
import { SMB_3_1_1 } from './dialects.ts'

/** Bytes of a direct TCP length in front of each message ([MS-SMB2] 2.1). */
export const PREFIX = 4
export const HEADER = 64
export const TRANSFORM_HEADER = 52

/** The four bytes that a message begins with, big-endian. */
export const SMB1_ID = 0xff534d42
export const CLEAR_ID = 0xfe534d42
export const TRANSFORM_ID = 0xfd534d42
export const COMPRESSED_ID = 0xfc534d42

export const NEGOTIATE = 0
export const SESSION_SETUP = 1
export const TREE_CONNECT = 3
export const ECHO = 13
export const OPLOCK_BREAK = 18

export const SUCCESS = 0
export const PENDING = 0x00000103
export const ACCESS_DENIED = 0xc0000022
export const NOT_SUPPORTED = 0xc00000bb

const RESPONSE = 1
const SIGNED = 8
const CAP_ENCRYPTION = 0x40
const ENCRYPTION_CONTEXT = 2

/** A message in clear. The fields are read where they are asked for: most messages need two of them. */
export class ClearMessage {
  /** The message without its length, from the protocol id on; at least 64 bytes. */
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get length(): number {
    return this.bytes.length
  }

  get structureSize(): number {
    return this.bytes.readUInt16LE(4)
  }

  get status(): number {
    return this.bytes.readUInt32LE(8)
  }

  get command(): number {
    return this.bytes.readUInt16LE(12)
  }

  get isResponse(): boolean {
    return (this.bytes.readUInt32LE(16) & RESPONSE) !== 0
  }

  get isSigned(): boolean {
    return (this.bytes.readUInt32LE(16) & SIGNED) !== 0
  }

  get nextCommand(): number {
    return this.bytes.readUInt32LE(20)
  }

  /** All ones marks a message that answers no request. */
  get isUnsolicited(): boolean {
    return this.bytes.readUInt32LE(24) === 0xffffffff && this.bytes.readUInt32LE(28) === 0xffffffff
  }

  get sessionId(): bigint {
    return this.bytes.readBigUInt64LE(40)
  }

  /** The StructureSize of the body; 0 where there is none. */
  get bodySize(): number {
    return this.length >= HEADER + 2 ? this.bytes.readUInt16LE(HEADER) : 0
  }

  /** An error or interim answer that carries no data: a body of 9 bytes, all of them fixed ([MS-SMB2] 2.2.2). */
  get isBareError(): boolean {
    return this.length === HEADER + 9 && this.bodySize === 9
  }

  /** Severity "error" in the two top bits of the status. */
  get isError(): boolean {
    return this.status >= 0xc0000000
  }

  /** The 16 bits at `offset` of the body; undefined where the message is shorter. */
  bodyUInt16(offset: number): number | undefined {
    return this.length >= HEADER + offset + 2 ? this.bytes.readUInt16LE(HEADER + offset) : undefined
  }

  /** The 32 bits at `offset` of the body; undefined where the message is shorter. */
  bodyUInt32(offset: number): number | undefined {
    return this.length >= HEADER + offset + 4 ? this.bytes.readUInt32LE(HEADER + offset) : undefined
  }
}

/** What a client offers. */
export interface NegotiateRequest {
  readonly dialects: readonly number[]
  /** Of the encryption context; undefined where there is none, or where 3.1.1 is not offered. */
  readonly ciphers: readonly number[] | undefined
  readonly canEncrypt: boolean
  /** As Windows writes a GUID. */
  readonly clientGuid: string
}

/** Reads the body of a NEGOTIATE request ([MS-SMB2] 2.2.3). */
export function readNegotiateRequest({ bytes, length }: ClearMessage): NegotiateRequest | 'malformed' {
  if (length < HEADER + 36) return 'malformed'
  const count = bytes.readUInt16LE(HEADER + 2)
  if (count === 0 || HEADER + 36 + count * 2 > length) return 'malformed'
  const dialects = Array.from({ length: count }, (_, i) => bytes.readUInt16LE(HEADER + 36 + i * 2))
  const canEncrypt = (bytes.readUInt32LE(HEADER + 8) & CAP_ENCRYPTION) !== 0
  const clientGuid = guid(bytes.subarray(HEADER + 12, HEADER + 28))
  if (!dialects.includes(SMB_3_1_1)) return { dialects, ciphers: undefined, canEncrypt, clientGuid }
  const ciphers = readCiphers(bytes, bytes.readUInt32LE(HEADER + 28), bytes.readUInt16LE(HEADER + 32))
  return ciphers === 'malformed' ? ciphers : { dialects, ciphers, canEncrypt, clientGuid }
}

/** What a server has chosen. */
export interface NegotiateResponse {
  readonly dialect: number
  /** Of the encryption context; undefined where there is none, or where the dialect is not 3.1.1. */
  readonly ciphers: readonly number[] | undefined
  readonly canEncrypt: boolean
}

/** Reads the body of a NEGOTIATE response ([MS-SMB2] 2.2.4). */
export function readNegotiateResponse({ bytes, length }: ClearMessage): NegotiateResponse | 'malformed' {
  if (length < HEADER + 64) return 'malformed'
  const dialect = bytes.readUInt16LE(HEADER + 4)
  const canEncrypt = (bytes.readUInt32LE(HEADER + 24) & CAP_ENCRYPTION) !== 0
  if (dialect !== SMB_3_1_1) return { dialect, ciphers: undefined, canEncrypt }
  const ciphers = readCiphers(bytes, bytes.readUInt32LE(HEADER + 60), bytes.readUInt16LE(HEADER + 6))
  return ciphers === 'malformed' ? ciphers : { dialect, ciphers, canEncrypt }
}

/** Goes through `count` negotiate contexts from `offset` on. Returns the ciphers of the encryption context, if any. */
function readCiphers(bytes: Buffer, offset: number, count: number): readonly number[] | undefined | 'malformed' {
  const seen = new Set<number>()
  let ciphers: readonly number[] | undefined
  let at = offset
  for (let i = 0; i < count; i++) {
    at = (at + 7) & ~7
    if (at < HEADER || at + 8 > bytes.length) return 'malformed'
    const type = bytes.readUInt16LE(at)
    const end = at + 8 + bytes.readUInt16LE(at + 2)
    if (end > bytes.length || seen.has(type)) return 'malformed'
    seen.add(type)
    if (type === ENCRYPTION_CONTEXT) {
      const listed = cipherList(bytes.subarray(at + 8, end))
      if (listed === 'malformed') return listed
      ciphers = listed
    }
    at = end
  }
  return ciphers
}

function cipherList(data: Buffer): readonly number[] | 'malformed' {
  if (data.length < 2) return 'malformed'
  const count = data.readUInt16LE(0)
  if (2 + count * 2 > data.length) return 'malformed'
  return Array.from({ length: count }, (_, i) => data.readUInt16LE(2 + i * 2))
}

function guid(bytes: Buffer): string {
  const hex = (from: number, to: number): string => bytes.toString('hex', from, to)
  const little = Buffer.from(bytes.subarray(0, 8))
  little.subarray(0, 4).reverse()
  little.subarray(4, 6).reverse()
  little.subarray(6, 8).reverse()
  return [little.toString('hex', 0, 4), little.toString('hex', 4, 6), little.toString('hex', 6, 8), hex(8, 10), hex(10, 16)].join('-')
}

const SMB1_NEGOTIATE = 0x72
const SMB1_HEADER = 32
const SMB1_REPLY = 0x80

/** Returns whether an SMB 1 message is a NEGOTIATE request that offers `SMB 2.???` ([MS-SMB2] 3.3.5.3). */
export function asksForSmb2(message: Buffer): boolean {
  if (message.length < SMB1_HEADER + 3 || message[4] !== SMB1_NEGOTIATE) return false
  if (((message[9] ?? SMB1_REPLY) & SMB1_REPLY) !== 0 || message[SMB1_HEADER] !== 0) return false
  const end = SMB1_HEADER + 3 + message.readUInt16LE(SMB1_HEADER + 1)
  if (end !== message.length || message[end - 1] !== 0) return false
  // Each dialect is a byte 2 and a text that ends with a zero byte.
  const dialects = message.toString('latin1', SMB1_HEADER + 3, end - 1).split('\0')
  return dialects.every((dialect) => dialect.startsWith('\x02')) && dialects.includes('\x02SMB 2.???')
}

const CREDITS = 14
const FLAGS = 16

/**
 * Returns a whole frame that answers `request` with an error and without data ([MS-SMB2] 2.2.2). It is not signed, since
 * the guard has no key.
 */
export function errorAnswer({ bytes }: ClearMessage, status: number): Buffer {
  const answer = Buffer.alloc(PREFIX + HEADER + 9)
  answer.writeUInt32BE(HEADER + 9, 0)
  const header = answer.subarray(PREFIX, PREFIX + HEADER)
  bytes.copy(header, 0, 0, 48)
  header.writeUInt32LE(status, 8)
  header.writeUInt16LE(1, CREDITS)
  header.writeUInt32LE(1, FLAGS)
  header.writeUInt32LE(0, 20)
  answer[PREFIX + HEADER] = 9
  return answer
}
