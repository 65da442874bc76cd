// Who may ask the admin listener: the status holds who connected and how, and a page of a stranger that the operator has
// open must not read it. DNS rebinding makes the browser send the stranger's own name as Host; a plain request across
// sites says so in Sec-Fetch-Site (contract section 7, security.md F10).
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { hostName } from '../upstream/routes.ts'

export interface Visit {
  readonly method: string
  /** The path with its query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

/** What a request that may not be answered gets, and why. */
export interface Turned {
  readonly status: 403 | 421
  readonly why: string
}

/** Returns undefined for a request that may be answered. `hosts` are names in lower case, beside `localhost` and addresses. */
export function turnAway({ method, url, headers }: Visit, hosts: ReadonlySet<string>): Turned | undefined {
  if (!isOurs(headers.host, hosts)) return { status: 421, why: 'Host is no IP address, not localhost and none of listen.admin.hosts' }
  if (headers['sec-fetch-site'] !== 'cross-site' || isLink(method, url, headers)) return undefined
  return { status: 403, why: 'asked by the page of another site' }
}

function isOurs(host: string | undefined, hosts: ReadonlySet<string>): boolean {
  const name = host === undefined ? undefined : hostName(host)
  return name !== undefined && (name === 'localhost' || hosts.has(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0)
}

/** Someone followed a link to a page; a stranger's page cannot read what comes of that. */
function isLink(method: string, url: string, headers: IncomingHttpHeaders): boolean {
  const isPage = /^\/(?:docs\/[^?]*)?(?:\?.*)?$/.test(url)
  return method === 'GET' && isPage && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
}
