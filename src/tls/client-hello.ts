// Reads what a client offers from its ClientHello, which is in clear (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2).
// OpenSSL judges the hello; this only reports it: for the server name of resumed TLS 1.2 sessions, which Node does not
// tell (security.md 3.2), for the log line of a refused handshake, and for metrics.

import { isV2Framed, readV2Hello } from './v2-hello.ts'

export interface ClientHello {
  /** Highest version offered, e.g. 0x0304; GREASE left out. */
  readonly version: number
  readonly suites: readonly number[]
  readonly groups: readonly number[]
  readonly keyShares: readonly number[]
  /** Signature schemes; empty where the client names none. */
  readonly signatures: readonly number[]
  /** Server name in lower case without a trailing dot; undefined without SNI. */
  readonly serverName: string | undefined
}

/**
 * Why there is no ClientHello. `more`: it is not whole yet. `malformed`: no hello can begin with these bytes.
 * `too-long`: it says that it is longer than 128 KiB, or it comes in more than 4096 records.
 */
type Unread = 'more' | 'malformed' | 'too-long'

export type HelloState = ClientHello | Unread

const RECORD_HEADER = 5
const HANDSHAKE = 22
/** Type and length in front of a handshake message. */
const MESSAGE_HEADER = 4
const CLIENT_HELLO = 1
/** A record's payload at most (RFC 8446 section 5.1), with the allowance of older versions. */
const RECORD_LIMIT = 16384 + 2048
/** Bytes of the message with its header (contract 3.9). The largest hellos seen in the field stay below 20 kB. */
const HELLO_LIMIT = 131_072
/** Records that a hello may come in: enough for one byte in each, and few enough to be looked at with every packet. */
const RECORDS_LIMIT = 4096

const EXTENSION = { serverName: 0, supportedGroups: 10, signatureAlgorithms: 13, supportedVersions: 43, keyShare: 51 } as const

/** Returns the hello in `bytes`, which are all that the client has sent so far, or why there is none. */
export function readClientHello(bytes: Buffer): HelloState {
  if (isV2Framed(bytes)) return readV2Hello(bytes)
  const message = handshakeMessage(bytes)
  if (typeof message === 'string') return message
  try {
    return parseHello(message)
  } catch (error) {
    if (error instanceof RangeError) return 'malformed'
    throw error
  }
}

/** The body of the first handshake message, put together from its records. */
function handshakeMessage(bytes: Buffer): Buffer | Unread {
  const length = messageLength(bytes)
  if (typeof length === 'string') return length
  const pieces: Buffer[] = []
  for (let at = 0, have = 0; have < length; ) {
    const piece = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + bytes.readUInt16BE(at + 3))
    pieces.push(piece)
    have += piece.length
    at += RECORD_HEADER + piece.length
  }
  return joined(pieces).subarray(MESSAGE_HEADER, length)
}

/**
 * How long the first handshake message is with its header, once it is there. Asked with every packet, which may hold one
 * byte, and there may be thousands of records: nothing is copied before the message is whole.
 */
function messageLength(bytes: Buffer): number | Unread {
  let [have, header, length] = [0, 0, Number.POSITIVE_INFINITY]
  for (let at = 0, records = 0; records < RECORDS_LIMIT; records++) {
    const from = at + RECORD_HEADER
    if (bytes.length < from) return 'more'
    const size = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0)
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3 || size === 0 || size > RECORD_LIMIT) return 'malformed'
    const end = Math.min(from + size, bytes.length)
    for (let i = from; i < end && have + i - from < MESSAGE_HEADER; i++) header = (header << 8) | (bytes[i] ?? 0)
    have += end - from
    if (length === Number.POSITIVE_INFINITY && have >= MESSAGE_HEADER) {
      length = (header & 0xffffff) + MESSAGE_HEADER
      if (header >>> 24 !== CLIENT_HELLO) return 'malformed'
      if (length > HELLO_LIMIT) return 'too-long'
    }
    if (have >= length) return length
    if (end < from + size) return 'more'
    at = end
  }
  return 'too-long'
}

function joined(pieces: readonly Buffer[]): Buffer {
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
}

/** A cursor over bytes; reading past the end throws a RangeError. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  number(size: 1 | 2): number {
    const value = size === 1 ? this.#bytes.readUInt8(this.#at) : this.#bytes.readUInt16BE(this.#at)
    this.#at += size
    return value
  }

  /** The next `length` bytes. */
  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError('truncated')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A vector with its length in front. */
  vector(size: 1 | 2): Buffer {
    return this.take(this.number(size))
  }
}

function parseHello(body: Buffer): ClientHello {
  const reader = new Reader(body)
  const legacy = reader.number(2)
  reader.take(32)
  reader.vector(1)
  const suites = numbers(reader.vector(2))
  reader.vector(1)
  const hello = { version: legacy, suites, groups: [] as number[], keyShares: [] as number[], signatures: [] as number[], serverName: undefined as string | undefined }
  if (reader.done) return hello
  const extensions = new Reader(reader.vector(2))
  while (!extensions.done) readExtension(hello, extensions.number(2), extensions.vector(2))
  return hello
}

type Draft = { -readonly [K in keyof ClientHello]: ClientHello[K] }

function readExtension(hello: Draft, type: number, data: Buffer): void {
  switch (type) {
    case EXTENSION.serverName:
      hello.serverName = serverName(new Reader(new Reader(data).vector(2)))
      break
    case EXTENSION.supportedGroups:
      hello.groups = numbers(new Reader(data).vector(2))
      break
    case EXTENSION.signatureAlgorithms:
      hello.signatures = numbers(new Reader(data).vector(2))
      break
    case EXTENSION.supportedVersions:
      hello.version = numbers(new Reader(data).vector(1)).filter((v) => !isGrease(v)).reduce((a, b) => Math.max(a, b), 0)
      break
    case EXTENSION.keyShare:
      hello.keyShares = keyShares(new Reader(new Reader(data).vector(2)))
      break
    default:
  }
}

/** RFC 6066 section 3: the first name of type host_name. */
function serverName(list: Reader): string | undefined {
  while (!list.done) {
    const type = list.number(1)
    const name = list.vector(2)
    if (type === 0) return name.toString('latin1').toLowerCase().replace(/\.$/, '')
  }
  return undefined
}

function keyShares(list: Reader): number[] {
  const groups: number[] = []
  while (!list.done) {
    groups.push(list.number(2))
    list.vector(2)
  }
  return groups
}

function numbers(bytes: Buffer): number[] {
  const out: number[] = []
  for (let i = 0; i + 1 < bytes.length; i += 2) out.push(bytes.readUInt16BE(i))
  return out
}

/** RFC 8701. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

const OFFERED = new Map([[0x0300, 'ssl3'], [0x0301, 'tls1.0'], [0x0302, 'tls1.1'], [0x0303, 'tls1.2'], [0x0304, 'tls1.3']])

/** The label of the highest version offered (contract section 9): `none` for anything that is not a version of TLS. */
export function offeredVersion(hello: ClientHello | undefined): string {
  return (hello === undefined ? undefined : OFFERED.get(hello.version)) ?? 'none'
}
