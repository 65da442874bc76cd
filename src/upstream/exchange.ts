// One request to an upstream and its reply: what the caller gives and gets, and where the exchange stands. It is sent at
// most once; whatever breaks it is told, never repaired (security.md U3).
import { contain } from '../contain.ts'
import type { Readable } from 'node:stream'
import type { UpstreamNumbers, UpstreamResult } from '../observe/recorder.ts'
import type { ResponseHead } from './response-head.ts'
import { brokenFailure, type UpstreamFailure } from './failure.ts'

export interface UpstreamRequest {
  readonly method: string
  /** Request line and header fields with the empty line that ends them, in Latin-1. */
  readonly head: string
  /** The client's body, not yet flowing; undefined where the request has none. */
  readonly body: Readable | undefined
  /** The body has no length: it is sent upstream in chunks, as it came. */
  readonly chunked: boolean
}

/** Receives the reply. Called in the order head, data, end; or failure, once, at any point before the end. */
export interface ReplyHandler {
  onHead(head: ResponseHead): void
  /** Returns false to pause the reply until `exchange.resume()`. */
  onData(chunk: Buffer): boolean
  onEnd(): void
  onFailure(failure: UpstreamFailure): void
}

export type ExchangeState = 'waiting' | 'sending' | 'sent' | 'replying' | 'over'

/** What carries an exchange: a connection of the pool. */
export interface Carrier {
  /** Returns false when the bytes wait in memory for a slow upstream. */
  write(chunk: Buffer | string): boolean
  readReply(): void
  /** The exchange is over; `reusable` says whether nothing of it is left on the connection. */
  release(reusable: boolean): void
}

/** Waits for a connection, sends, is replied to, is over; in that order, and from each at once to the last. */
export class Exchange {
  readonly request: UpstreamRequest
  readonly handler: ReplyHandler
  state: ExchangeState = 'waiting'
  /** Body bytes taken from the client. */
  received = 0
  /** Monotonic milliseconds; when the request's last byte went out. */
  sentAt = 0
  replyStatus = 0
  #paused = false
  #carrier: Carrier | undefined
  #bodyDone: boolean
  #bodyHeld = false
  /** Stops listening to the request's body; undefined where there is none. */
  #letGo: (() => void) | undefined
  readonly #numbers: UpstreamNumbers
  readonly #monotonic: () => number

  constructor(request: UpstreamRequest, handler: ReplyHandler, numbers: UpstreamNumbers, monotonic: () => number) {
    this.request = request
    this.handler = handler
    this.#numbers = numbers
    this.#monotonic = monotonic
    this.#bodyDone = request.body === undefined
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The request is out, its body to the last byte. */
  get bodyDone(): boolean {
    return this.#bodyDone
  }

  /** The upstream does not take the body as fast as the client gives it. */
  get bodyHeld(): boolean {
    return this.#bodyHeld
  }

  /** Goes on with a reply that `onData` paused. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#carrier?.readReply()
  }

  /** Ends the exchange from the client's side: nothing more is told. */
  abort(): void {
    this.#finish(false)
  }

  /** The pool gives the exchange its connection: the request goes out. */
  begin(carrier: Carrier): void {
    this.#carrier = carrier
    this.state = 'sending'
    const { head, body } = this.request
    carrier.write(head)
    if (body === undefined) this.#requestSent()
    else this.#pump(body)
  }

  /** The upstream takes bytes again. */
  drained(): void {
    if (!this.#bodyHeld) return
    this.#bodyHeld = false
    this.request.body?.resume()
  }

  /** The final reply's head is there. */
  head(head: ResponseHead): void {
    this.replyStatus = head.status
    this.state = 'replying'
    if (this.sentAt > 0) this.#numbers.firstByte.observe((this.#monotonic() - this.sentAt) / 1000)
    this.handler.onHead(head)
  }

  /** A piece of the reply's body, without its coding. */
  data(chunk: Buffer): void {
    if (this.state !== 'over' && !this.handler.onData(chunk)) this.#paused = true
  }

  /** The reply is whole. A connection on which the request is not whole carries no other. */
  end(persistent: boolean): void {
    if (this.state === 'over') return
    this.#finish(persistent && this.#bodyDone)
    countReply(this.#numbers, this.replyStatus)
    this.handler.onEnd()
  }

  /** The exchange breaks off; does nothing once it is over. */
  fail(failure: UpstreamFailure): void {
    if (this.state === 'over') return
    this.#finish(false)
    countFailure(this.#numbers, failure)
    this.handler.onFailure(failure)
  }

  #requestSent(): void {
    this.#bodyDone = true
    this.sentAt = this.#monotonic()
    if (this.state === 'sending') this.state = 'sent'
  }

  #pump(body: Readable): void {
    const broken = (error: unknown): void => this.fail(brokenFailure(error))
    const onData = contain('exchange data', (chunk: Buffer) => this.#bodyData(chunk), broken)
    const onEnd = contain('exchange end', () => this.#bodyEnd(), broken)
    body.on('data', onData)
    body.once('end', onEnd)
    this.#letGo = () => {
      body.removeListener('data', onData)
      body.removeListener('end', onEnd)
    }
  }

  #bodyData(chunk: Buffer): void {
    this.received += chunk.length
    const carrier = this.#carrier
    if (carrier === undefined) return
    const taken = this.request.chunked ? writeChunk(carrier, chunk) : carrier.write(chunk)
    if (taken) return
    this.#bodyHeld = true
    this.request.body?.pause()
  }

  #bodyEnd(): void {
    if (this.request.chunked) this.#carrier?.write('0\r\n\r\n')
    this.#requestSent()
  }

  #finish(reusable: boolean): void {
    if (this.state === 'over') return
    this.state = 'over'
    if (!this.#bodyDone) this.#letGo?.()
    const carrier = this.#carrier
    this.#carrier = undefined
    carrier?.release(reusable)
  }
}

/** Counts a whole reply of an upstream, by its status. */
export function countReply(numbers: UpstreamNumbers, status: number): void {
  numbers.results[resultOf(status)].value++
  numbers.healthy.value = 1
}

/** Counts a request that got no whole reply; a fault of ours is no result of the upstream's. */
export function countFailure(numbers: UpstreamNumbers, failure: UpstreamFailure): void {
  if (failure.kind === 'internal') return
  numbers.results[failure.kind].value++
  numbers.healthy.value = 0
}

function resultOf(status: number): UpstreamResult {
  return status < 400 ? 'ok' : status < 500 ? 'client-error' : 'server-error'
}

function writeChunk(carrier: Carrier, chunk: Buffer): boolean {
  carrier.write(`${chunk.length.toString(16)}\r\n`)
  carrier.write(chunk)
  return carrier.write('\r\n')
}
