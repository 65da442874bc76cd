// What the schema cannot say: parts of the file that must fit each other. Run over a draft, so that these faults are
// told together with those of single values.
import { SERVICE_NAMES } from '../azure/services.ts'
import { clientFaults, clientWarnings } from './client-rules.ts'
import type { Fault } from './fault.ts'
import { farSides, urlOf, type Draft, type FarSide } from './upstream.ts'
import { isLoopback, type EndpointUrl } from './url.ts'
import { viaFaults, viaWarnings } from './via-rules.ts'

/** Given a draft and the faults of its values, returns the faults of the whole. */
export function ruleFaults(draft: Draft, faults: readonly Fault[]): Fault[] {
  return [
    ...nothingServed(draft, faults),
    ...sameListeners(draft),
    ...accountsWithoutEndpoint(draft, faults),
    ...sameNames(draft),
    ...sameRoutes(draft),
    ...takenHosts(draft),
    ...farSides(draft).flatMap(insecure),
    ...viaFaults(draft),
    ...insecureTracing(draft),
    ...saidTwice(draft),
    ...clientFaults(draft, faults),
    ...egressMissing(draft, faults),
  ]
}

/** Given a draft, returns what serves, but probably not as meant. */
export function ruleWarnings(draft: Draft): Fault[] {
  return [...pathsUpstream(draft), ...viaWarnings(draft), ...ownNames(draft), ...sharedLabels(draft), ...clientWarnings(draft), ...withoutEffect(draft)]
}

const faulty = (faults: readonly Fault[], path: string) => faults.some((f) => f.path.startsWith(path))

function nothingServed({ storage, apis }: Draft, faults: readonly Fault[]): Fault[] {
  const served = storage !== undefined || (apis ?? []).length > 0 || faulty(faults, 'storage') || faulty(faults, 'apis')
  return served ? [] : [{ path: 'storage', found: 'neither storage nor apis', allowed: 'at least one of the two' }]
}

function accountsWithoutEndpoint({ storage }: Draft, faults: readonly Fault[]): Fault[] {
  return (storage?.accounts ?? []).flatMap((account, index) => {
    const path = `storage.accounts[${index}]`
    const served = account === undefined || SERVICE_NAMES.some((service) => account[service] !== undefined || faulty(faults, `${path}.${service}`))
    return served ? [] : [{ path, found: 'no endpoint', allowed: `one or more of ${SERVICE_NAMES.join(', ')}` }]
  })
}

interface Claim { readonly path: string; readonly key: string | undefined; readonly found: string }

// The first one to claim a key has it; every later one is at fault.
function twice(claims: readonly Claim[], allowed: (holder: string) => string): Fault[] {
  const holders = new Map<string, string>()
  return claims.flatMap(({ path, key, found }) => {
    const holder = key === undefined ? undefined : holders.get(key)
    if (holder !== undefined) return [{ path, found, allowed: allowed(holder) }]
    if (key !== undefined) holders.set(key, path)
    return []
  })
}

const named = (items: readonly ({ name?: string } | undefined)[], path: string): Claim[] =>
  items.map((item, index) => ({ path: `${path}[${index}].name`, key: item?.name, found: item?.name ?? '' }))

interface Listening { readonly path: string; readonly host: string; readonly port: number }

// The admin listener must never be reached through a public one (contract section 7), and only one can have a port anyway.
function sameListeners({ listen }: Draft): Fault[] {
  const all = (['tls', 'plain', 'admin'] as const).map((key): Listening => ({ path: `listen.${key}`, host: listen?.[key]?.host ?? '', port: listen?.[key]?.port ?? 0 }))
  return all.flatMap((one, index) => {
    const holder = all.slice(0, index).find((other) => meet(one, other))
    return holder === undefined ? [] : [{ path: one.path, found: `port ${one.port} of ${one.host}`, allowed: `another port than ${holder.path}` }]
  })
}

/** Port 0 is a port of one's own each time; an address of all takes in each address of its family, that of IPv6 all. */
function meet(one: Listening, other: Listening): boolean {
  if (one.port !== other.port || one.port === 0 || one.host === '' || other.host === '') return false
  const hosts = [one.host, other.host]
  return one.host === other.host || hosts.includes('::') || (hosts.includes('0.0.0.0') && !hosts.some((host) => host.includes(':')))
}

function sameNames({ storage, apis = [] }: Draft): Fault[] {
  return [named(storage?.accounts ?? [], 'storage.accounts'), named(apis, 'apis')]
    .flatMap((claims) => twice(claims, (holder) => `another name than ${holder}`))
}

function sameRoutes({ apis = [] }: Draft): Fault[] {
  return twice(apis.map((api, index) => {
    const route = api?.host === undefined || api.prefix === undefined ? undefined : api.host + api.prefix
    return { path: `apis[${index}]`, key: route, found: route ?? '' }
  }), (holder) => `another host or prefix than ${holder}`)
}

/** The names that clients use for the storage accounts. */
function storageNames({ storage }: Draft): ReadonlySet<string> {
  return new Set((storage?.accounts ?? []).flatMap((account) => SERVICE_NAMES
    .filter((service) => account?.[service] !== undefined)
    .flatMap((service) => [account?.name, `${account?.name}-secondary`].map((name) => `${name}.${service}.${storage?.domain}`))))
}

function takenHosts(draft: Draft): Fault[] {
  const taken = storageNames(draft)
  return (draft.apis ?? []).flatMap((api, index) => api?.host === undefined || !taken.has(api.host) ? []
    : [{ path: `apis[${index}].host`, found: api.host, allowed: 'a name that no storage account has' }])
}

function insecure({ urlPath, path, endpoint: { url, connect, secondary, insecureLoopback } }: FarSide): Fault[] {
  // `connect` takes the place of both URLs' hosts.
  const safe = (target: EndpointUrl | undefined) =>
    target === undefined || target.origin.startsWith('https:') || (insecureLoopback === true && isLoopback(connect?.host ?? target.hostname))
  const allowed = 'https; http only to a loopback address with insecureLoopback: true'
  return [
    ...(safe(url) ? [] : [{ path: urlPath, found: 'an http URL', allowed }]),
    ...(safe(secondary) ? [] : [{ path: `${path}.secondary`, found: 'an http URL', allowed }]),
  ]
}

function insecureTracing({ tracing }: Draft): Fault[] {
  if (tracing === undefined) return []
  const { endpoint: url, insecureLoopback = false } = tracing
  return insecure({ path: 'tracing', urlPath: 'tracing.endpoint', endpoint: { ...(url === undefined ? {} : { url }), insecureLoopback }, service: 'api' })
}

function saidTwice({ apis = [] }: Draft): Fault[] {
  return apis.flatMap((api, index) => (['ca', 'serverName'] as const)
    .filter((key) => api?.[key] !== undefined && api.upstream !== undefined && Object.hasOwn(api.upstream, key))
    .map((key) => ({ path: `apis[${index}].${key}`, found: `another one at apis[${index}].upstream.${key}`, allowed: 'one of the two' })))
}

// spec/sas.md 16.2: the path is part of what a client signs, and the service sees another one.
function pathsUpstream(draft: Draft): Fault[] {
  return farSides(draft).flatMap(({ urlPath, path, endpoint: { url, secondary }, service }) => service === 'api' ? [] : [
    { path: urlPath, url }, { path: `${path}.secondary`, url: secondary },
  ].filter((place) => (place.url?.path ?? '') !== '').map((place) => ({
    path: place.path,
    found: `the path ${place.url?.path}, which a client's Shared Key signature does not survive`,
    allowed: 'no path: reach an emulator by host name with connect',
  })))
}

// With Azure's own domain behind private DNS the service has our name: whether the gateway finds it there or itself is for
// its resolver to say. At run time that is the refusal `loop`.
function ownNames(draft: Draft): Fault[] {
  const own = storageNames(draft)
  return farSides(draft).flatMap(({ urlPath, endpoint: { url, connect }, service }) => service === 'api' || url === undefined || connect !== undefined || !own.has(url.hostname) ? []
    : [{ path: urlPath, found: `the gateway's own name ${url.hostname} without connect`, allowed: 'connect, unless the name leads to the service where the gateway runs' }])
}

function sharedLabels({ storage, apis = [] }: Draft): Fault[] {
  const accounts = new Set((storage?.accounts ?? []).map((account) => account?.name))
  return apis.flatMap((api, index) => api?.name === undefined || !accounts.has(api.name) ? []
    : [{ path: `apis[${index}].name`, found: `${api.name}, the name of an account too`, allowed: 'another name: metrics cannot tell them apart' }])
}

// A token would be signed again with no address at all, as with `sip: remove`, which the operator did not ask for.
function egressMissing({ storage }: Draft, faults: readonly Fault[]): Fault[] {
  return storage?.sas?.sip !== 'egress' || storage.sas.egress !== undefined || faulty(faults, 'storage.sas.egress') ? []
    : [{ path: 'storage.sas.egress', found: 'nothing', allowed: 'an IP address or LOW-HIGH, with sip: egress' }]
}

function withoutEffect(draft: Draft): Fault[] {
  const { storage } = draft
  return [
    ...(storage?.sas?.egress === undefined || storage.sas.sip === 'egress' ? []
      : [{ path: 'storage.sas.egress', found: 'no effect', allowed: 'with sip: egress' }]),
    ...unverified(draft),
    ...(storage?.sas?.accept === undefined || storage.sas.accept.maxLifetime !== undefined || storage.sas.accept.requireIdentifier === true ? []
      : [{ path: 'storage.sas.accept', found: 'no effect', allowed: 'with maxLifetime or requireIdentifier: true' }]),
  ]
}

/** Keys that promise a verified upstream, beside a URL without TLS. */
function unverified(draft: Draft): Fault[] {
  const sections = farSides(draft).flatMap(({ path, endpoint }) => (['ca', 'serverName'] as const)
    .filter((key) => isPlain(endpoint.url) && endpoint[key] !== undefined).map((key) => `${path}.${key}`))
  const apis = (draft.apis ?? []).flatMap((api, index) => (['ca', 'serverName', 'clientCertificate'] as const)
    .filter((key) => api?.[key] !== undefined && isPlain(urlOf(api.upstream))).map((key) => `apis[${index}].${key}`))
  const tracing = draft.tracing?.ca !== undefined && isPlain(draft.tracing.endpoint) ? ['tracing.ca'] : []
  return [...sections, ...apis, ...tracing].map((path) => ({ path, found: 'no effect: the URL is http', allowed: 'with an https URL' }))
}

const isPlain = (url: EndpointUrl | undefined): boolean => url?.origin.startsWith('http:') === true
