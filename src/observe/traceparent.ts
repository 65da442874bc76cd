// The W3C `traceparent` field of a request (Trace Context level 1, section 3.2): read for the log and as a span's parent. It
// is sent upstream as it came, whatever is in it.

/** Where a request stands in its caller's trace. */
export interface TraceParent {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string
  /** The caller's span: 16 lower-case hexadecimal digits. */
  readonly spanId: string
  /** The caller records this trace. */
  readonly sampled: boolean
}

// A version above ours may have more behind the flags (section 3.2.4); ff is none.
const FIELD = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Given the field's value, returns its parts; undefined where there is none or it is not valid. */
export function parseTraceParent(value: string | undefined): TraceParent | undefined {
  if (value === undefined) return undefined
  const [, version, traceId, spanId, flags = '0', more] = FIELD.exec(value) ?? []
  if (traceId === undefined || spanId === undefined || (version === '00' && more !== undefined)) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
