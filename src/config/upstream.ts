// The upstreams of a configuration: every place where it says whereto, and how that becomes one shape.
import { SERVICE_NAMES, type ServiceName } from '../azure/services.ts'
import type { Parsed, ParsedEndpoint, Upstream } from './schema.ts'
import type { EndpointUrl } from './url.ts'

/** What was read of a file in which parts may be at fault: those are missing. */
export type Draft<T = Parsed> = T extends EndpointUrl ? T : T extends (infer I)[] ? (Draft<I> | undefined)[] : T extends object ? { [K in keyof T]?: Draft<T[K]> } : T

type DraftEndpoint = Draft<ParsedEndpoint>
type ParsedApi = Parsed['apis'][number]
type EndpointSection = Exclude<ParsedEndpoint, EndpointUrl>

const isUrl = (endpoint: DraftEndpoint): endpoint is EndpointUrl => Object.hasOwn(endpoint, 'origin')

/** Given an endpoint in either form, returns it as a section. */
function asSection(endpoint: ParsedEndpoint): EndpointSection
function asSection(endpoint: DraftEndpoint): Draft<EndpointSection>
function asSection(endpoint: DraftEndpoint): Draft<EndpointSection> {
  return isUrl(endpoint) ? { url: endpoint, insecureLoopback: false } : endpoint
}

/** Returns the URL of an endpoint in either form; undefined where it is missing. */
export function urlOf(endpoint: DraftEndpoint | undefined): EndpointUrl | undefined {
  return endpoint === undefined ? undefined : asSection(endpoint).url
}

/** Given an endpoint of an account, complete, returns it in the shape that all upstreams have. */
export function completeEndpoint(endpoint: ParsedEndpoint): Upstream {
  const { insecureLoopback: _, ...rest } = asSection(endpoint)
  return rest
}

/** Returns the upstream of an API in the shape that all have; keys beside `upstream` count as set in it. */
export function completeApiUpstream({ upstream, ca, serverName }: ParsedApi): Upstream {
  return { ...completeEndpoint(upstream), ...(ca === undefined ? {} : { ca }), ...(serverName === undefined ? {} : { serverName }) }
}

/** A place where the file says whereto. */
export interface FarSide {
  /** The path of the endpoint: `storage.accounts[0].blob`. */
  readonly path: string
  /** The path of its URL: the same, or `.url` after it. */
  readonly urlPath: string
  readonly endpoint: Draft<EndpointSection>
  readonly service: ServiceName | 'api'
}

/** Returns every upstream of a draft, in the order of the file's schema. */
export function farSides({ storage, apis = [] }: Draft): FarSide[] {
  const accounts = (storage?.accounts ?? []).flatMap((account, index) => SERVICE_NAMES.flatMap(
    (service) => farSide(account?.[service], `storage.accounts[${index}].${service}`, service)))
  return [...accounts, ...apis.flatMap((api, index) => farSide(api?.upstream, `apis[${index}].upstream`, 'api').map(
    (side) => ({ ...side, endpoint: { ...side.endpoint, insecureLoopback: side.endpoint.insecureLoopback === true || api?.insecureLoopback === true } })))]
}

function farSide(endpoint: DraftEndpoint | undefined, path: string, service: FarSide['service']): FarSide[] {
  if (endpoint === undefined) return []
  return [{ path, urlPath: isUrl(endpoint) ? path : `${path}.url`, endpoint: asSection(endpoint), service }]
}
