// The only place where the parts meet: from a loaded configuration to everything that carries traffic. Binds nothing.
import { BlockList, isIPv6, type Server as PlainServer } from 'node:net'
import type { Server as TlsServer } from 'node:https'
import type { SecureContext, TLSSocket } from 'node:tls'
import { arrivalOf, type Arrival } from '../door/arrival.ts'
import { requestIds } from '../azure/request-id.ts'
import type { Loaded } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { Census } from '../door/census.ts'
import { openFrontDoor, openPlainDoor, type DoorOptions, type FrontDoor } from '../door/front-door.ts'
import { buildGate, type GateOptions } from '../gate/app.ts'
import { serviceOf, type Snapshot } from '../gate/admit.ts'
import { describeOffer, noteOf, watchHandshakes, watchPeer } from '../gate/handshakes.ts'
import { keepPace } from '../gate/pace.ts'
import type { Transaction, TransactionContext } from '../gate/transaction.ts'
import type { Tunnel } from '../gate/websocket.ts'
import { createTrafficMetrics, type TrafficMetrics } from '../observe/metrics.ts'
import { Roll } from '../roll.ts'
import { Recorder, type Log } from '../observe/recorder.ts'
import { createKeptResults } from '../sas/admission.ts'
import { CertStore, type ClientTrustOptions } from '../tls/cert-store.ts'
import { readClientHello } from '../tls/client-hello.ts'
import { CIPHER_SUITES, NAMED_GROUPS, serverOptions } from '../tls/policy.ts'
import { TicketSeal } from '../tls/ticket-renewal.ts'
import { hostName, isApis } from '../upstream/routes.ts'
import type { UpstreamPool } from '../upstream/pool.ts'
import { deliverRefusal } from '../gate/deliver.ts'
import type { DelegationKeys } from '../sas/signing-keys.ts'
import { roomForConnections } from './descriptors.ts'
import { Pressure } from './pressure.ts'
import { adjust, Settings } from './settings.ts'
import { settingsOf } from './tickets.ts'
import { buildRouting, type Learned, type Routing } from './routes.ts'

/** What comes from outside: clocks, randomness, and where lines go. */
export interface Surroundings {
  readonly log: Log
  /** 10 random bytes. */
  readonly seed: Buffer
  /** How many workers share the limits. */
  readonly workers?: number
  /** 48 bytes, the same in all workers. */
  readonly ticketKeys: Buffer
  readonly learned?: Learned
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

export interface Parts {
  readonly server: TlsServer
  readonly plain: PlainServer | undefined
  readonly doors: readonly FrontDoor[]
  readonly pools: readonly UpstreamPool[]
  /** The user delegation keys of each account. */
  readonly delegation: ReadonlyMap<string, DelegationKeys>
  readonly metrics: TrafficMetrics
  readonly recorder: Recorder
  readonly live: Roll<Transaction>
  /** Open WebSockets. */
  readonly tunnels: Roll<Tunnel>
  /** Turning it on is one-way: new requests are refused with `draining`. */
  readonly drain: { on: boolean }
  /** While memory is short, connections that came since then get `overloaded`. */
  readonly pressure: Pressure
  /** The configuration in force. */
  readonly config: Config
  readonly tickets: TicketSeal
  readonly stopPace: () => void
  readonly app: { close(): Promise<void> }
  /** Takes up another configuration; throws, and changes nothing, where it cannot be built. */
  readonly publish: (next: Loaded, ticketKeys: Buffer) => void
}

const KEPT_RESULTS = 10_000
const TLS_1_3 = 0x0304
/** Node's own limit of a handshake, out of the way: the door has ours, which a reload may change. */
const NEVER_FIRST_MS = 2 * 86_400_000

/** What a reload replaces at once. */
interface InForce {
  snapshot: Snapshot
  routing: Routing
  certificates: CertStore
  /** Of its own: a handshake that began under the trust before must not seal a ticket for that after. */
  tickets: TicketSeal
  /** A digest of what client certificates are trusted for. */
  trust: string
}

/** Builds everything that carries traffic. Throws where a TLS context cannot be made. */
export async function buildParts(loaded: Loaded, surroundings: Surroundings): Promise<Parts> {
  const { config } = loaded
  const { monotonic, wallClock } = surroundings
  const metrics = createTrafficMetrics()
  zeroHandshakes(metrics)
  const recorder = new Recorder(metrics, surroundings.log, wallClock)
  const inForce = build(loaded, recorder, surroundings, 1)
  const settings = new Settings(config, surroundings.workers ?? 1)
  const requestId = requestIds(surroundings.seed)
  const live = new Roll<Transaction>()
  const tunnels = new Roll<Tunnel>()
  const drain = { on: false }
  const pressure = new Pressure()
  const context: TransactionContext = { recorder, unrouted: recorder.routeNumbers('unknown', 'unknown'), live, monotonic, requestId }
  const { app, server } = await buildGate(gateOptions(settings, { context, tunnels, inForce, drain, pressure, wallClock }))
  inForce.tickets.putOnServer(server)
  const door = doorOptions(settings, inForce, { requestId, wallClock, monotonic })
  adjust(server, config)
  const front = openFrontDoor(server, door, recorder)
  const identified = new Roll<Arrival>()
  watchHandshakes(server, front, recorder, identified, monotonic)
  const plain = config.listen.plain === undefined ? undefined : openPlainDoor(door, recorder)
  const stopPace = keepPace({
    get minimumRate() {
      return settings.config.limits.minimumRate
    },
    get upstreamTimeout() {
      return settings.config.limits.upstreamTimeout
    },
    get connectTimeout() {
      return settings.config.limits.connectTimeout
    },
    live,
    monotonic,
    cut: (transaction, refusal) => deliverRefusal(transaction, refusal, undefined, wallClock()),
  })
  return {
    server,
    plain: plain?.server,
    doors: plain === undefined ? [front] : [front, plain.door],
    get pools() {
      return inForce.routing.pools
    },
    get delegation() {
      return inForce.routing.delegation
    },
    metrics,
    recorder,
    live,
    tunnels,
    drain,
    pressure,
    get config() {
      return settings.config
    },
    get tickets() {
      return inForce.tickets
    },
    stopPace,
    app,
    publish: (next, ticketKeys) => {
      const trust = inForce.trust
      publish(inForce, build(next, recorder, { ...surroundings, ticketKeys }, inForce.snapshot.generation + 1), { server, next, now: wallClock() })
      settings.take(next.config)
      adjust(server, next.config)
      if (inForce.trust !== trust) endIdentified(identified, live)
    },
  }
}

/** Builds aside what a configuration decides; throws, and changes nothing, where a TLS context cannot be made. */
function build(loaded: Loaded, recorder: Recorder, { monotonic, learned, ticketKeys }: Surroundings, generation: number): InForce {
  const tickets = new TicketSeal(ticketKeys)
  const routing = buildRouting(loaded, recorder, monotonic, learned)
  const certificates = new CertStore(loaded.config.tls.profile, loaded.credentials, trustOptions(loaded), (context) => tickets.putOn(context))
  return { routing, certificates, tickets, trust: settingsOf(loaded), snapshot: snapshotOf(loaded, routing, generation) }
}

/**
 * Takes up what was built aside, in one synchronous turn. Requests under way finish on what they began with: their pools
 * close when their exchanges are over. Keys that clients fetched stay known, those of files that are named no more do not.
 */
function publish(inForce: InForce, next: InForce, { server, next: loaded, now }: { server: TlsServer; next: Loaded; now: number }): void {
  const { routing: old } = inForce
  server.setSecureContext({ ...serverOptions(loaded.config.tls.profile), ...next.certificates.fallbackOptions })
  next.tickets.putOnServer(server)
  if (loaded.config.storage?.sas.learnDelegationKeys === true) {
    for (const [account, keys] of old.delegation) for (const key of keys.learned) next.routing.delegation.get(account)?.learn(key, now)
  }
  Object.assign(inForce, next)
  for (const pool of old.pools) pool.close()
}

/** Trust has changed: connections that rest on it end, idle ones now and each other one with its reply. */
function endIdentified(identified: Roll<Arrival>, live: Roll<Transaction>): void {
  const busy = new Set(live.all().map(({ arrival }) => arrival))
  for (const arrival of identified.all()) {
    arrival.stale = true
    if (!busy.has(arrival)) arrival.socket.destroy()
  }
}

function snapshotOf(loaded: Loaded, { sites, sourceHosts }: Routing, generation: number): Snapshot {
  return Object.freeze({
    generation,
    sites,
    kept: createKeptResults(KEPT_RESULTS),
    via: `tidegate-${loaded.digest.slice(0, 12)}`,
    headerFields: loaded.config.limits.headerFields,
    clients: { verify: loaded.config.tls.clients.verify, allow: loaded.config.tls.clients.allow },
    sourceHosts,
    anyHttpsSource: loaded.config.storage?.copySources === 'any-https',
  })
}

interface GateParts {
  readonly context: TransactionContext
  readonly tunnels: Roll<Tunnel>
  readonly inForce: InForce
  readonly drain: { readonly on: boolean }
  readonly pressure: Pressure
  readonly wallClock: () => number
}

/** Authorities and lists as node:tls takes them: one entry for each list. */
function trustOptions({ clientTrust }: Loaded): ClientTrustOptions {
  if (clientTrust === undefined) return {}
  const { bundle, lists } = clientTrust
  return { ca: bundle.pem, ...(lists.length === 0 ? {} : { crl: lists.map(({ pem }) => pem) }) }
}

function gateOptions(settings: Settings, { context, tunnels, inForce, drain, pressure, wallClock }: GateParts): GateOptions {
  const { tls, limits } = settings.config
  return {
    server: {
      ...serverOptions(tls.profile),
      ...inForce.certificates.fallbackOptions,
      // Node calls it on the TLS socket; the hello says which kind of certificate the client takes.
      SNICallback(this: TLSSocket, name: string, done: (error: Error | null, context?: SecureContext) => void): void {
        watchPeer(this)
        done(null, inForce.certificates.contextFor(name, arrivalOf(this)?.offer))
      },
      handshakeTimeout: NEVER_FIRST_MS,
    },
    limits: {
      ...limits,
      get upstreamTimeout() {
        return settings.config.limits.upstreamTimeout
      },
    },
    context,
    tunnels,
    draining: () => drain.on,
    shedSince: () => pressure.since,
    snapshot: () => inForce.snapshot,
    wallClock,
  }
}

function doorOptions(settings: Settings, inForce: InForce, by: { requestId: () => string; wallClock: () => number; monotonic: () => number }): DoorOptions {
  const { proxyProtocol } = settings.config.listen
  const room = roomForConnections()
  const upstream = (): number => inForce.routing.pools.reduce((sum, { size }) => sum + size, 0)
  return {
    get handshakeTimeout() {
      return settings.config.tls.handshakeTimeout
    },
    census: new Census(() => ({ ...settings.door, connections: Math.min(settings.door.connections, room - upstream()) })),
    balancers: proxyProtocol === undefined ? undefined : networks(proxyProtocol.from),
    plaintext: {
      storageName: (host) => {
        const { sites } = inForce.snapshot
        const service = serviceOf(host, undefined, sites)
        const site = sites.get(hostName(host) ?? '')
        return service === undefined || site === undefined || isApis(site) ? undefined : { service, account: site.account }
      },
      requestId: by.requestId,
      wallClock: by.wallClock,
    },
    readHello: readClientHello,
    noteOf,
    entersTls: (offer) => inForce.tickets.helloNext(offer?.version === TLS_1_3),
    describeOffer,
    monotonic: by.monotonic,
  }
}

/** Addresses and networks in CIDR notation as a list to check against. */
function networks(list: readonly string[]): BlockList {
  const blocks = new BlockList()
  for (const entry of list) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    blocks.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return blocks
}

/** Everything a handshake can end as, at zero from the start (contract section 9). */
function zeroHandshakes(metrics: TrafficMetrics): void {
  for (const suite of CIPHER_SUITES) {
    for (const resumed of ['yes', 'no']) for (const certificate of ['yes', 'no']) metrics.handshakes.child(suite.version, suite.iana, resumed, certificate)
  }
  for (const group of NAMED_GROUPS) metrics.groups.child(group.iana)
  metrics.groups.child('other')
  for (const resumed of ['yes', 'no']) metrics.handshakeDuration.child(resumed)
}
