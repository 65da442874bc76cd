// One connection to an upstream, carrying one exchange at a time. Whatever arrives outside an exchange, or after the end
// of a reply, ends the connection: it can only be a fault or an attack (security.md S8).
import type { Socket } from 'node:net'
import { contain } from '../contain.ts'
import { ChunkedDecoder } from './chunked.ts'
import { watchClosure } from './closure.ts'
import { UpstreamFailure, brokenFailure, exchangeFailure } from './failure.ts'
import { HEAD_LIMIT, parseResponseHead, type ResponseHead } from './response-head.ts'
import type { Carrier, Exchange } from './exchange.ts'

/** The pool that a connection belongs to. */
export interface ConnectionOwner {
  /** The connection is free for another exchange, or gone. */
  free(connection: UpstreamConnection): void
  gone(connection: UpstreamConnection): void
  /** A handler of a connection that carries nothing threw. */
  broken(error: unknown): void
}

const HEAD_END = Buffer.from('\r\n\r\n')
const BARE_LF = /(?<!\r)\n/
/** Interim replies before the final one; more is a fault. */
const INTERIM_LIMIT = 8

/** Free, carrying one exchange, or over; its owner is told of each change. */
export class UpstreamConnection implements Carrier {
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  #exchange: Exchange | undefined
  #head: ResponseHead | undefined
  #partial: Buffer | undefined
  #left = 0
  #decoder: ChunkedDecoder | undefined
  /** True if the end of the connection was said to be one; for a reply that has no other end. */
  #closure: (() => boolean) | undefined
  #interim = 0
  #over = false
  /** Monotonic milliseconds; when it last became idle. */
  idleSince = 0
  /** What the upstream last said about keeping idle connections. */
  keepAliveSeconds: number | undefined

  /** `socket` is connected and, over TLS, verified. */
  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    socket.on('readable', this.#contained('readable', () => this.readReply()))
    socket.on('drain', this.#contained('drain', () => this.#exchange?.drained()))
    socket.on('end', this.#contained('end', () => this.#ended()))
    socket.on('error', this.#contained('error', (error: Error) => this.#close(exchangeFailure(error))))
    socket.on('close', this.#contained('close', () => this.#close(new UpstreamFailure('reset', 'CLOSED'))))
  }

  /** What a handler throws ends this connection, and the exchange on it. */
  #contained<A extends unknown[]>(name: string, handler: (...args: A) => unknown): (...args: A) => void {
    return contain(`upstream ${name}`, handler, (error) => this.#break(error))
  }

  #break(error: unknown): void {
    const failure = brokenFailure(error)
    // An exchange reports its failure to its request. Without an exchange, only a fault of ours needs a report: an
    // upstream may end an idle connection.
    if (failure.kind === 'internal' && (this.#exchange === undefined || this.#over)) this.#owner.broken(error)
    this.#close(failure)
  }

  get usable(): boolean {
    return !this.#over && !this.#socket.destroyed && !this.#socket.readableEnded
  }

  /** Sends the exchange's request. */
  carry(exchange: Exchange): void {
    this.#exchange = exchange
    this.#head = undefined
    this.#interim = 0
    if (exchange.request.body !== undefined) {
      // Head and first piece of the body in one TLS record, where both are at hand.
      this.#socket.cork()
      process.nextTick(uncork, this.#socket)
    }
    contain('upstream begin', () => exchange.begin(this), (error) => this.#break(error))()
  }

  write(chunk: Buffer | string): boolean {
    return typeof chunk === 'string' ? this.#socket.write(chunk, 'latin1') : this.#socket.write(chunk)
  }

  release(reusable: boolean): void {
    this.#exchange = undefined
    this.#decoder = undefined
    if (!reusable || !this.usable || this.#socket.readableLength > 0) return this.#close(undefined)
    this.#owner.free(this)
  }

  destroy(): void {
    this.#close(undefined)
  }

  /** Reads what is there, until the reply is whole or its reader asks to pause. */
  readReply(): void {
    while (this.#exchange?.paused !== true) {
      const chunk = this.#socket.read() as Buffer | null
      if (chunk === null) return
      try {
        this.#take(chunk)
      } catch (error) {
        return this.#break(error)
      }
      if (this.#over) return
    }
  }

  #take(chunk: Buffer): void {
    if (this.#exchange === undefined) throw new UpstreamFailure('reset', 'UNASKED_BYTES')
    if (this.#head === undefined) return this.#takeHead(chunk)
    this.#takeBody(this.#exchange, this.#head, chunk)
  }

  #takeHead(chunk: Buffer): void {
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk])
    const end = bytes.indexOf(HEAD_END)
    if (end < 0 ? bytes.length > HEAD_LIMIT : end > HEAD_LIMIT) throw new UpstreamFailure('reset', 'REPLY_HEAD_TOO_LARGE')
    // A head whose lines end in bare LF never comes to that end: told at once, not when the time is over.
    if (end < 0 && BARE_LF.test(bytes.toString('latin1'))) throw new UpstreamFailure('reset', 'REPLY_CONTROL_CHARACTER')
    this.#partial = end < 0 ? bytes : undefined
    const exchange = this.#exchange
    if (end < 0 || exchange === undefined) return
    const head = parseResponseHead(bytes.toString('latin1', 0, end), exchange.request.method)
    const rest = bytes.subarray(end + HEAD_END.length)
    if (head.status >= 200) return this.#finalReply(exchange, head, rest)
    this.#interimReply(head)
    if (rest.length > 0) this.#takeHead(rest)
  }

  /** 100 and 103 are hints of this hop; a 101 that nobody asked for is a fault (security.md 3.10). */
  #interimReply(head: ResponseHead): void {
    if (head.status === 101 || ++this.#interim > INTERIM_LIMIT) throw new UpstreamFailure('reset', 'REPLY_INTERIM')
  }

  #finalReply(exchange: Exchange, head: ResponseHead, rest: Buffer): void {
    this.#head = head
    this.#left = head.length
    this.keepAliveSeconds = head.keepAliveSeconds
    if (head.framing === 'chunked') this.#decoder = new ChunkedDecoder()
    if (head.framing === 'close') this.#closure = watchClosure(this.#socket)
    exchange.head(head)
    if (head.framing === 'none') exchange.end(head.persistent && rest.length === 0)
    else if (rest.length > 0) this.#takeBody(exchange, head, rest)
  }

  #takeBody(exchange: Exchange, head: ResponseHead, chunk: Buffer): void {
    if (this.#decoder !== undefined) return this.#takeChunked(exchange, head, this.#decoder, chunk)
    if (head.framing === 'close') return exchange.data(chunk)
    const payload = chunk.length <= this.#left ? chunk : chunk.subarray(0, this.#left)
    this.#left -= payload.length
    exchange.data(payload)
    if (this.#left > 0) return
    exchange.end(head.persistent && payload.length === chunk.length)
  }

  #takeChunked(exchange: Exchange, head: ResponseHead, decoder: ChunkedDecoder, chunk: Buffer): void {
    const used = decoder.write(chunk, (payload) => exchange.data(payload))
    if (decoder.done) exchange.end(head.persistent && used === chunk.length)
  }

  /** The upstream's end of stream completes a reply only where that is how the reply ends, and where it was said (security.md U2). */
  #ended(): void {
    const said = this.#closure?.() === true
    if (said) this.#exchange?.end(false)
    this.#close(new UpstreamFailure('reset', this.#closure === undefined ? 'ENDED' : 'NO_CLOSE_NOTIFY'))
  }

  #close(failure: UpstreamFailure | undefined): void {
    if (this.#over) return
    this.#over = true
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#socket.destroy()
    this.#owner.gone(this)
    if (failure !== undefined) exchange?.fail(failure)
  }
}

function uncork(socket: Socket): void {
  socket.uncork()
}
