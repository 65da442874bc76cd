// Where a host and path lead. There is no default route (contract section 4).
import type { ServiceName } from '../azure/services.ts'
import type { RouteNumbers } from '../observe/recorder.ts'
import { refuse } from '../refusal.ts'
import type { PeerRules } from '../tls/peer.ts'
import type { SasPolicy } from '../sas/admission.ts'
import type { UserDelegationKey } from '../sas/signing-keys.ts'
import type { UpstreamPool } from './pool.ts'

/** The far end of a route. */
export interface Origin {
  /** ACCOUNT.SERVICE or the API's name. */
  readonly name: string
  /** The upstream's own name, for its Host field. */
  readonly host: string
  /** Put in front of every path; empty for most. */
  readonly pathPrefix: string
  readonly pool: UpstreamPool
}

export interface StorageRoute {
  readonly kind: 'storage'
  readonly account: string
  readonly service: ServiceName
  /** How shared access signatures for the account are judged. */
  readonly sas: SasPolicy
  /** Told of each user delegation key that passes; undefined where they are not to be remembered. */
  readonly learned: ((key: UserDelegationKey) => void) | undefined
  readonly origin: Origin
  readonly numbers: RouteNumbers
}

export interface ApiRoute {
  readonly kind: 'api'
  readonly name: string
  /** Without a trailing slash; empty for the whole host. */
  readonly prefix: string
  /** WebSocket upgrades are carried too. */
  readonly websocket: boolean
  /** Who may pass on this name; undefined where the rules for all names hold. */
  readonly clients: PeerRules | undefined
  readonly origin: Origin
  readonly numbers: RouteNumbers
}

export type Route = StorageRoute | ApiRoute

/** What a host name stands for: one storage endpoint, or APIs with the longest prefix first. */
export type Site = StorageRoute | readonly ApiRoute[]

/** By host name in lower case, without port and trailing dot. */
export type SiteTable = ReadonlyMap<string, Site>

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)\.?(?::(?:[0-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?$/

/** A Host field's name in lower case, without port and trailing dot; undefined when it cannot be one. */
export function hostName(host: string): string | undefined {
  return HOST.exec(host.toLowerCase())?.[1]
}

/**
 * The site of a request. `serverName` is what the handshake named, if it named any. Refuses with `host-not-sni` where
 * the two differ (security.md N2), `host-unknown` where nobody configured the name.
 */
export function matchSite(sites: SiteTable, serverName: string | undefined, host: string): Site {
  const name = hostName(host)
  if (name === undefined) refuse('http-malformed', { why: 'host' })
  if (serverName !== undefined && serverName !== name) refuse('host-not-sni')
  const site = sites.get(name)
  if (site === undefined) refuse('host-unknown', { host: name.slice(0, 253) })
  return site
}

/** The route of a path on a site: whole segments of the decoded path (security.md P3). Refuses with `path-unknown`. */
export function matchRoute(site: Site, decodedPath: string): Route {
  if (!isApis(site)) return site
  return matchPrefix(site, decodedPath) ?? refuse('path-unknown')
}

/** Returns the first whose prefix holds the path, as whole segments; undefined where none does. */
export function matchPrefix<T extends { readonly prefix: string }>(routes: readonly T[], path: string): T | undefined {
  for (const route of routes) {
    const { prefix } = route
    if (path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)) return route
  }
  return undefined
}

/** Returns whether a site is one of APIs. */
export function isApis(site: Site): site is readonly ApiRoute[] {
  return Array.isArray(site)
}
