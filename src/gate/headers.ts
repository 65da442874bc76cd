// Which header fields go through, in each direction (contract section 4 and 5). One pass over the fields as they came;
// what is known of a name is looked up once and kept.
import { refuse } from '../refusal.ts'

/** What the gate needs to know of a request's fields, and the fields that go up. */
export interface RequestFields {
  /** End-to-end fields as they came, each with its CRLF, ready to be sent. */
  readonly lines: string
  /** The one Host; undefined when there is none. */
  readonly host: string | undefined
  /** Undefined when the request gives no length. */
  readonly contentLength: number | undefined
  readonly chunked: boolean
  readonly expect: string | undefined
  readonly via: string
  /** The caller's trace, not checked yet. */
  readonly traceparent: string | undefined
  /** Copy and rename sources, by lower-case name; most requests have none. */
  readonly sources: ReadonlyMap<string, string>
}

const FIELD = { keep: 0, drop: 1, host: 2, contentLength: 3, transferEncoding: 4, connection: 5, expect: 6, via: 7, source: 8, traceparent: 9 } as const
type FieldKind = (typeof FIELD)[keyof typeof FIELD]

const SPECIAL: ReadonlyMap<string, FieldKind> = new Map<string, FieldKind>([
  ['host', FIELD.host], ['content-length', FIELD.contentLength], ['transfer-encoding', FIELD.transferEncoding],
  ['connection', FIELD.connection], ['expect', FIELD.expect], ['via', FIELD.via], ['traceparent', FIELD.traceparent],
  // Hop by hop (RFC 9110 section 7.6.1), with the ones that old software adds.
  ...['keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'upgrade', 'http2-settings']
    .map((name): [string, FieldKind] => [name, FIELD.drop]),
  // A client's word about who it is (security.md H1).
  ...['forwarded', 'x-real-ip'].map((name): [string, FieldKind] => [name, FIELD.drop]),
  ...['x-ms-copy-source', 'x-ms-rename-source', 'x-ms-file-rename-source'].map((name): [string, FieldKind] => [name, FIELD.source]),
])
const CLIENT_CLAIMS = /^(?:x-forwarded-|x-client-cert|x-ssl-|client-cert)/
/** A Connection field never removes these, API keys and tokens among them (security.md S5); without its coding a body would be read as requests (S1). */
const PROTECTED = /^(?:transfer-encoding$|authorization$|cookie$|host$|via$|content-|x-ms-|range$|if-|date$|expect$|(?:.*-)?(?:apikey|key|token)$)/

// Clients send the same few names; the memory is bounded because they choose them.
const kinds = new Map<string, FieldKind>()
const KINDS_LIMIT = 2000
const LONGEST_KEPT = 64
/** Some readers take a leading zero for octal digits to come: RFC 9110 section 8.6 allows it, and nobody sends it. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/

function kindOf(name: string): FieldKind {
  const known = kinds.get(name)
  if (known !== undefined) return known
  const kind = classify(name.toLowerCase())
  if (kinds.size < KINDS_LIMIT && name.length <= LONGEST_KEPT) kinds.set(name, kind)
  return kind
}

function classify(name: string): FieldKind {
  const special = SPECIAL.get(name)
  if (special !== undefined) return special
  if (CLIENT_CLAIMS.test(name)) return FIELD.drop
  // Names that a CGI-like upstream would fold onto another one (security.md H3); metadata may bear them.
  return name.includes('_') && !name.startsWith('x-ms-') ? FIELD.drop : FIELD.keep
}

interface Draft {
  lines: string
  host: string | undefined
  contentLength: number | undefined
  chunked: boolean
  expect: string | undefined
  via: string
  traceparent: string | undefined
  connection: string
  sources: Map<string, string>
}

const NOTHING: ReadonlyMap<string, string> = new Map()

/**
 * Reads the raw fields of a request: name, value, name, value. `http11` is false for HTTP/1.0. Refuses with
 * `http-malformed` what two readers could frame differently (security.md S1, S2).
 */
export function readRequestFields(raw: readonly string[], http11: boolean): RequestFields {
  const draft: Draft = { lines: '', host: undefined, contentLength: undefined, chunked: false, expect: undefined, via: '', traceparent: undefined, connection: '', sources: NOTHING as Map<string, string> }
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    const kind = kindOf(name)
    if (kind === FIELD.keep) draft.lines += `${name}: ${value}\r\n`
    else if (kind !== FIELD.drop) readSpecial(draft, kind, name, value, http11)
  }
  if (draft.chunked && draft.contentLength !== undefined) refuse('http-malformed', { why: 'two lengths' })
  if (draft.connection !== '') draft.lines = withoutNamed(draft.lines, draft.connection)
  return draft
}

function readSpecial(draft: Draft, kind: FieldKind, name: string, value: string, http11: boolean): void {
  switch (kind) {
    case FIELD.host:
      if (draft.host !== undefined) refuse('http-malformed', { why: 'two hosts' })
      draft.host = value
      return
    case FIELD.contentLength:
      if (draft.contentLength !== undefined || !LENGTH.test(value)) refuse('http-malformed', { why: 'content length' })
      draft.contentLength = Number(value)
      break
    case FIELD.transferEncoding:
      if (draft.chunked || !http11 || value.toLowerCase() !== 'chunked') refuse('http-malformed', { why: 'transfer coding' })
      draft.chunked = true
      break
    case FIELD.connection:
      if (!/^(?:keep-alive|close)$/i.test(value)) draft.connection += `,${value.toLowerCase()}`
      return
    case FIELD.expect:
      draft.expect = value
      return
    case FIELD.via:
      draft.via += `,${value}`
      break
    case FIELD.traceparent:
      // Two of them are ignored (Trace Context section 3.2.1); they go up all the same.
      draft.traceparent = draft.traceparent === undefined ? value : ''
      break
    default:
      noteSource(draft, name.toLowerCase(), value)
  }
  draft.lines += `${name}: ${value}\r\n`
}

/** A source field may come once only: two could be read differently here and upstream. */
function noteSource(draft: Draft, name: string, value: string): void {
  if (draft.sources === NOTHING) draft.sources = new Map()
  if (draft.sources.has(name)) refuse('http-malformed', { why: 'repeated field', field: name })
  draft.sources.set(name, value)
}

function withoutNamed(lines: string, connection: string): string {
  const named = new Set(connection.split(',').map((name) => name.trim()).filter((name) => name !== '' && !PROTECTED.test(name)))
  return lines.split('\r\n').filter((line) => !named.has(line.slice(0, line.indexOf(':')).toLowerCase())).join('\r\n')
}

/** Returns the fields without the one of that name, in lower case, however often it stands. */
export function withoutField(fields: RequestFields, name: string): RequestFields {
  const lines = fields.lines.split('\r\n').filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() !== name).join('\r\n')
  return { ...fields, lines }
}

const HSTS = 'strict-transport-security'
const HSTS_LENGTH = HSTS.length

/** What the gate adds to a reply. */
export interface ReplyAdditions {
  /** A SAS was signed anew for this request. */
  readonly tightened: boolean
  /** The connection ends with this reply. */
  readonly close: boolean
}

/**
 * The fields of an upstream's reply as they go to the client: `fields` are end-to-end already and stay as they are;
 * HSTS is added where the upstream sets none. Changes and gives the same array.
 */
export function downstreamHeaders(fields: string[], additions: ReplyAdditions): string[] {
  if (!hasField(fields, HSTS, HSTS_LENGTH)) fields.push('Strict-Transport-Security', 'max-age=31536000')
  if (additions.tightened) fields.push('x-tidegate-sas', 'tightened')
  if (additions.close) fields.push('Connection', 'close')
  return fields
}

function hasField(fields: readonly string[], name: string, length: number): boolean {
  return fieldValue(fields, name, length) !== undefined
}

/** The value of a field in a flat list; compares lengths first since most names differ in it. */
export function fieldValue(fields: readonly string[], name: string, length = name.length): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    const candidate = fields[i] as string
    if (candidate.length === length && candidate.toLowerCase() === name) return fields[i + 1]
  }
  return undefined
}

/** The value of a field that is given once; undefined where it is missing or repeated, since readers differ about which counts. */
export function soleFieldValue(fields: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() !== name) continue
    if (found !== undefined) return undefined
    found = fields[i + 1]
  }
  return found
}
