// Admission: a plain function of plain values that gives a Permit or throws a Refusal, so that it can be tested without a
// socket.
import { refuse } from '../refusal.ts'
import type { ServiceName } from '../azure/services.ts'
import { parseTarget, type Target } from '../azure/target.ts'
import { admitSas, type KeptResults, type SasVerdict } from '../sas/admission.ts'
import { authorizePeer, type PeerIdentity, type PeerRules } from '../tls/peer.ts'
import { matchRoute, matchSite, isApis, hostName, type ApiRoute, type Route, type Site, type SiteTable, type StorageRoute } from '../upstream/routes.ts'
import { refuseDisguises } from '../upstream/folded-paths.ts'
import { editFields } from './storage/resign.ts'
import { judgeSources, type JudgedSource, type SourceHost } from './storage/sources.ts'
import type { RequestFields } from './headers.ts'

/** All that decides over a request, as one frozen value. */
export interface Snapshot {
  readonly generation: number
  readonly sites: SiteTable
  readonly kept: KeptResults
  /** Our pseudonym in Via fields, shared by replicas of one configuration. */
  readonly via: string
  readonly headerFields: number
  /** Who may pass, where a route has no rules of its own. */
  readonly clients: PeerRules
  /** Hosts that a copy source may name: ours, the upstreams' and Azure's public ones. */
  readonly sourceHosts: ReadonlyMap<string, SourceHost>
  /** Others may be named too, over https. */
  readonly anyHttpsSource: boolean
}

/** What is known of a request when it is judged. */
export interface RequestFacts {
  readonly method: string
  /** The request target as it came. */
  readonly target: string
  readonly fields: RequestFields
  /** The fields as they came, flat. */
  readonly raw: readonly string[]
  /** From the ClientHello; undefined without SNI. */
  readonly serverName: string | undefined
  readonly address: string
  /** The verified client certificate, if one was shown. */
  readonly peer: PeerIdentity | undefined
  /** A field's value as it came, where it came once; asked with a name in lower case. */
  readonly header: (name: string) => string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** "This may pass": where to, and as what. */
export interface StoragePermit {
  readonly route: StorageRoute
  readonly target: Target
  /** The request target that is sent upstream. */
  readonly upstreamTarget: string
  readonly sas: SasVerdict | undefined
  /** The fields that go up: the client's, or with edited sources and signed anew. */
  readonly fields: RequestFields
  /** Copy and rename sources that were judged. */
  readonly sources: readonly JudgedSource[]
}

export interface ApiPermit {
  readonly route: ApiRoute
  readonly target: Target
  readonly upstreamTarget: string
  readonly sas: undefined
}

export type Permit = StoragePermit | ApiPermit

/** Returns whether a permit is one for an API. */
export function isApiPermit(permit: Permit): permit is ApiPermit {
  return permit.route.kind === 'api'
}

/** Where a request leads. */
export interface Found {
  readonly target: Target
  readonly route: Route
}

/** The route of a request on a site that was already found. Refuses with the reasons of stage http, but for who may pass. */
export function findRoute(facts: RequestFacts, host: string, site: Site, snapshot: Snapshot): Found {
  const target = parseTarget(facts.target, host)
  if (facts.raw.length / 2 > snapshot.headerFields) refuse('headers-too-large', { why: 'fields', fields: facts.raw.length / 2 })
  // It would show a script the credentials that it may not read (RFC 9110 section 9.3.8), and what lies behind; nginx refuses it too.
  if (facts.method === 'TRACE') refuse('method-refused')
  const { expect, via } = facts.fields
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') refuse('expectation-failed')
  if (via !== '' && via.includes(snapshot.via)) refuse('loop')
  const route = matchRoute(site, target.decodedPath)
  refuseDisguises(site, route, target.path, snapshot.clients)
  return { target, route }
}

/** Judges a request whose route was already found. Refuses with `client-not-allowed` and the reasons of stages sas and storage. */
export function admit(facts: RequestFacts, { target, route }: Found, snapshot: Snapshot): Permit {
  if (route.kind === 'api') {
    authorizePeer(route.clients ?? snapshot.clients, facts.peer, facts.now)
    return { route, target, upstreamTarget: upstreamTarget(route.origin.pathPrefix, target.path, target.query), sas: undefined }
  }
  authorizePeer(snapshot.clients, facts.peer, facts.now)
  return admitStorage(facts, target, route, snapshot)
}

/** The Host of a request, checked against the name of the handshake, and the site behind it. */
export function findSite(facts: Pick<RequestFacts, 'fields' | 'serverName'>, snapshot: Snapshot): { host: string; site: Site } {
  const { host } = facts.fields
  if (host === undefined) refuse('http-malformed', { why: 'no host' })
  return { host, site: matchSite(snapshot.sites, facts.serverName, host) }
}

/**
 * The storage service whose clients a refusal has to be told to: by Host where it is one readable name of ours, else by
 * the name of the handshake (contract section 5).
 */
export function serviceOf(host: string | undefined, serverName: string | undefined, sites: SiteTable): ServiceName | undefined {
  const name = (host === undefined ? undefined : hostName(host)) ?? serverName
  const site = name === undefined ? undefined : sites.get(name)
  return site === undefined || isApis(site) ? undefined : site.service
}

function admitStorage(facts: RequestFacts, target: Target, route: StorageRoute, snapshot: Snapshot): StoragePermit {
  const sas = target.query === undefined ? undefined : judgeSas(facts, target.query, target, route, snapshot)
  const permit = { route, target, upstreamTarget: upstreamTarget(route.origin.pathPrefix, target.path, sas?.query ?? target.query), sas }
  if (facts.fields.sources.size === 0) return { ...permit, fields: facts.fields, sources: NONE }
  return { ...permit, ...admitSources(facts, target, route, snapshot) }
}

const NONE: readonly JudgedSource[] = []

/** Judges copy and rename sources and edits them where they must change; a Shared Key request is signed anew then. */
function admitSources(facts: RequestFacts, target: Target, route: StorageRoute, snapshot: Snapshot): Pick<StoragePermit, 'fields' | 'sources'> {
  const { sources } = facts.fields
  const own: SourceHost = { account: route.account, service: route.service, sas: route.sas, rename: { host: route.origin.host, pathPrefix: route.origin.pathPrefix }, pathPrefix: '' }
  const judged = judgeSources(sources, { hosts: snapshot.sourceHosts, anyHttps: snapshot.anyHttpsSource, kept: snapshot.kept, address: facts.address, now: facts.now, own })
  const edits = new Map([...judged].filter(([name, { value }]) => value !== sources.get(name)).map(([name, { value }]) => [name, value]))
  if (edits.size === 0) return { fields: facts.fields, sources: [...judged.values()] }
  refuseSignedEdit(target.query, edits)
  const request = { method: facts.method, route, path: target.path, query: target.query, raw: facts.raw, now: facts.now }
  return { fields: editFields(request, edits), sources: [...judged.values()] }
}

/** A field that the request's own SAS signs (`srh`) cannot be changed under it (spec/sas.md 13). */
function refuseSignedEdit(query: string | undefined, edits: ReadonlyMap<string, string>): void {
  const listed = query === undefined ? undefined : /(?:^|&)srh=([^&]*)/i.exec(query)?.[1]
  if (listed === undefined) return
  const names = decodeURIComponent(listed.replaceAll('+', ' ')).toLowerCase().split(',')
  for (const name of edits.keys()) if (names.includes(name)) refuse('copy-source-unknown', { field: name, why: 'srh signs the field' }, { HeaderName: name })
}

function judgeSas(facts: RequestFacts, query: string, target: Target, route: StorageRoute, snapshot: Snapshot): SasVerdict | undefined {
  return admitSas({
    service: route.service,
    decodedPath: target.decodedPath,
    query,
    now: facts.now,
    clientAddress: facts.address,
    header: facts.header,
  }, route.sas, snapshot.kept)
}

function upstreamTarget(prefix: string, path: string, query: string | undefined): string {
  return query === undefined ? prefix + path : `${prefix}${path}?${query}`
}
