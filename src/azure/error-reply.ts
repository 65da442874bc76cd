// Our own replies in the shape that the service's clients expect (spec/sas.md section 15), or as RFC 9457 problem details
// where no storage client is on the other end. Pure: ids and times come in.
import type { Refusal } from '../refusal.ts'
import { SERVICES, type ServiceName } from './services.ts'

/** Who asked, as far as the reply depends on it. */
export interface ReplyContext {
  /** The storage service whose shape to use; undefined gives problem details. */
  readonly service: ServiceName | undefined
  readonly requestId: string
  /** For `x-ms-version`: the request's own version, if it gave one. */
  readonly version: string | undefined
  /** Echoed when it is visible ASCII of at most 1024 characters. */
  readonly clientRequestId: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** No body: the reason phrase holds the message then. */
  readonly head: boolean
}

export interface ErrorReply {
  readonly status: number
  readonly reasonPhrase: string
  /** Flat list of names and values. */
  readonly headers: readonly string[]
  readonly body: string
}

const VERSION = /^\d{4}-\d{2}-\d{2}$/
const DEFAULT_VERSION = '2021-12-02'
const ECHOABLE = /^[\x21-\x7e]{1,1024}$/

const CONTENT_TYPES = {
  xml: 'application/xml',
  odata: 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8',
  json: 'application/json;charset=utf-8',
  problem: 'application/problem+json',
} as const

/** A refusal as a reply. Rows without a status (nothing can be said there) give 400. */
export function errorReply(refusal: Refusal, context: ReplyContext): ErrorReply {
  const format = context.service === undefined ? 'problem' : SERVICES[context.service].errorFormat
  const text = BODIES[format](refusal, context)
  const headers = [
    'Content-Type', CONTENT_TYPES[format],
    'x-tidegate-reason', refusal.reason,
    'Date', new Date(context.now).toUTCString(),
    'Cache-Control', 'no-store',
  ]
  if (context.service === undefined) headers.push('x-request-id', context.requestId)
  else pushStorageHeaders(headers, refusal, context)
  if (refusal.retryAfter !== undefined) headers.push('Retry-After', String(refusal.retryAfter))
  headers.push(...refusal.fields)
  const body = context.head ? '' : text
  headers.push('Content-Length', String(Buffer.byteLength(text)))
  return { status: refusal.status ?? 400, reasonPhrase: refusal.says, headers, body }
}

/** A reply as it goes out on a bare connection, which ends with it. */
export function replyBytes({ status, reasonPhrase, headers, body }: ErrorReply): Buffer {
  const lines = [`HTTP/1.1 ${status} ${reasonPhrase}`]
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  lines.push('Connection: close', '', body)
  return Buffer.from(lines.join('\r\n'))
}

function pushStorageHeaders(headers: string[], refusal: Refusal, context: ReplyContext): void {
  const { version, clientRequestId } = context
  headers.push('x-ms-error-code', code(refusal), 'x-ms-request-id', context.requestId)
  headers.push('x-ms-version', version !== undefined && VERSION.test(version) ? version : DEFAULT_VERSION)
  if (clientRequestId !== undefined && ECHOABLE.test(clientRequestId)) headers.push('x-ms-client-request-id', clientRequestId)
}

function code(refusal: Refusal): string {
  return refusal.azure ?? 'InternalError'
}

/** A refusal of client-side encryption names its container and blob, or its queue. */
function subject(refusal: Refusal): string {
  const { container, blob, queue } = refusal.detail
  if (refusal.code === undefined) return ''
  if (typeof queue === 'string') return ` Queue: ${queue}.`
  return typeof container === 'string' ? ` Container: ${container}.${typeof blob === 'string' && blob !== '' ? ` Blob: ${blob}.` : ''}` : ''
}

/** The service's three lines: text, request id, time with seven decimals. */
function message(refusal: Refusal, context: ReplyContext): string {
  const time = new Date(context.now).toISOString().replace('Z', '0000Z')
  return `${refusal.says}${subject(refusal)}\nRequestId:${context.requestId}\nTime:${time}`
}

const BODIES: Record<keyof typeof CONTENT_TYPES, (refusal: Refusal, context: ReplyContext) => string> = {
  xml: (refusal, context) => {
    const extra = Object.entries(refusal.tells).map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`).join('')
    return `\uFEFF<?xml version="1.0" encoding="utf-8"?><Error><Code>${code(refusal)}</Code><Message>${escapeXml(message(refusal, context))}</Message>${extra}</Error>`
  },
  odata: (refusal, context) => JSON.stringify({ 'odata.error': { code: code(refusal), message: { lang: 'en-US', value: message(refusal, context) } } }),
  json: (refusal, context) => {
    const { AuthenticationErrorDetail: detail } = refusal.tells
    return JSON.stringify({ error: { code: code(refusal), message: message(refusal, context), ...(detail === undefined ? {} : { detail: { AuthenticationErrorDetail: detail } }) } })
  },
  problem: (refusal, context) => JSON.stringify({
    type: `urn:tidegate:reason:${refusal.reason}`,
    title: refusal.says,
    status: refusal.status ?? 400,
    reason: refusal.reason,
    requestId: context.requestId,
  }),
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
