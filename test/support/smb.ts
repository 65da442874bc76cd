// SMB for tests: the recorded connections and single frames of docs/spec, and frames made to order.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CIPHERS, type Rules } from '../../src/smb/dialects.ts'

export interface RecordedFrame {
  readonly n: number
  readonly dir: 'c' | 's'
  readonly label: string
  readonly bytes: Buffer
}

export interface Handshake {
  readonly name: string
  readonly strict: 'accept' | 'refuse'
  readonly strictRefusedFrame: number | null
  readonly withMultiProtocolAllowed?: string
  readonly withClearTreeConnectAllowed?: string
  readonly frames: readonly RecordedFrame[]
}

export interface Synthetic {
  readonly name: string
  readonly dir: 'c' | 's'
  readonly when: string
  readonly strict: 'accept' | 'refuse'
  readonly why: string
  readonly bytes: Buffer
}

const FILE = join(import.meta.dirname, '../vectors/smb-fixtures/handshakes.json')
const read = JSON.parse(readFileSync(FILE, 'utf8')) as { handshakes: unknown[]; synthetic: unknown[] }

const withBytes = (it: unknown): object => ({ ...(it as object), bytes: Buffer.from((it as { hex: string }).hex, 'hex') })

export const HANDSHAKES: readonly Handshake[] = read.handshakes.map((it) =>
  ({ ...(it as Handshake), frames: (it as { frames: unknown[] }).frames.map((frame) => withBytes(frame) as RecordedFrame) }))
export const SYNTHETIC: readonly Synthetic[] = read.synthetic.map((it) => withBytes(it) as Synthetic)

/** Returns a recorded connection by its name. */
export function recorded(name: string): Handshake {
  const found = HANDSHAKES.find((it) => it.name === name)
  if (found === undefined) throw new Error(`no recording ${name}`)
  return found
}

/** Returns a frame of a recording. */
export function frameOf(name: string, n: number): Buffer {
  const found = recorded(name).frames[n]
  if (found === undefined) throw new Error(`no frame ${n} in ${name}`)
  return found.bytes
}

/** Returns the recorded frames that must have passed before a synthetic one, as its `when` says. */
export function framesBefore({ when }: Pick<Synthetic, 'when'>): readonly RecordedFrame[] {
  const name = /of ((?:smbclient|impacket|libsmb2)-\S+?)(?:,|$)/.exec(when)?.[1] ?? 'smbclient-311-encrypted'
  const { frames } = recorded(name)
  if (when === 'first frame') return []
  if (when.startsWith('after the recorded request') || when.includes('before the answer')) return frames.slice(0, 1)
  if (when.startsWith('after NEGOTIATE') || when.startsWith('after frame 1 ')) return frames.slice(0, 2)
  if (when.startsWith('in place of frame 5')) return frames.slice(0, 5)
  if (when.startsWith('after SESSION_SETUP')) return frames.slice(0, 6)
  throw new Error(`unknown place: ${when}`)
}

export const STRICT: Rules = { minDialect: 0x0300, ciphers: new Set(CIPHERS.values()), smb1Upgrade: false, clearTreeConnect: false }

/** Returns a message with its length in front. */
export function framed(message: Buffer): Buffer {
  const frame = Buffer.alloc(4 + message.length)
  frame.writeUInt32BE(message.length, 0)
  message.copy(frame, 4)
  return frame
}

export interface Wish {
  readonly command: number
  readonly response?: boolean
  readonly signed?: boolean
  readonly status?: number
  readonly next?: number
  readonly messageId?: bigint
  readonly session?: bigint
  readonly structureSize?: number
  readonly body?: Buffer
}

/** Returns a frame in clear. */
export function clear({ command, response = false, signed = false, status = 0, next = 0, messageId = 7n, session = 0n, structureSize = 64, body = Buffer.alloc(0) }: Wish): Buffer {
  const header = Buffer.alloc(64)
  header.writeUInt32BE(0xfe534d42, 0)
  header.writeUInt16LE(structureSize, 4)
  header.writeUInt32LE(status, 8)
  header.writeUInt16LE(command, 12)
  header.writeUInt32LE((response ? 1 : 0) | (signed ? 8 : 0), 16)
  header.writeUInt32LE(next, 20)
  header.writeBigUInt64LE(messageId, 24)
  header.writeBigUInt64LE(session, 40)
  return framed(Buffer.concat([header, body]))
}

/** Returns an encrypted frame with `payload` bytes behind its header. */
export function transform(session: bigint, payload: number | Buffer, { flags = 1, size }: { flags?: number; size?: number } = {}): Buffer {
  const body = typeof payload === 'number' ? Buffer.alloc(payload, 0x5a) : payload
  const header = Buffer.alloc(52)
  header.writeUInt32BE(0xfd534d42, 0)
  header.writeUInt32LE(size ?? body.length, 36)
  header.writeUInt16LE(flags, 42)
  header.writeBigUInt64LE(session, 44)
  return framed(Buffer.concat([header, body]))
}

export interface Offer {
  readonly dialects: readonly number[]
  /** Of the encryption context; none without. */
  readonly ciphers?: readonly number[]
  readonly capabilities?: number
  /** More contexts: type and data. */
  readonly contexts?: readonly (readonly [number, Buffer])[]
}

const cipherContext = (ciphers: readonly number[]): Buffer => {
  const data = Buffer.alloc(2 + ciphers.length * 2)
  data.writeUInt16LE(ciphers.length, 0)
  ciphers.forEach((cipher, i) => data.writeUInt16LE(cipher, 2 + i * 2))
  return data
}

function contextBytes(contexts: readonly (readonly [number, Buffer])[]): Buffer {
  return Buffer.concat(contexts.map(([type, data]) => {
    const context = Buffer.alloc(Math.ceil((8 + data.length) / 8) * 8)
    context.writeUInt16LE(type, 0)
    context.writeUInt16LE(data.length, 2)
    data.copy(context, 8)
    return context
  }))
}

/** Returns a NEGOTIATE request. */
export function negotiate({ dialects, ciphers, capabilities = 0x40, contexts = [] }: Offer): Buffer {
  const all = [...(ciphers === undefined ? [] : [[2, cipherContext(ciphers)] as const]), ...contexts]
  const body = Buffer.alloc(Math.ceil((36 + dialects.length * 2) / 8) * 8)
  body.writeUInt16LE(36, 0)
  body.writeUInt16LE(dialects.length, 2)
  body.writeUInt32LE(capabilities, 8)
  body.write('0123456789abcdef', 12, 'latin1')
  dialects.forEach((dialect, i) => body.writeUInt16LE(dialect, 36 + i * 2))
  if (all.length > 0) {
    body.writeUInt32LE(64 + body.length, 28)
    body.writeUInt16LE(all.length, 32)
  }
  return clear({ command: 0, body: Buffer.concat([body, contextBytes(all)]) })
}

/** Returns a NEGOTIATE response. */
export function chosen(dialect: number, { ciphers, capabilities = 0x40, contexts = [], status = 0 }: Partial<Omit<Offer, 'dialects'>> & { status?: number } = {}): Buffer {
  const all = [...(ciphers === undefined ? [] : [[2, cipherContext(ciphers)] as const]), ...contexts]
  const body = Buffer.alloc(64)
  body.writeUInt16LE(65, 0)
  body.writeUInt16LE(dialect, 4)
  body.writeUInt16LE(all.length, 6)
  body.writeUInt32LE(capabilities, 24)
  body.writeUInt32LE(128, 60)
  return clear({ command: 0, response: true, status, body: Buffer.concat([body, contextBytes(all)]) })
}

/** Returns a SESSION_SETUP request. */
export function sessionSetup(session = 0n): Buffer {
  return clear({ command: 1, session, body: Buffer.alloc(24, 25) })
}

const SESSION_BODY = 8

/** Returns the answer to a SESSION_SETUP; status 0 logs in. */
export function loggedIn(session: bigint, { status = 0, flags = 0 } = {}): Buffer {
  const body = Buffer.alloc(SESSION_BODY)
  body.writeUInt16LE(9, 0)
  body.writeUInt16LE(flags, 2)
  return clear({ command: 1, response: true, status, session, body })
}

/** Returns an error or interim answer without data. */
export function bareError(command: number, status: number, session = 0n): Buffer {
  const body = Buffer.alloc(9)
  body[0] = 9
  return clear({ command, response: true, status, session, body })
}
