// Carries a permitted storage request upstream and the reply back: raw fields both ways, bodies streamed with
// back-pressure, nothing sent twice, a reply cut short never shown as whole (data-path.md section 0).
import type { Readable } from 'node:stream'
import type { ReplyHandler } from '../upstream/exchange.ts'
import { UpstreamFailure, upstreamRefusal } from '../upstream/failure.ts'
import type { ResponseHead } from '../upstream/response-head.ts'
import type { Origin } from '../upstream/routes.ts'
import type { Refusal } from '../refusal.ts'
import { downstreamHeaders, fieldValue } from './headers.ts'
import { dropRest, lingerAtEnd, restIsShort } from './deliver.ts'
import type { RequestFields } from './headers.ts'
import type { Transaction } from './transaction.ts'

const SMALL_BODY = 65536

/** What forwarding needs of the process. */
export interface ForwardContext {
  /** Our Via field's value. */
  readonly via: string
  readonly draining: () => boolean
  readonly monotonic: () => number
  /** Delivers a refusal that came up on the way. */
  fail(transaction: Transaction, refusal: Refusal): void
}

/** The head of the request that goes up. `extra` are further fields, each with its CRLF. */
export function upstreamHead(method: string, target: string, origin: Origin, fields: RequestFields, via: string, extra: string): string {
  return `${method} ${target} HTTP/1.1\r\nHost: ${origin.host}\r\n${fields.lines}Via: ${via}\r\n${extra}\r\n`
}

/** Whether the request has a body that must be carried. */
export function hasBody(fields: RequestFields): boolean {
  return fields.chunked || (fields.contentLength ?? 0) > 0
}

/**
 * Sends the request up; the reply, or the refusal, follows by itself. `collected` is the body where it was read before,
 * to be judged.
 */
export function forward(transaction: Transaction, fields: RequestFields, origin: Origin, target: string, context: ForwardContext, collected?: Readable): void {
  const { request, reply } = transaction
  const body = hasBody(fields)
  if (transaction.awaitsContinue && body) {
    transaction.awaitsContinue = false
    reply.writeContinue()
  }
  const method = request.method ?? ''
  const head = upstreamHead(method, target, origin, fields, context.via, '')
  transaction.forwardedAt = context.monotonic()
  const relay = new Relay(transaction, origin, context)
  transaction.exchange = origin.pool.send({ method, head, body: body ? (collected ?? request) : undefined, chunked: fields.chunked }, relay)
}

/** Writes a reply to the client as it arrives. */
class Relay implements ReplyHandler {
  readonly #transaction: Transaction
  readonly #origin: Origin
  readonly #context: ForwardContext
  #held: Buffer | undefined
  #length = -1
  #draining = false

  constructor(transaction: Transaction, origin: Origin, context: ForwardContext) {
    this.#transaction = transaction
    this.#origin = origin
    this.#context = context
  }

  onHead(head: ResponseHead): void {
    const { reply, request } = this.#transaction
    this.#transaction.repliedAt = this.#context.monotonic()
    refusePlainRedirect(head)
    const unread = !request.complete && !restIsShort(this.#transaction)
    const close = head.framing === 'close' || unread || this.#context.draining()
    if (unread) lingerAtEnd(request.socket)
    // Where the upstream ends its reply by closing, so do we: a chunked reply would vouch for an end that nobody saw.
    if (head.framing === 'close') reply.useChunkedEncodingByDefault = false
    this.#length = head.length
    reply.sendDate = false
    const additions = { tightened: this.#transaction.sas === 'tightened', close }
    reply.writeHead(head.status, head.reasonPhrase, downstreamHeaders(head.headers, additions))
    if (headGoesFirst(head)) reply.flushHeaders()
    this.#transaction.eventStream = isEventStream(head)
    this.#transaction.replyStartedAt = this.#context.monotonic()
  }

  onData(chunk: Buffer): boolean {
    this.#transaction.sent += chunk.length
    const { reply } = this.#transaction
    // A body that came in one piece leaves in one write with its head.
    if (chunk.length === this.#length) {
      this.#held = chunk
      return true
    }
    if (reply.write(chunk)) return true
    if (!this.#draining) {
      this.#draining = true
      reply.on('drain', () => this.#transaction.exchange?.resume())
    }
    return false
  }

  onEnd(): void {
    const { reply, request } = this.#transaction
    if (this.#held === undefined) reply.end()
    else reply.end(this.#held)
    if (!request.complete) dropRest(request)
  }

  onFailure(failure: UpstreamFailure): void {
    this.#context.fail(this.#transaction, upstreamRefusal(failure, this.#origin.name))
  }
}

/** A small body of known length leaves with its head; the client must not wait for the first piece of any other. */
function headGoesFirst(head: ResponseHead): boolean {
  return head.framing === 'chunked' || head.framing === 'close' || head.length > SMALL_BODY
}

/** A stream of events may be silent for long; only its reader's pace is watched. */
export function isEventStream(head: ResponseHead): boolean {
  return head.framing !== 'none' && /^text\/event-stream\b/i.test(fieldValue(head.headers, 'content-type') ?? '')
}

/** A redirect to http would take the client's credential onto the open wire (contract section 8, "other cases"). */
export function refusePlainRedirect(head: ResponseHead): void {
  if (head.status < 300 || head.status > 399) return
  const location = fieldValue(head.headers, 'location')
  if (location !== undefined && /^\s*http:/i.test(location)) throw new UpstreamFailure('reset', 'REDIRECT_TO_HTTP')
}
