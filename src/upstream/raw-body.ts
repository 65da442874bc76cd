// Where the body of a reply ends whose bytes go on as they are, its chunks included.
import { ChunkedDecoder } from './chunked.ts'
import type { ResponseHead } from './response-head.ts'

export class RawBody {
  readonly #chunks: ChunkedDecoder | undefined
  #left: number

  constructor({ framing, length }: Pick<ResponseHead, 'framing' | 'length'>) {
    this.#chunks = framing === 'chunked' ? new ChunkedDecoder() : undefined
    this.#left = framing === 'close' ? Infinity : length
  }

  get done(): boolean {
    return this.#chunks?.done ?? this.#left === 0
  }

  /** Given the next bytes of the connection, returns those that are the body's. Throws an UpstreamFailure on a malformed chunk. */
  take(bytes: Buffer): Buffer {
    const count = this.#chunks?.write(bytes, ignore) ?? Math.min(bytes.length, this.#left)
    this.#left -= count
    return bytes.subarray(0, count)
  }

  /** The connection has come to a regular end, and with it a body of no other end. */
  ended(): void {
    if (this.#left === Infinity) this.#left = 0
  }
}

function ignore(): void {
  // The payload goes on inside its chunks.
}
