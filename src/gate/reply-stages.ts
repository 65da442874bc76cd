// A reply passes an ordered list of stages on its way to the client: each may edit the head, the body as it streams, or hold
// the head back until it knows more. Most replies have no stage and go straight to the writer.
import type { ResponseHead } from '../upstream/response-head.ts'

/** Where a reply goes: head, data, end, each at most as the one before has been. */
export interface ReplySink {
  /** Until the head has reached the client, a stage may throw a Refusal, and the client gets that instead. */
  head(head: ResponseHead): void
  /** Returns false to pause the reply until the exchange is resumed. */
  data(chunk: Buffer): boolean
  end(): void
}

/** Makes the sink that stands in front of `next`. */
export type ReplyStage = (next: ReplySink) => ReplySink

/** Returns the first sink of a row of stages that ends in `last`; `last` itself where there are none. */
export function throughStages(stages: readonly ReplyStage[] | undefined, last: ReplySink): ReplySink {
  if (stages === undefined) return last
  let first = last
  for (const stage of stages.toReversed()) first = stage(first)
  return first
}

/** Returns the head of a reply whose body a stage changes: its length is not known before its end. */
export function withoutLength(head: ResponseHead): ResponseHead {
  if (head.framing === 'none') return head
  return { ...head, headers: withoutFields(head.headers, LENGTH_AND_DIGEST), framing: head.framing === 'length' ? 'chunked' : head.framing, length: 0 }
}

/** They speak of the bytes as the service sent them. */
const LENGTH_AND_DIGEST: ReadonlySet<string> = new Set(['content-length', 'content-md5'])

/** Returns a flat list of fields without those named, in lower case. */
export function withoutFields(fields: readonly string[], names: ReadonlySet<string>): string[] {
  return fields.filter((_, i) => !names.has((fields[i - (i % 2)] ?? '').toLowerCase()))
}

/** Returns a head and body of known length for a reply that was held whole. */
export function headFor(head: ResponseHead, body: Buffer): ResponseHead {
  return { ...head, headers: [...withoutFields(head.headers, LENGTH_AND_DIGEST), 'Content-Length', String(body.length)], framing: 'length', length: body.length }
}
