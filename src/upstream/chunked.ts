// Decodes the chunked transfer coding of a reply (RFC 9112 section 7.1), byte by byte where it must and in whole slices
// where it can. Extensions and trailers are read past, bounded, and dropped (security.md S6, D8).
import { UpstreamFailure } from './failure.ts'

const STATE = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, trailer: 6, trailerLf: 7, done: 8 } as const
type State = (typeof STATE)[keyof typeof STATE]

/** Bytes of sizes, extensions and trailers in a row that a reply may have. */
const OVERHEAD_LIMIT = 16384
const SIZE_DIGITS = 13
const CR = 0x0d
const LF = 0x0a

/** Decodes one body. Feed it with `write`; `done` tells when the last chunk and its trailers are over. */
export class ChunkedDecoder {
  #state: State = STATE.size
  #left = 0
  #digits = 0
  #overhead = 0
  #line = 0

  get done(): boolean {
    return this.#state === STATE.done
  }

  /**
   * Reads the next bytes and hands the payload in them to `sink`. Returns how many bytes belonged to this body: fewer than
   * there are means that something follows it. Throws an UpstreamFailure of kind `reset` on a malformed chunk.
   */
  write(bytes: Buffer, sink: (payload: Buffer) => void): number {
    let at = 0
    while (at < bytes.length && this.#state !== STATE.done) {
      if (this.#state === STATE.data) {
        const end = Math.min(bytes.length, at + this.#left)
        sink(bytes.subarray(at, end))
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#state = STATE.dataCr
      } else {
        this.#step(bytes[at] as number)
        at++
      }
    }
    return at
  }

  #step(byte: number): void {
    if (++this.#overhead > OVERHEAD_LIMIT) malformed('REPLY_CHUNK_OVERHEAD')
    switch (this.#state) {
      case STATE.size:
        return this.#size(byte)
      case STATE.extension:
        if (byte === CR) this.#state = STATE.sizeLf
        else if (byte === LF || byte === 0) malformed('REPLY_CHUNK_EXTENSION')
        return
      case STATE.sizeLf:
        return this.#sizeLf(byte)
      case STATE.dataCr:
        return this.#expect(byte, CR, STATE.dataLf)
      case STATE.dataLf:
        return this.#expect(byte, LF, STATE.size)
      case STATE.trailer:
        if (byte === CR) this.#state = STATE.trailerLf
        else if (byte === LF || byte === 0) malformed('REPLY_TRAILER')
        else this.#line++
        return
      case STATE.trailerLf:
        this.#expect(byte, LF, this.#line === 0 ? STATE.done : STATE.trailer)
        this.#line = 0
        return
      default:
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      if (++this.#digits > SIZE_DIGITS) malformed('REPLY_CHUNK_SIZE')
      this.#left = this.#left * 16 + digit
      return
    }
    if (this.#digits === 0) malformed('REPLY_CHUNK_SIZE')
    if (byte === CR) this.#state = STATE.sizeLf
    else if (byte === 0x3b || byte === 0x20 || byte === 0x09) this.#state = STATE.extension
    else malformed('REPLY_CHUNK_SIZE')
  }

  #sizeLf(byte: number): void {
    this.#expect(byte, LF, this.#left === 0 ? STATE.trailer : STATE.data)
    this.#digits = 0
    this.#line = 0
    if (this.#left > 0) this.#overhead = 0
  }

  #expect(byte: number, wanted: number, next: State): void {
    if (byte !== wanted) malformed('REPLY_CHUNK_LINE_END')
    this.#state = next
  }
}

function malformed(code: string): never {
  throw new UpstreamFailure('reset', code)
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
