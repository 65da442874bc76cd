// Carries a permitted storage request upstream and the reply back: raw fields both ways, bodies streamed with
// back-pressure, nothing sent twice, a reply cut short never shown as whole.
import type { Readable } from 'node:stream'
import type { Origin, StorageRoute } from '../../upstream/routes.ts'
import type { Refusal } from '../../refusal.ts'
import type { RequestFields } from '../headers.ts'
import { Relay } from '../relay.ts'
import type { ReplyStage } from '../reply-stages.ts'
import type { Transaction } from '../transaction.ts'

/** What forwarding needs of the process. */
export interface ForwardContext {
  /** Our Via field's value. */
  readonly via: string
  readonly draining: () => boolean
  readonly monotonic: () => number
  /** Delivers a refusal that came up on the way. */
  fail(transaction: Transaction, refusal: Refusal): void
}

/** The head of the request that is sent upstream. `extra` are further fields, each with its CRLF. */
export function upstreamHead(method: string, target: string, origin: Origin, fields: RequestFields, via: string, extra: string): string {
  return `${method} ${target} HTTP/1.1\r\nHost: ${origin.host}\r\n${fields.lines}Via: ${via}\r\n${extra}\r\n`
}

/** Returns whether the request has a body that must be carried. */
export function hasBody(fields: RequestFields): boolean {
  return fields.chunked || (fields.contentLength ?? 0) > 0
}

/** A storage request on its way up. */
export interface Dispatch {
  readonly route: StorageRoute
  /** The fields that go up: the client's, or edited ones. */
  readonly fields: RequestFields
  readonly target: string
  /** The body where it was read before, to be judged; the client's own stream otherwise. */
  readonly body?: Readable
  /** What the reply passes on its way to the client, in this order; most have none. */
  readonly stages?: readonly ReplyStage[]
}

/** Sends the request up; the reply, or the refusal, follows by itself. */
export function forward(transaction: Transaction, dispatch: Dispatch, context: ForwardContext): void {
  const { request } = transaction
  const { fields, target, route: { origin } } = dispatch
  const body = hasBody(fields)
  if (body) transaction.askForBody()
  const method = request.method ?? ''
  const head = upstreamHead(method, target, origin, fields, context.via, '')
  transaction.forwardedAt = context.monotonic()
  const relay = new Relay(transaction, dispatch, context)
  transaction.exchange = origin.pool.send({ method, head, body: body ? (dispatch.body ?? request) : undefined, chunked: fields.chunked }, relay)
}
