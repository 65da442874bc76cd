// Turns the configuration's accounts and APIs into sites, routes and verified pools.
import { getCACertificates, createSecureContext, type SecureContext } from 'node:tls'
import { SERVICE_NAMES, type ServiceName } from '../azure/services.ts'
import type { AccountConfig, ApiConfig, Config, StorageConfig, Upstream } from '../config/schema.ts'
import type { Loaded } from '../config/load.ts'
import type { SourceHost } from '../gate/storage/sources.ts'
import type { Recorder } from '../observe/recorder.ts'
import { Refusal } from '../refusal.ts'
import type { SasPolicy } from '../sas/admission.ts'
import { DelegationKeys, type UserDelegationKey } from '../sas/signing-keys.ts'
import type { Credential } from '../tls/credential.ts'
import { clientOptions } from '../tls/policy.ts'
import { UpstreamPool } from '../upstream/pool.ts'
import type { ApiRoute, Origin, Site, StorageRoute } from '../upstream/routes.ts'

/** Connections to one upstream from one worker; beyond it requests wait for one to become free. */
const CONNECTIONS_PER_UPSTREAM = 1024
/** How far our clock may be behind a token's start (spec/sas.md 11.1). */
const CLOCK_SKEW_MS = 5 * 60_000
const SLOTS = ['key1', 'key2'] as const

/** Told of each user delegation key that a client fetches through the gateway. */
export type Learned = (account: string, key: UserDelegationKey) => void

export interface Routing {
  readonly sites: Map<string, Site>
  readonly pools: readonly UpstreamPool[]
  /** The user delegation keys of each account. */
  readonly delegation: ReadonlyMap<string, DelegationKeys>
  /** Hosts that a copy source may name: ours, the upstreams' and Azure's public ones. */
  readonly sourceHosts: ReadonlyMap<string, SourceHost>
}

/** What routes need of the process. */
export interface RoutingNeeds {
  readonly recorder: Recorder
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Counts the connections to all upstreams. */
  readonly sockets: { value: number }
  readonly learned?: Learned | undefined
}

/** Makes the routing of a configuration; opens no connection yet. Throws where a TLS context cannot be made. */
export function buildRouting(loaded: Loaded, needs: RoutingNeeds): Routing {
  const builder = new Builder(loaded, needs)
  const { storage, apis } = loaded.config
  for (const account of storage?.accounts ?? []) if (storage !== undefined) builder.account(storage, account)
  builder.apis(apis)
  return builder
}

class Builder implements Routing {
  readonly sites = new Map<string, Site>()
  readonly pools: UpstreamPool[] = []
  readonly delegation = new Map<string, DelegationKeys>()
  readonly sourceHosts = new Map<string, SourceHost>()
  readonly #loaded: Loaded
  readonly #needs: RoutingNeeds
  readonly #contexts = new Map<string, SecureContext>()

  constructor(loaded: Loaded, needs: RoutingNeeds) {
    this.#loaded = loaded
    this.#needs = needs
  }

  account(storage: StorageConfig, account: AccountConfig): void {
    this.#needs.recorder.accountConfigured(account.name)
    const sas = this.#sasPolicy(storage, account)
    for (const service of SERVICE_NAMES) {
      const upstream = account[service]
      if (upstream !== undefined) this.#endpoint(storage, account.name, service, upstream, sas)
    }
  }

  apis(apis: Config['apis']): void {
    const byHost = new Map<string, ApiRoute[]>()
    for (const api of apis) {
      const host = api.host.toLowerCase()
      byHost.set(host, [...(byHost.get(host) ?? []), this.#apiRoute(api)])
    }
    for (const [host, routes] of byHost) this.sites.set(host, routes.toSorted((a, b) => b.prefix.length - a.prefix.length))
  }

  #sasPolicy({ sas }: StorageConfig, account: AccountConfig): SasPolicy {
    const keys = this.#loaded.accountKeys.get(account.name) ?? []
    const delegation = new DelegationKeys(this.#loaded.delegationKeys.get(account.name))
    this.delegation.set(account.name, delegation)
    return Object.freeze({
      account: account.name,
      keys: { account: keys.slice(0, SLOTS.length).map((key, i) => ({ slot: SLOTS[i] ?? 'key2', key })), delegation },
      withoutKey: sas.withoutKey,
      sip: sas.sip,
      ...(sas.egress === undefined ? {} : { egress: sas.egress }),
      ...(sas.accept === undefined ? {} : { accept: sas.accept }),
      ...(this.#loaded.denied === undefined ? {} : { denied: this.#loaded.denied }),
      skew: CLOCK_SKEW_MS,
    })
  }

  #endpoint({ domain, sas: { learnDelegationKeys } }: StorageConfig, account: string, service: ServiceName, upstream: Upstream, sas: SasPolicy): void {
    const numbers = this.#needs.recorder.routeNumbers(account, service)
    const name = `${account}.${service}`
    const learned = learnDelegationKeys ? (key: UserDelegationKey): void => this.#needs.learned?.(account, key) : undefined
    const site = (host: string, url: Upstream['url']): void => {
      const route: StorageRoute = { kind: 'storage', account, service, sas, learned, numbers, origin: this.#origin(name, upstream, url, undefined) }
      this.sites.set(host, Object.freeze(route))
      this.#knowSources(route, host, url)
    }
    site(`${name}.${domain}`.toLowerCase(), upstream.url)
    if (upstream.secondary !== undefined) site(`${account}-secondary.${service}.${domain}`.toLowerCase(), upstream.secondary)
  }

  /** A gateway's own name in a copy source becomes the service's; the service's names stay as they are. */
  #knowSources({ account, service, sas, origin }: StorageRoute, host: string, url: Upstream['url']): void {
    const source = { account, service, sas }
    this.sourceHosts.set(url.hostname, { ...source, rename: null, pathPrefix: url.path })
    for (const name of [account, `${account}-secondary`]) this.sourceHosts.set(`${name}.${service}.core.windows.net`, { ...source, rename: null, pathPrefix: '' })
    if (host !== url.hostname) this.sourceHosts.set(host, { ...source, rename: { host: origin.host, pathPrefix: origin.pathPrefix }, pathPrefix: '' })
  }

  #apiRoute(api: ApiConfig): ApiRoute {
    const numbers = this.#needs.recorder.routeNumbers(api.name, 'api')
    const prefix = api.prefix.replace(/\/$/, '')
    const client = this.#loaded.clientCredentials.get(api.name)
    const clients = api.clients === undefined ? undefined : { verify: api.clients.verify, allow: api.clients.allow }
    return Object.freeze({ kind: 'api', name: api.name, prefix, websocket: api.websocket, clients, numbers, origin: this.#origin(api.name, api.upstream, api.upstream.url, client) })
  }

  #origin(name: string, upstream: Upstream, url: Upstream['url'], client: Credential | undefined): Origin {
    const { limits } = this.#loaded.config
    const { recorder, monotonic, sockets } = this.#needs
    const pool = new UpstreamPool({
      name,
      host: upstream.connect?.host ?? url.hostname,
      port: upstream.connect?.port ?? url.port,
      via: upstream.via,
      serverName: upstream.serverName ?? url.hostname,
      secureContext: url.origin.startsWith('http:') ? undefined : this.#context(upstream.ca, client),
      connectTimeout: limits.connectTimeout,
      maxConnections: CONNECTIONS_PER_UPSTREAM,
      numbers: recorder.upstreamNumbers(name),
      monotonic,
      sockets,
      broken: (error) => recorder.refused(new Refusal('unexpected', { upstream: name }, {}, error), {}),
    })
    this.pools.push(pool)
    return Object.freeze({ name, host: url.host, pathPrefix: url.path, pool })
  }

  /** One context for all upstreams that trust the same and show the same certificate. */
  #context(ca: string | undefined, client: Credential | undefined): SecureContext {
    const key = `${ca ?? ''}|${client?.fingerprint ?? ''}`
    let context = this.#contexts.get(key)
    if (context === undefined) this.#contexts.set(key, (context = createSecureContext({ ...clientOptions(), ca: trustedFor(this.#loaded, ca), ...shown(client) })))
    return context
  }
}

/** The authorities for an upstream, in PEM: those of its `ca`, or the system's. Throws where `ca` was not loaded: a fault of ours. */
export function trustedFor({ trust }: Loaded, ca: string | undefined): string[] {
  if (ca === undefined) return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  const bundle = trust.get(ca)
  if (bundle === undefined) throw new Error(`no trust bundle was loaded for ${ca}`)
  return [bundle.pem]
}

function shown(client: Credential | undefined): { cert?: string; key?: string } {
  return client === undefined ? {} : { cert: client.pem, key: client.key.export({ type: 'pkcs8', format: 'pem' }) }
}
