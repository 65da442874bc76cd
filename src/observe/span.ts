// A finished request as a span, after OpenTelemetry's semantic conventions for HTTP servers (HTTP spans, stable since 1.23).
// What a line may not show, a span does not show either.
import { METHODS } from './metrics.ts'
import { redactPath } from './redact.ts'
import type { FinishedRequest } from './request-line.ts'
import { parseTraceParent, type TraceParent } from './traceparent.ts'

export interface SpanFacts {
  readonly name: string
  /** The client's span, where it sent a valid `traceparent`. */
  readonly parent: TraceParent | undefined
  readonly attributes: Readonly<Record<string, string | number>>
  /** A fault of ours or of the upstream, in the middle of a reply too; a client's mistake is none of the server's (HTTP spans, status). */
  readonly failed: boolean
}

const KNOWN: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== 'other'))
/** The client got nothing: there was no status. */
const NO_STATUS = 499

/** Returns the span of a finished request. `address` is the name that the configuration gives the route, not the client's word. */
export function spanOf(done: FinishedRequest, address: string | undefined): SpanFacts {
  const { numbers: { route, service }, status, refusal, sas, broken } = done
  const known = KNOWN.has(done.method)
  const failed = status >= 500 || (broken && refusal !== null && refusal.row.blame !== 'client')
  return {
    name: `${known ? done.method : 'HTTP'} ${route}`,
    parent: parseTraceParent(done.traceparent),
    failed,
    attributes: {
      'http.request.method': known ? done.method : '_OTHER',
      'url.scheme': 'https',
      'url.path': redactPath(done.target.split('?', 1)[0] ?? ''),
      'network.protocol.version': '1.1',
      'tidegate.route': route,
      'tidegate.service': service,
      'tidegate.request_id': done.requestId,
      ...(status === NO_STATUS ? {} : { 'http.response.status_code': status }),
      ...(address === undefined ? {} : { 'server.address': address }),
      ...(sas === null ? {} : { 'tidegate.sas': sas.outcome }),
      ...(refusal === null ? {} : { 'tidegate.reason': refusal.reason }),
      ...(failed ? { 'error.type': refusal?.reason ?? String(status) } : {}),
    },
  }
}
