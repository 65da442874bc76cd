// Copy and rename sources: URLs in header fields that the service itself will fetch, often with a SAS of their own
// (spec/sas.md section 14). They are verified and tightened as the request's own SAS is, with the source account's key,
// and the gateway's own names in them become the service's, since the service cannot reach the gateway.
import { Refusal, refuse } from '../../refusal.ts'
import type { ServiceName } from '../../azure/services.ts'
import { parseTarget } from '../../azure/target.ts'
import { admitSas, mayHoldSas, namesAddress, type KeptResults, type SasPolicy, type SasVerdict } from '../../sas/admission.ts'
import { DelegationKeys, type SigningKeys } from '../../sas/signing-keys.ts'

/** A host that a source may name: whose it is, and what the service knows it as. */
export interface SourceHost {
  readonly account: string
  readonly service: ServiceName
  readonly sas: SasPolicy
  /** The service's own name; null where the source names it already. */
  readonly rename: { readonly host: string; readonly pathPrefix: string } | null
  /** The account stands in front of the path at this host (an emulator's path style). */
  readonly pathPrefix: string
}

/** What judging a source needs to know. */
export interface SourceFacts {
  readonly hosts: ReadonlyMap<string, SourceHost>
  /** Hosts beyond the configured ones may be named, over https. */
  readonly anyHttps: boolean
  readonly kept: KeptResults
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The request's own account and service, for sources without a host. */
  readonly own: SourceHost
}

export interface JudgedSource {
  /** The value that is sent upstream. */
  readonly value: string
  readonly account: string
  readonly sas: SasVerdict | undefined
}

const HEADER_LIMIT = 8192
const ABSOLUTE = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i
/** No userinfo passes: `@` is not in the pattern. */
const AUTHORITY = /^([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:]+\])\.?(?::\d{1,5})?$/i
const RAW_FORBIDDEN = /[^\x21-\x7e]|\\/
const NO_KEYS: SigningKeys = { account: [], delegation: new DelegationKeys() }

const READERS: ReadonlyMap<string, (name: string, value: string, facts: SourceFacts) => JudgedSource> = new Map([
  ['x-ms-copy-source', judgeAbsolute],
  ['x-ms-file-rename-source', judgeAbsolute],
  ['x-ms-rename-source', judgeRelative],
])

/** The names of the fields that hold sources. */
export const SOURCE_FIELDS: readonly string[] = [...READERS.keys()]

/**
 * Judges a request's source fields. Returns each as it is sent upstream; refuses with `copy-source-plaintext`,
 * `copy-source-unknown` or the `sas-*` reason of the source's own SAS.
 */
export function judgeSources(sources: ReadonlyMap<string, string>, facts: SourceFacts): Map<string, JudgedSource> {
  const judged = new Map<string, JudgedSource>()
  for (const [name, read] of READERS) {
    const value = sources.get(name)
    if (value !== undefined) judged.set(name, read(name, value, facts))
  }
  return judged
}

function judgeAbsolute(name: string, source: string, facts: SourceFacts): JudgedSource {
  const parts = RAW_FORBIDDEN.test(source) || source.length > HEADER_LIMIT ? null : ABSOLUTE.exec(source)
  if (parts === null) unknown(name, 'not an absolute URL')
  const [, scheme, authority = '', path = '', query] = parts
  if (scheme?.toLowerCase() !== 'https') refuse('copy-source-plaintext', { field: name }, { HeaderName: name })
  const host = AUTHORITY.exec(authority)?.[1]?.toLowerCase()
  if (host === undefined) unknown(name, 'authority')
  const known = facts.hosts.get(host)
  if (known === undefined) return judgeForeign(name, source, query, facts)
  const sas = judgeQuery(name, path, query ?? '', known, facts)
  if (known.rename === null && (sas === undefined || sas.query === query)) return { value: source, account: known.account, sas }
  const { host: to, pathPrefix } = known.rename ?? { host: authority, pathPrefix: '' }
  return { value: `https://${to}${pathPrefix}${path}${query === undefined ? '' : `?${sas?.query ?? query}`}`, account: known.account, sas }
}

/** A host that is not configured here: only where the operator allows it, and its SAS as one whose key we lack. */
function judgeForeign(name: string, source: string, query: string | undefined, facts: SourceFacts): JudgedSource {
  if (!facts.anyHttps) unknown(name, 'host not configured')
  if (query === undefined || !mayHoldSas(query)) return { value: source, account: 'unknown', sas: undefined }
  const foreign: SourceHost = { ...facts.own, sas: { ...facts.own.sas, account: 'unknown', keys: NO_KEYS }, pathPrefix: '' }
  return { value: source, account: 'unknown', sas: judgeQuery(name, '/', query, foreign, facts) }
}

/** dfs rename: `/filesystem/path?SAS`, without scheme and host, on the request's own account. */
function judgeRelative(name: string, source: string, facts: SourceFacts): JudgedSource {
  if (!source.startsWith('/') || source.length > HEADER_LIMIT || RAW_FORBIDDEN.test(source)) unknown(name, 'not a path')
  const mark = source.indexOf('?')
  const path = mark < 0 ? source : source.slice(0, mark)
  const query = mark < 0 ? undefined : source.slice(mark + 1)
  const { own } = facts
  const sas = judgeQuery(name, path, query ?? '', own, facts)
  const prefix = own.rename?.pathPrefix ?? ''
  return { value: `${prefix}${path}${query === undefined ? '' : `?${sas?.query ?? query}`}`, account: own.account, sas }
}

/**
 * Judges a source's own SAS. The service fetches a copy source from an address of its own, and returns its URL in listings: a
 * token bound to an address would work from there without that bound, so it is refused unless it can be bound to our own
 * address (contract section 6). A rename source is not returned, and is signed again without its `sip`.
 */
function judgeQuery(name: string, path: string, query: string, host: SourceHost, facts: SourceFacts): SasVerdict | undefined {
  const decodedPath = withoutPrefix(readPath(name, path === '' ? '/' : path, query), host.pathPrefix)
  const { egress } = host.sas.sip === 'egress' ? host.sas : { egress: undefined }
  if (name === 'x-ms-copy-source' && egress === undefined && namesAddress(query)) unknown(name, 'a SAS bound to an address')
  const policy: SasPolicy = { ...host.sas, sip: egress === undefined ? 'remove' : 'egress' }
  return admitSas({ service: host.service, decodedPath, query, now: facts.now, clientAddress: facts.address, header: () => undefined }, policy, facts.kept)
}

function withoutPrefix(path: string, prefix: string): string {
  return prefix !== '' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path
}

/** A source's path is as strict as a request's own. */
function readPath(name: string, path: string, query: string): string {
  try {
    return parseTarget(`${path}?${query}`, '').decodedPath
  } catch (error) {
    if (error instanceof Refusal) unknown(name, 'path')
    throw error
  }
}

function unknown(field: string, why: string): never {
  return refuse('copy-source-unknown', { field, why }, { HeaderName: field })
}
