// Writes an upstream's reply to the client as it arrives: fields as they came but for the edits of spec/sas.md section 14,
// the body with back-pressure, a cut-off reply never as a whole one.
import type { ReplyHandler } from '../upstream/exchange.ts'
import { containOn } from '../door/arrival.ts'
import { Refusal } from '../refusal.ts'
import { UpstreamFailure, upstreamRefusal } from '../upstream/failure.ts'
import type { ResponseHead } from '../upstream/response-head.ts'
import { dropRest, lingerAtEnd, restIsShort } from './deliver.ts'
import type { Dispatch, ForwardContext } from './storage/forward.ts'
import { downstreamHeaders, fieldValue } from './headers.ts'
import { throughStages, type ReplySink } from './reply-stages.ts'
import { editReplyFields } from './storage/reply-edits.ts'
import type { Transaction } from './transaction.ts'

const SMALL_BODY = 65536

/** The way of one reply from its upstream to its client. */
export class Relay implements ReplyHandler {
  readonly #transaction: Transaction
  readonly #dispatch: Dispatch
  readonly #context: ForwardContext
  readonly #first: ReplySink

  constructor(transaction: Transaction, dispatch: Dispatch, context: ForwardContext) {
    this.#transaction = transaction
    this.#dispatch = dispatch
    this.#context = context
    this.#first = throughStages(dispatch.stages, new ReplyWriter(transaction, context))
  }

  onHead(head: ResponseHead): void {
    this.#transaction.repliedAt = this.#context.monotonic()
    refusePlainRedirect(head)
    const { route } = this.#dispatch
    editReplyFields(head.headers, route.service === 'table', route.origin, this.#transaction.fields?.host ?? '')
    try {
      this.#first.head(head)
    } catch (error) {
      this.#refused(error)
    }
  }

  onData(chunk: Buffer): boolean {
    try {
      return this.#first.data(chunk)
    } catch (error) {
      return this.#refused(error)
    }
  }

  onEnd(): void {
    try {
      this.#first.end()
    } catch (error) {
      this.#refused(error)
    }
  }

  onFailure(failure: UpstreamFailure): void {
    this.#context.fail(this.#transaction, upstreamRefusal(failure, this.#dispatch.route.origin.name))
  }

  /** A stage that refuses ends the exchange; the client is told, or cut off where its reply has begun. */
  #refused(error: unknown): true {
    if (!(error instanceof Refusal)) throw error
    this.#transaction.exchange?.abort()
    this.#context.fail(this.#transaction, error)
    return true
  }
}

/** The last sink: writes to the client, with back-pressure. */
class ReplyWriter implements ReplySink {
  readonly #transaction: Transaction
  readonly #context: ForwardContext
  #held: Buffer | undefined
  #length = -1
  #draining = false

  constructor(transaction: Transaction, context: ForwardContext) {
    this.#transaction = transaction
    this.#context = context
  }

  head(head: ResponseHead): void {
    const { reply, request } = this.#transaction
    const unread = !request.complete && !restIsShort(this.#transaction)
    if (unread) lingerAtEnd(request.socket)
    // Where the upstream ends its reply by closing, so do we: a chunked reply would vouch for an end that nobody saw.
    if (head.framing === 'close') reply.useChunkedEncodingByDefault = false
    this.#length = head.length
    reply.sendDate = false
    const close = head.framing === 'close' || unread || this.#context.draining() || this.#transaction.arrival?.stale === true
    reply.writeHead(head.status, head.reasonPhrase, downstreamHeaders(head.headers, { tightened: this.#transaction.sas?.outcome === 'tightened', close }))
    if (headGoesFirst(head)) reply.flushHeaders()
    this.#transaction.eventStream = isEventStream(head)
    this.#transaction.replyStartedAt = this.#context.monotonic()
  }

  data(chunk: Buffer): boolean {
    this.#transaction.sent += chunk.length
    // A body that came in one piece leaves in one write with its head.
    if (chunk.length === this.#length) {
      this.#held = chunk
      return true
    }
    return this.#write(chunk)
  }

  end(): void {
    const { reply, request } = this.#transaction
    if (this.#held === undefined) reply.end()
    else reply.end(this.#held)
    if (!request.complete) dropRest(request)
  }

  #write(chunk: Buffer): boolean {
    const { reply, request } = this.#transaction
    if (reply.write(chunk)) return true
    if (!this.#draining) {
      this.#draining = true
      reply.on('drain', containOn(request.socket, 'relay drain', () => this.#transaction.exchange?.resume()))
    }
    return false
  }
}

/** A small body of known length leaves with its head; the client must not wait for the first piece of any other. */
export function headGoesFirst(head: ResponseHead): boolean {
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
