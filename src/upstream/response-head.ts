// Reads the head of an upstream's reply (RFC 9112) strictly: what two readers could read differently is a broken reply,
// never a guess (security.md S7).
import { UpstreamFailure } from './failure.ts'

/** How the body's end is found (RFC 9112 section 6.3). */
export type Framing = 'none' | 'length' | 'chunked' | 'close'

export interface ResponseHead {
  readonly status: number
  readonly reasonPhrase: string
  /** End-to-end header fields as they came, flat: name, value, name, value. */
  readonly headers: string[]
  readonly framing: Framing
  /** Body bytes with framing `length`; 0 otherwise. */
  readonly length: number
  /** The connection may carry another request after this reply. */
  readonly persistent: boolean
  /** Seconds that the upstream says it keeps an idle connection; undefined where it does not say. */
  readonly keepAliveSeconds: number | undefined
}

/** A reply's head is at most this long. */
export const HEAD_LIMIT = 65536

const FIELD = { keep: 0, drop: 1, contentLength: 2, transferEncoding: 3, connection: 4, keepAlive: 5 } as const
type FieldKind = (typeof FIELD)[keyof typeof FIELD]

const SPECIAL: readonly (readonly [name: string, kind: FieldKind])[] = [
  ['content-length', FIELD.contentLength], ['transfer-encoding', FIELD.transferEncoding], ['connection', FIELD.connection],
  ['keep-alive', FIELD.keepAlive], ['proxy-connection', FIELD.drop], ['proxy-authenticate', FIELD.drop],
  ['proxy-authorization', FIELD.drop], ['te', FIELD.drop], ['trailer', FIELD.drop], ['upgrade', FIELD.drop],
]
/** By the length of the name: most names have none like it, and need not be brought to lower case. */
const SPECIAL_BY_LENGTH = Array.from({ length: 20 }, (_, length) => SPECIAL.filter(([name]) => name.length === length))

/** Classes of the 256 characters of Latin-1. A value takes all but control characters other than TAB (RFC 9110 section 5.5). */
const NAME = 1
const VALUE = 2
const CLASSES = Uint8Array.from({ length: 256 }, (_, code) => {
  const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/.test(String.fromCharCode(code)) ? NAME : 0
  return code === 9 || (code >= 0x20 && code !== 0x7f) ? token | VALUE : 0
})
const COLON = 0x3a
const CR = 0x0d
const LF = 0x0a
// Beyond 599 no status is one (RFC 9110 section 15).
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d{2})(?: ([^\r\n]*))?$/
const DIGITS = /^\d{1,15}$/

function broken(code: string): never {
  throw new UpstreamFailure('reset', code)
}

/** The first place from `at` on whose character is not of the class. */
function skip(text: string, at: number, wanted: number): number {
  let end = at
  while (end < text.length && ((CLASSES[text.charCodeAt(end)] as number) & wanted) !== 0) end++
  return end
}

/** The end of the line that begins at `at`: its CRLF, or the end of the text. No other control character may be in it. */
function endOfLine(text: string, at: number): number {
  const end = skip(text, at, VALUE)
  if (end < text.length && (text.charCodeAt(end) !== CR || text.charCodeAt(end + 1) !== LF)) broken('REPLY_CONTROL_CHARACTER')
  return end
}

function kindOf(name: string): FieldKind {
  const alike = SPECIAL_BY_LENGTH[name.length]
  if (alike === undefined || alike.length === 0) return FIELD.keep
  const lower = name.toLowerCase()
  for (const [special, kind] of alike) if (lower === special) return kind
  return FIELD.keep
}

interface Draft {
  headers: string[]
  length: number | undefined
  chunked: boolean
  connection: string | undefined
  keepAliveSeconds: number | undefined
}

/**
 * Parses `text`, a reply's head in Latin-1 up to and without its last CRLF CRLF. `method` is the request's. Throws an
 * UpstreamFailure of kind `reset` for anything that is not well-formed.
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const end = endOfLine(text, 0)
  const line = STATUS_LINE.exec(text.slice(0, end))
  if (line === null) broken('REPLY_STATUS_LINE')
  const draft: Draft = { headers: [], length: undefined, chunked: false, connection: undefined, keepAliveSeconds: undefined }
  readFields(text, end + 2, draft)
  const http11 = line[1] === '1'
  if (draft.chunked && (draft.length !== undefined || !http11)) broken('REPLY_TWO_LENGTHS')
  return finish(Number(line[2]), line[3] ?? '', draft, method, http11)
}

/** One pass over the characters: a regular expression over the whole head and a map of all names cost twice as much. */
function readFields(text: string, from: number, draft: Draft): void {
  for (let at = from; at < text.length; ) {
    const colon = skip(text, at, NAME)
    if (colon === at || text.charCodeAt(colon) !== COLON) broken('REPLY_FIELD_NAME')
    const end = endOfLine(text, colon + 1)
    const name = text.slice(at, colon)
    readField(name, withoutBlanks(text, colon + 1, end), kindOf(name), draft)
    at = end + 2
  }
}

/** Blanks and tabs only: String.trim would take 0xA0 as well, the last byte of an `à` in UTF-8. */
function withoutBlanks(text: string, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function readField(name: string, value: string, kind: FieldKind, draft: Draft): void {
  switch (kind) {
    case FIELD.keep:
      draft.headers.push(name, value)
      return
    case FIELD.contentLength:
      if (draft.length !== undefined || !DIGITS.test(value)) broken('REPLY_CONTENT_LENGTH')
      draft.length = Number(value)
      draft.headers.push(name, value)
      return
    case FIELD.transferEncoding:
      if (draft.chunked || value.toLowerCase() !== 'chunked') broken('REPLY_TRANSFER_CODING')
      draft.chunked = true
      return
    case FIELD.connection:
      draft.connection = (draft.connection === undefined ? value : `${draft.connection},${value}`).toLowerCase()
      return
    case FIELD.keepAlive:
      draft.keepAliveSeconds = keepAliveSeconds(value)
      return
    default:
  }
}

function keepAliveSeconds(value: string): number | undefined {
  const seconds = /timeout=(\d{1,9})/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

function finish(status: number, reasonPhrase: string, draft: Draft, method: string, http11: boolean): ResponseHead {
  const options = draft.connection === undefined ? [] : draft.connection.split(',').map((option) => option.trim())
  const framing = framingOf(status, method, draft)
  return {
    status,
    reasonPhrase,
    headers: options.length === 0 ? draft.headers : withoutNamed(draft.headers, options),
    framing,
    length: framing === 'length' ? (draft.length ?? 0) : 0,
    persistent: framing !== 'close' && (http11 ? !options.includes('close') : options.includes('keep-alive')),
    keepAliveSeconds: draft.keepAliveSeconds,
  }
}

function framingOf(status: number, method: string, draft: Draft): Framing {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 'none'
  if (draft.chunked) return 'chunked'
  if (draft.length === undefined) return 'close'
  return draft.length === 0 ? 'none' : 'length'
}

/** RFC 9110 section 7.6.1: fields that the Connection field names end here; those a reply's meaning hangs on never do. */
function withoutNamed(headers: string[], named: readonly string[]): string[] {
  if (named.every((name) => name === 'keep-alive' || name === 'close')) return headers
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase()
    const own = name.startsWith('content-') || name.startsWith('x-ms-') || name === 'strict-transport-security'
    if (own || !named.includes(name)) kept.push(headers[i] as string, headers[i + 1] as string)
  }
  return kept
}
