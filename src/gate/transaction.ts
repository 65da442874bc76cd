// One request from its head to the end of its reply, as the log and the metrics will see it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { arrivalOf, containOn, type Arrival } from '../door/arrival.ts'
import type { Recorder, RouteNumbers } from '../observe/recorder.ts'
import type { Refusal } from '../refusal.ts'
import type { Roll, RollMember } from '../members.ts'
import type { Exchange } from '../upstream/exchange.ts'
import type { RequestFields } from './headers.ts'

/** What every transaction needs of the process. */
export interface TransactionContext {
  readonly recorder: Recorder
  /** Numbers of requests that reached no route. */
  readonly unrouted: RouteNumbers
  /** Transactions under way, for the pace keeper and for draining. */
  readonly live: Roll<Transaction>
  readonly monotonic: () => number
  readonly requestId: () => string
}

const TRANSACTION = Symbol('transaction')
interface Carrying extends IncomingMessage { [TRANSACTION]?: Transaction }

/** Leaves a transaction on its request. */
export function giveTransaction(request: IncomingMessage, transaction: Transaction): void {
  ;(request as Carrying)[TRANSACTION] = transaction
}

/** The transaction of a request; undefined before it began. */
export function transactionOf(request: IncomingMessage): Transaction | undefined {
  return (request as Carrying)[TRANSACTION]
}

/** Counts itself in when it is made and out when its reply is over, whole or not. */
export class Transaction implements RollMember {
  readonly request: IncomingMessage
  readonly reply: ServerResponse
  readonly arrival: Arrival | undefined
  readonly requestId: string
  readonly startedAt: number
  /** The target as the client sent it. */
  readonly target: string
  fields: RequestFields | undefined
  numbers: RouteNumbers
  exchange: Exchange | undefined
  refusal: Refusal | null = null
  sas: { readonly kind: string; readonly outcome: string } | null = null
  /** The reason for which a token of this request would be refused, where `storage.sas.accept` reports only. */
  wouldRefuse: string | null = null
  sent = 0
  /** The reply is text/event-stream: silence from the upstream is no fault. */
  eventStream = false
  /** Bytes of a body that is read before it is judged; undefined while none is. */
  collected: number | undefined
  /** When the request went up, when its reply came, when the reply's head left: monotonic milliseconds; 0 where it did not come to that. */
  forwardedAt = 0
  repliedAt = 0
  replyStartedAt = 0
  /** `Expect: 100-continue` is still to be answered. */
  awaitsContinue: boolean
  place = -1
  readonly #context: TransactionContext

  constructor(request: IncomingMessage, reply: ServerResponse, awaitsContinue: boolean, context: TransactionContext) {
    this.request = request
    this.reply = reply
    this.arrival = arrivalOf(request.socket)
    this.requestId = context.requestId()
    this.startedAt = context.monotonic()
    this.target = request.url ?? ''
    this.numbers = context.unrouted
    this.awaitsContinue = awaitsContinue
    this.#context = context
    context.live.enter(this)
    reply.once('close', containOn(request.socket, 'transaction close', this.#over))
  }

  /** The route is known: the request counts as its own from here. */
  routed(numbers: RouteNumbers): void {
    this.numbers = numbers
    numbers.inFlight.value++
  }

  /** The body is wanted: a client that waits to be told so is told, once. */
  askForBody(): void {
    if (!this.awaitsContinue) return
    this.awaitsContinue = false
    this.reply.writeContinue()
  }

  /** Notes the one refusal of the request; a second one, after the first was told, changes nothing. */
  refused(refusal: Refusal): void {
    if (this.refusal !== null) return
    this.refusal = refusal
    this.#context.recorder.requestRefused(refusal, this.requestId, this.arrival?.address ?? '')
  }

  readonly #over = (): void => {
    const { recorder, live, monotonic, unrouted } = this.#context
    live.leave(this)
    // Its head may have gone out before the trust changed, without a word that the connection ends (security.md M7).
    if (this.arrival?.stale === true) this.request.socket.destroySoon()
    if (this.numbers !== unrouted) this.numbers.inFlight.value--
    const broken = !this.reply.writableFinished
    if (broken) this.exchange?.abort()
    const now = monotonic()
    const waited = this.repliedAt > 0 ? this.repliedAt - this.forwardedAt : 0
    const socket = this.request.socket as TLSSocket
    recorder.requestCompleted({
      requestId: this.requestId,
      numbers: this.numbers,
      method: this.request.method ?? '',
      target: this.target,
      status: this.reply.headersSent ? this.reply.statusCode : 499,
      received: this.exchange?.received ?? 0,
      sent: this.sent,
      duration: now - this.startedAt,
      gatewayDuration: this.#ownShare(now, waited),
      upstreamDuration: this.repliedAt > 0 ? waited : null,
      tls: this.arrival?.tlsVersion ?? socket.getProtocol?.() ?? '',
      address: this.arrival?.address ?? '',
      peer: this.arrival?.peer?.names[0] ?? null,
      traceparent: this.fields?.traceparent,
      sas: this.sas,
      wouldRefuse: this.wouldRefuse,
      refusal: this.refusal,
      broken,
    })
  }

  /** Without the wait for the upstream and the time that bodies took. */
  #ownShare(now: number, waited: number): number {
    if (this.forwardedAt === 0) return now - this.startedAt
    const admission = this.forwardedAt - this.startedAt
    return waited > 0 ? admission + Math.max(0, this.replyStartedAt - this.repliedAt) : admission
  }
}
