// Who may ask the admin listener. /status says who connected and how. A web page that the operator has open must not
// read it. After DNS rebinding, the browser sends the name of that page's site as Host. A request from another site
// says so in Sec-Fetch-Site (contract section 7, security.md F10).
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostName } from '../upstream/routes.ts'

export type Visit = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'headersDistinct'>

/** Why a request is not answered, with its status. */
export interface Denial {
  readonly status: 403 | 421
  readonly why: string
}

const NOT_OURS: Denial = { status: 421, why: 'Host must be one IP address, localhost or one of listen.admin.hosts' }
const CROSS_SITE: Denial = { status: 403, why: 'the page of another site sent this request' }

/**
 * Returns why a request is denied, or undefined if it is answered. `hosts` are names in lower case. `localhost` and IP
 * addresses need not be in it.
 */
export function denialOf(visit: Visit, hosts: ReadonlySet<string>): Denial | undefined {
  const { method, url = '', headers, headersDistinct } = visit
  const [host, ...more] = headersDistinct.host ?? []
  // An absolute-form target names a host of its own, and two Host fields could be read in two ways.
  if (host === undefined || more.length > 0 || /^[^/*]/.test(url) || !isOurs(host, hosts)) return NOT_OURS
  return headers['sec-fetch-site'] === 'cross-site' && !isLink(method, url, headers) ? CROSS_SITE : undefined
}

function isOurs(host: string, hosts: ReadonlySet<string>): boolean {
  const name = hostName(host)
  if (name === undefined) return false
  return name === 'localhost' || hosts.has(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
}

/** Returns whether the user followed a link to a page. The page that has the link cannot read the answer. */
function isLink(method: string | undefined, url: string, headers: Visit['headers']): boolean {
  const isPage = /^\/(?:docs\/[^?]*)?(?:\?.*)?$/.test(url)
  const isNavigation = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
  return method === 'GET' && isPage && isNavigation
}
