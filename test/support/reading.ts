// Reads HTTP/1.1 messages from raw bytes, for both ends of a journey: a second implementation, so that neither node:http
// nor the gate's own reading can hide what was on the wire.
import { createHash } from 'node:crypto'

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
/** Bytes of a body that are kept; of a longer one only digest and length. */
const KEPT = 1 << 20

/** A message as it stood on the wire. */
export class Message {
  /** The first line. */
  readonly line: string
  /** Header lines in order, whole, in Latin-1. */
  readonly headerLines: readonly string[]
  readonly head: string
  length = 0
  /** True if the body came to its end. */
  complete = false
  /** Sizes of the chunks, where it came in chunks. */
  readonly chunks: number[] = []
  trailers: string[] = []
  readonly #kept: Buffer[] = []
  readonly #hash = createHash('sha256')
  #digest: string | undefined

  constructor(head: string) {
    const [line = '', ...headerLines] = head.split('\r\n')
    this.head = head
    this.line = line
    this.headerLines = headerLines
  }

  /** Name and value pairs, as written. */
  get headers(): [string, string][] {
    return this.headerLines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  }

  /** Every value of a field. */
  all(name: string): string[] {
    return this.headers.filter(([own]) => own.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  }

  /** The value of a field; repeated ones joined. */
  header(name: string): string | undefined {
    const values = this.all(name)
    return values.length === 0 ? undefined : values.join(', ')
  }

  /** The body, as far as it is kept. */
  get body(): Buffer {
    return Buffer.concat(this.#kept)
  }

  get text(): string {
    return this.body.toString('utf8')
  }

  get digest(): string {
    this.#digest ??= this.#hash.copy().digest('hex')
    return this.#digest
  }

  take(bytes: Buffer): void {
    this.#digest = undefined
    this.#hash.update(bytes)
    if (this.length < KEPT) this.#kept.push(Buffer.from(bytes.subarray(0, KEPT - this.length)))
    this.length += bytes.length
  }

  get method(): string {
    return this.line.split(' ')[0] ?? ''
  }

  get target(): string {
    return this.line.split(' ')[1] ?? ''
  }

  get status(): number {
    return Number(this.line.split(' ')[1])
  }

  get reason(): string {
    return this.line.split(' ').slice(2).join(' ')
  }
}

/** How long a body is: a length, chunks, up to the end of the connection. */
export type BodyKind = number | 'chunked' | 'close'

/** Reads one message after the other. Feed it with `write`; `onHead` says how the body is framed. */
export class MessageReader {
  #held: Buffer = Buffer.alloc(0)
  #message: Message | undefined
  #kind: BodyKind = 0
  #left = 0
  #state: 'size' | 'data' | 'dataEnd' | 'trailer' = 'size'
  readonly #onHead: (message: Message) => BodyKind
  readonly #onEnd: (message: Message) => void

  constructor(onHead: (message: Message) => BodyKind, onEnd: (message: Message) => void) {
    this.#onHead = onHead
    this.#onEnd = onEnd
  }

  /** Bytes that belong to no message yet. */
  get held(): Buffer {
    return this.#held
  }

  write(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    while (this.#step()) { /* as far as the bytes go */ }
  }

  /** The connection's end: completes a message that ends with it. */
  end(): void {
    if (this.#message !== undefined && this.#kind === 'close') this.#finish(this.#message)
  }

  #step(): boolean {
    const message = this.#message
    if (message === undefined) return this.#readHead()
    if (this.#kind === 'chunked') return this.#readChunked(message)
    if (this.#kind === 'close') return this.#readAll(message)
    const part = this.#shift(Math.min(this.#left, this.#held.length))
    if (part.length > 0) message.take(part)
    this.#left -= part.length
    return this.#left === 0 ? this.#finish(message) : false
  }

  #readHead(): boolean {
    const end = this.#held.indexOf(HEAD_END)
    if (end < 0) return false
    const message = new Message(this.#held.toString('latin1', 0, end))
    this.#held = this.#held.subarray(end + HEAD_END.length)
    this.#message = message
    this.#kind = this.#onHead(message)
    this.#left = typeof this.#kind === 'number' ? this.#kind : 0
    this.#state = 'size'
    return true
  }

  #readAll(message: Message): boolean {
    if (this.#held.length > 0) message.take(this.#shift(this.#held.length))
    return false
  }

  #readChunked(message: Message): boolean {
    if (this.#state === 'data') {
      const part = this.#shift(Math.min(this.#left, this.#held.length))
      message.take(part)
      this.#left -= part.length
      if (this.#left === 0) this.#state = 'dataEnd'
      return this.#left === 0
    }
    const end = this.#held.indexOf(LINE_END)
    if (end < 0) return false
    const line = this.#shift(end + 2).toString('latin1', 0, end)
    if (this.#state === 'dataEnd') this.#state = 'size'
    else if (this.#state === 'trailer') return line === '' ? this.#finish(message) : message.trailers.push(line) > 0
    else this.#readSize(message, line)
    return true
  }

  #readSize(message: Message, line: string): void {
    if (!/^[0-9a-f]+(?:;.*)?$/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
    this.#left = Number.parseInt(line, 16)
    if (this.#left > 0) message.chunks.push(this.#left)
    this.#state = this.#left === 0 ? 'trailer' : 'data'
  }

  #shift(count: number): Buffer {
    const part = this.#held.subarray(0, count)
    this.#held = this.#held.subarray(count)
    return part
  }

  #finish(message: Message): boolean {
    message.complete = true
    this.#message = undefined
    this.#onEnd(message)
    return this.#held.length > 0
  }
}

/** How a body is framed by these fields; `otherwise` where they do not say. */
export function framingOf(message: Message, otherwise: BodyKind): BodyKind {
  if (message.header('transfer-encoding')?.toLowerCase() === 'chunked') return 'chunked'
  const length = message.header('content-length')
  return length === undefined ? otherwise : Number(length)
}
