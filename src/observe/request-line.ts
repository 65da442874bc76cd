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
  readonly refusal: Refusal | null
  /** The reply did not reach the client whole. */
  readonly broken: boolean
}

/** The fields of a request's line. `sample` is the share of lines like it that are written: said where it is not all. */
export function requestLine(done: FinishedRequest, sample = 1): object {
  const line: Record<string, unknown> = {
    requestId: done.requestId,
    route: done.numbers.route,
    service: done.numbers.service,
    method: done.method,
    path: redactTarget(done.target),
    status: done.status,
    received: done.received,
    sent: done.sent,
    ms: round(done.duration),
    gatewayMs: round(done.gatewayDuration),
    tls: done.tls,
    client: done.address,
  }
  if (done.upstreamDuration !== null) line.upstreamMs = round(done.upstreamDuration)
  if (done.peer !== null) line.peer = done.peer
  if (done.traceparent !== undefined) line.traceId = parseTraceParent(done.traceparent)?.traceId
  if (done.sas !== null) {
    line.sas = done.sas.outcome
    line.sasKind = done.sas.kind
  }
  if (sample < 1) line.sample = sample
  if (done.broken) line.broken = true
  if (done.refusal !== null) {
    line.reason = done.refusal.reason
    line.refusal = done.refusal.detail
  }
  return line
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
