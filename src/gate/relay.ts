// Writes an upstream's reply to the client as it arrives: fields as they came but for the edits of spec/sas.md section 14,
// the body with back-pressure, a cut-off reply never as a whole one.
import type { ReplyHandler } from '../upstream/exchange.ts'
import { UpstreamFailure, upstreamRefusal } from '../upstream/failure.ts'
import type { ResponseHead } from '../upstream/response-head.ts'
import { dropRest, lingerAtEnd, restIsShort } from './deliver.ts'
import type { Dispatch, ForwardContext } from './storage/forward.ts'
import { downstreamHeaders, fieldValue } from './headers.ts'
import { editBatchReply, editReplyFields } from './storage/reply-edits.ts'
import type { Transaction } from './transaction.ts'

const SMALL_BODY = 65536
/** A batch's reply is held whole for its edits; 100 parts of a table's limits stay far below. */
const BATCH_REPLY_LIMIT = 8 * 1024 * 1024

/** The way of one reply from its upstream to its client. */
export class Relay implements ReplyHandler {
  readonly #transaction: Transaction
  readonly #dispatch: Dispatch
  readonly #context: ForwardContext
  #held: Buffer | undefined
  #length = -1
  #draining = false
  #batch: { head: ResponseHead; pieces: Buffer[]; size: number } | undefined

  constructor(transaction: Transaction, dispatch: Dispatch, context: ForwardContext) {
    this.#transaction = transaction
    this.#dispatch = dispatch
    this.#context = context
  }

  onHead(head: ResponseHead): void {
    this.#transaction.repliedAt = this.#context.monotonic()
    refusePlainRedirect(head)
    const { route, listener, batch } = this.#dispatch
    listener?.head(head)
    editReplyFields(head.headers, route.service === 'table', route.origin, this.#host)
    if (batch === true && isMultipart(head)) this.#batch = { head, pieces: [], size: 0 }
    else this.#writeHead(head)
  }

  onData(chunk: Buffer): boolean {
    this.#dispatch.listener?.data(chunk)
    if (this.#batch !== undefined) return this.#collect(this.#batch, chunk)
    this.#transaction.sent += chunk.length
    // A body that came in one piece leaves in one write with its head.
    if (chunk.length === this.#length) {
      this.#held = chunk
      return true
    }
    return this.#write(chunk)
  }

  onEnd(): void {
    const { reply, request } = this.#transaction
    this.#dispatch.listener?.end()
    if (this.#batch !== undefined) this.#writeBatch(this.#batch)
    if (this.#held === undefined) reply.end()
    else reply.end(this.#held)
    if (!request.complete) dropRest(request)
  }

  onFailure(failure: UpstreamFailure): void {
    this.#context.fail(this.#transaction, upstreamRefusal(failure, this.#dispatch.route.origin.name))
  }

  get #host(): string {
    return this.#transaction.fields?.host ?? ''
  }

  #writeHead(head: ResponseHead): void {
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

  #write(chunk: Buffer): boolean {
    const { reply } = this.#transaction
    if (reply.write(chunk)) return true
    if (!this.#draining) {
      this.#draining = true
      reply.on('drain', () => this.#transaction.exchange?.resume())
    }
    return false
  }

  #collect(batch: { pieces: Buffer[]; size: number }, chunk: Buffer): boolean {
    batch.size += chunk.length
    if (batch.size > BATCH_REPLY_LIMIT) throw new UpstreamFailure('reset', 'BATCH_REPLY_TOO_LARGE')
    batch.pieces.push(chunk)
    return true
  }

  #writeBatch({ head, pieces }: { head: ResponseHead; pieces: Buffer[] }): void {
    const body = Buffer.from(editBatchReply(Buffer.concat(pieces).toString('latin1'), this.#dispatch.route.origin, this.#host), 'latin1')
    const fields = head.headers.flatMap((_, i, all) => (i % 2 === 1 || all[i]?.toLowerCase() === 'content-length' ? [] : [all[i] ?? '', all[i + 1] ?? '']))
    this.#writeHead({ ...head, headers: [...fields, 'Content-Length', String(body.length)], framing: 'length', length: body.length })
    this.#transaction.sent += body.length
    this.#held = body
  }
}

function isMultipart(head: ResponseHead): boolean {
  return head.framing !== 'none' && /^multipart\/mixed\b/i.test(fieldValue(head.headers, 'content-type') ?? '')
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
