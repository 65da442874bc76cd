// Shared Key and Shared Key Lite: the strings to sign, whether a request's signature is right, and a request's signature made
// anew after an edit (spec/sas.md 16).
import { type KeyObject, createHmac, timingSafeEqual } from 'node:crypto'
import { compareByByte, compareLikeService } from './header-order.ts'
import type { ServiceName } from './services.ts'

/** One of an account's two keys, made once with `createSecretKey` from the decoded base64. A KeyObject prints as nothing. */
export interface AccountKey {
  readonly slot: 'key1' | 'key2'
  readonly key: KeyObject
}

/** A request as far as Shared Key signs it. */
export interface KeyedRequest {
  /** The table service signs other lines than the rest. */
  readonly service: ServiceName
  readonly method: string
  /** Encoded as it is sent, without the query. */
  readonly path: string
  /** As it is sent, without the `?`. */
  readonly query: string | undefined
  /** Flat list of names and values. */
  readonly headers: readonly string[]
}

export type KeyScheme = 'SharedKey' | 'SharedKeyLite'

/** One way to write the string to sign, where clients and service differ (spec/sas.md 16.1). */
export interface KeyReading {
  readonly scheme: KeyScheme
  /** Of the `x-ms-` headers. */
  readonly order: 'service' | 'byte'
  /** The JavaScript SDK writes Content-Language before Content-Encoding. */
  readonly languageFirst: boolean
}

export interface KeyProof {
  readonly slot: AccountKey['slot']
  readonly reading: KeyReading
}

const AUTHORIZATION = /^(SharedKey|SharedKeyLite) ([a-z0-9]{3,24}):([A-Za-z0-9+/]{43}=)$/
const ORDERS = { service: compareLikeService, byte: compareByByte } as const
/** Until then a length of zero was signed as `0`. */
const EMPTY_LENGTH_SINCE = '2015-02-21'
const IMF_FIXDATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/
const DATE_TOLERANCE_MS = 15 * 60_000

const SINGLE_HEADERS = ['if-modified-since', 'if-match', 'if-none-match', 'if-unmodified-since', 'range'] as const

type Headers = ReadonlyMap<string, string>

/** What an Authorization field of either kind of Shared Key says. */
export interface KeyCredential {
  readonly scheme: KeyScheme
  readonly account: string
  readonly signature: Buffer
}

/** A request whose fields were read once, for every question about its signature. */
export interface ReadRequest {
  readonly request: KeyedRequest
  /** By name in lower case; repeated ones joined, as RFC 9110 section 5.3 has it. */
  readonly headers: Headers
  /** Undefined where the Authorization field is missing or is no Shared Key of either kind. */
  readonly credential: KeyCredential | undefined
}

/** Reads a request's fields. */
export function readKeyedRequest(request: KeyedRequest): ReadRequest {
  const headers = headersOf(request)
  return { request, headers, credential: credentialOf(headers) }
}

/**
 * Whose key signed the request, and in which reading; undefined for none, for another account and for another scheme. Every
 * key and reading is compared in constant time. The date is another matter: `isDateClose`.
 */
export function requestSignatureMatches({ request, headers, credential }: ReadRequest, account: string, keys: readonly AccountKey[]): KeyProof | undefined {
  if (credential === undefined || credential.account !== account) return undefined
  const tried = new Set<string>()
  for (const reading of readingsOf(credential.scheme, request.service)) {
    const text = textOf(request, headers, account, reading)
    if (tried.has(text)) continue
    tried.add(text)
    for (const { slot, key } of keys) if (timingSafeEqual(hmac(text, key), credential.signature)) return { slot, reading }
  }
  return undefined
}

/** Who signs a request that goes upstream: not always the one whose key verified the client's. */
export interface RequestSigner {
  readonly account: string
  readonly key: KeyObject
  readonly scheme: KeyScheme
}

/**
 * Signs a request as the service documents it. `now` is ms since the epoch. The sender drops `Date`, sets `x-ms-date` to
 * `date` and `Authorization` to `authorization`; a Content-Length that an edit changed has to be in `headers` already.
 */
export function signRequest(request: KeyedRequest, { account, key, scheme }: RequestSigner, now: number): { readonly date: string; readonly authorization: string } {
  const date = new Date(now).toUTCString()
  const headers = new Map(headersOf(request))
  headers.delete('date')
  headers.set('x-ms-date', date)
  const text = textOf(request, headers, account, { scheme, order: 'service', languageFirst: false })
  return { date, authorization: `${scheme} ${account}:${hmac(text, key).toString('base64')}` }
}

/** Returns whether the date that the request signs is within 15 minutes of `now` (ms since the epoch), as the service asks. */
export function isDateClose({ headers }: ReadRequest, now: number): boolean {
  const date = headers.get('x-ms-date') ?? headers.get('date') ?? ''
  return IMF_FIXDATE.test(date) && Math.abs(Date.parse(date) - now) <= DATE_TOLERANCE_MS
}

/** The string to sign of a request in one reading. */
export function requestStringToSign(request: KeyedRequest, account: string, reading: KeyReading): string {
  return textOf(request, headersOf(request), account, reading)
}

function readingsOf(scheme: KeyScheme, service: ServiceName): readonly KeyReading[] {
  const of = (order: KeyReading['order'], languageFirst: boolean): KeyReading => ({ scheme, order, languageFirst })
  if (service === 'table') return [of('service', false)]
  const documented = [of('service', false), of('byte', false)]
  return scheme === 'SharedKeyLite' ? documented : [...documented, of('service', true), of('byte', true)]
}

function textOf(request: KeyedRequest, headers: Headers, account: string, reading: KeyReading): string {
  const lines = request.service === 'table' ? tableLines(request, headers, reading) : objectLines(request, headers, reading)
  const whole = request.service !== 'table' && reading.scheme === 'SharedKey'
  return `${lines.join('\n')}\n${request.service === 'table' ? '' : canonicalHeaders(headers, reading)}/${account}${request.path}${whole ? wholeQuery(request.query) : compOf(request.query)}`
}

/** Blob, dfs, file and queue. */
function objectLines({ method }: KeyedRequest, headers: Headers, { scheme, languageFirst }: KeyReading): readonly string[] {
  const of = (name: string): string => headers.get(name) ?? ''
  const date = headers.has('x-ms-date') ? '' : of('date')
  if (scheme === 'SharedKeyLite') return [method, of('content-md5'), of('content-type'), date]
  const encoding = [of('content-encoding'), of('content-language')]
  return [method, ...(languageFirst ? encoding.toReversed() : encoding), lengthLine(headers), of('content-md5'), of('content-type'), date, ...SINGLE_HEADERS.map(of)]
}

function tableLines({ method }: KeyedRequest, headers: Headers, { scheme }: KeyReading): readonly string[] {
  const of = (name: string): string => headers.get(name) ?? ''
  const date = headers.get('x-ms-date') ?? of('date')
  return scheme === 'SharedKeyLite' ? [date] : [method, of('content-md5'), of('content-type'), date]
}

function lengthLine(headers: Headers): string {
  const length = headers.get('content-length') ?? ''
  return length === '0' && (headers.get('x-ms-version') ?? EMPTY_LENGTH_SINCE) >= EMPTY_LENGTH_SINCE ? '' : length
}

function canonicalHeaders(headers: Headers, { order }: KeyReading): string {
  const names = [...headers.keys()].filter((name) => name.startsWith('x-ms-')).toSorted(ORDERS[order])
  return names.map((name) => `${name}:${headers.get(name) ?? ''}\n`).join('')
}

/** Every parameter by its name in lower case; several values sorted and joined. */
function wholeQuery(query: string | undefined): string {
  const values = new Map<string, string[]>()
  for (const [name, value] of parametersIn(query)) {
    const key = name.toLowerCase()
    values.set(key, [...(values.get(key) ?? []), value])
  }
  return [...values].toSorted(([a], [b]) => compareByByte(a, b)).map(([name, all]) => `\n${name}:${all.toSorted(compareByByte).join(',')}`).join('')
}

function compOf(query: string | undefined): string {
  const comp = parametersIn(query).find(([name]) => name.toLowerCase() === 'comp')?.[1]
  return comp === undefined || comp === '' ? '' : `?comp=${comp}`
}

function parametersIn(query = ''): readonly (readonly [name: string, value: string])[] {
  return query.split('&').filter((part) => part !== '').map((part) => {
    const equals = part.indexOf('=')
    return equals < 0 ? [decode(part), ''] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))]
  })
}

/** What cannot be decoded stays as it is; no service will agree with it. */
function decode(raw: string): string {
  const spaced = raw.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

/** By name in lower case; repeated ones joined, as RFC 9110 section 5.3 has it. */
function headersOf({ headers }: KeyedRequest): Headers {
  const map = new Map<string, string>()
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase()
    const value = (headers[i + 1] ?? '').trim()
    const earlier = map.get(name)
    map.set(name, earlier === undefined ? value : `${earlier},${value}`)
  }
  return map
}

function credentialOf(headers: Headers): KeyCredential | undefined {
  const [, scheme, account, signature] = AUTHORIZATION.exec(headers.get('authorization') ?? '') ?? []
  if (scheme === undefined || account === undefined || signature === undefined) return undefined
  return { scheme: scheme as KeyScheme, account, signature: Buffer.from(signature, 'base64') }
}

function hmac(text: string, key: KeyObject): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
