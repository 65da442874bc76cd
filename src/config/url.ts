// Where an upstream is: URLs and HOST:PORT of the configuration, read once into parts that cannot be wrong.
import { isIP } from 'node:net'

/** A place to go to. All parts are as they appear in requests: names in lower case, no default left open. */
export interface EndpointUrl {
  /** `https://HOST[:PORT]`, the port only where it is not the scheme's own. */
  readonly origin: string
  /** For the Host header: the name, an IPv6 address in brackets, the port only where it is not the scheme's own. */
  readonly host: string
  /** For DNS and certificates: without port and brackets. */
  readonly hostname: string
  readonly port: number
  /** Put in front of every path that is sent upstream: empty, or begins with a slash and does not end with one. */
  readonly path: string
}

/** Where the connection goes instead of where the URL's name would lead. */
export interface Connect {
  readonly host: string
  readonly port: number
}

const SCHEME_PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 }

// A URL that could carry a secret is never shown, so each kind of it has words of its own.
const TELLING = [
  [/^[^?#]*\/\/[^/?#]*@/, 'a URL with a user name'],
  [/\?/, 'a URL with a query'],
  [/#/, 'a URL with a fragment'],
] as const

/** Given the text of an http or https URL, returns its parts, or in words what it is instead (which holds nothing of the text). */
export function readUrl(text: string): EndpointUrl | string {
  const telling = TELLING.find(([pattern]) => pattern.test(text))
  if (telling !== undefined) return telling[1]
  const url = URL.parse(text)
  const defaultPort = url === null ? undefined : SCHEME_PORTS[url.protocol]
  if (url === null || defaultPort === undefined || !/^https?:\/\/[^/]/i.test(text)) return 'text that is no https URL'
  if (url.port === '0') return 'a URL with port 0'
  if (url.pathname !== rawPath(text) || /\/\/|%(?:2e|2f|5c)/i.test(url.pathname)) return 'a URL with a path that can be read in more than one way'
  return Object.freeze({
    origin: url.origin,
    host: url.host,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPort : Number(url.port),
    path: url.pathname.replace(/\/$/, ''),
  })
}

// URL repairs what it does not like (dot segments, backslashes, blanks); a path that it changed was not plain.
function rawPath(text: string): string {
  const path = text.slice(text.indexOf('//') + 2).replace(/^[^/]*/, '')
  return path === '' ? '/' : path
}

/** Given `HOST:PORT`, an IPv6 address in brackets, returns both, or nothing where it is not that. */
export function readConnect(text: string): Connect | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  const host = bracketed ?? plain ?? ''
  const known = bracketed === undefined ? isHostName(host) : isIP(host) === 6
  return known && port >= 1 && port <= 65_535 ? Object.freeze({ host: host.toLowerCase(), port }) : undefined
}

/** Returns whether the text is a DNS name or an IPv4 address: letters, digits, hyphens and underscores between single dots. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i.test(text)
}

/** Returns whether bytes for this host never leave the machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
