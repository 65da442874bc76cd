// A finished request as the log, the audit log and the traces see it, and its line (docs/logging.md).
import type { Refusal } from '../refusal.ts'
import type { RouteNumbers } from './recorder.ts'
import { redactTarget } from './redact.ts'
import { parseTraceParent } from './traceparent.ts'

/** A finished request as the recorder sees it. Durations in milliseconds. */
export interface FinishedRequest {
  readonly requestId: string
  readonly numbers: RouteNumbers
  readonly method: string
  readonly target: string
  readonly status: number
  readonly received: number
  readonly sent: number
  readonly duration: number
  readonly gatewayDuration: number
  readonly upstreamDuration: number | null
  readonly tls: string
  readonly address: string
  readonly peer: string | null
  /** The field as the client sent it; undefined without exactly one. */
  readonly traceparent: string | undefined
  readonly sas: { readonly kind: string; readonly outcome: string } | null
  /** The reason for which a token of the request would be refused, where `storage.sas.accept` reports only. */
  readonly wouldRefuse?: string | null
  readonly refusal: Refusal | null
  /** The reply did not reach the client whole. */
  readonly broken: boolean
}

/**
 * The fields of a request's line as JSON text, without the braces around them. `sample` is the share of lines like it that are
 * written: said where it is not all. By far the most lines are of this kind, so it is put together here: as an object that
 * pino reads it costs five times as much.
 */
export function requestFields(done: FinishedRequest, sample = 1): string {
  const { numbers, sas, refusal } = done
  let fields = `"requestId":"${done.requestId}",${numbers.text},"method":${quoted(done.method)},"path":${quoted(redactTarget(done.target))},"status":${done.status}`
    + `,"received":${done.received},"sent":${done.sent},"ms":${round(done.duration)},"gatewayMs":${round(done.gatewayDuration)},"tls":"${done.tls}","client":"${done.address}"`
  if (done.upstreamDuration !== null) fields += `,"upstreamMs":${round(done.upstreamDuration)}`
  if (done.peer !== null) fields += `,"peer":${quoted(done.peer)}`
  const traceId = parseTraceParent(done.traceparent)?.traceId
  if (traceId !== undefined) fields += `,"traceId":"${traceId}"`
  if (sas !== null) fields += `,"sas":"${sas.outcome}","sasKind":"${sas.kind}"`
  if (done.wouldRefuse !== undefined && done.wouldRefuse !== null) fields += `,"wouldRefuse":"${done.wouldRefuse}"`
  if (sample < 1) fields += `,"sample":${sample}`
  if (done.broken) fields += ',"broken":true'
  if (refusal !== null) fields += `,"reason":"${refusal.reason}","refusal":${JSON.stringify(refusal.detail)}`
  return fields
}

// What JSON writes as it is: no quote, no backslash, no control character, and no half of a pair.
const PLAIN = /^[^"\\\0-\x1f\ud800-\udfff]*$/

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
