// The only place where the parts meet: from a loaded configuration to everything that carries traffic. Binds nothing.
import type { Server as PlainServer } from 'node:net'
import type { Server as TlsServer } from 'node:https'
import type { SecureContext, TLSSocket } from 'node:tls'
import { requestIds } from '../azure/request-id.ts'
import type { Loaded } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { arrivalOf, containOn, type Arrival } from '../door/arrival.ts'
import { openFrontDoor, openPlainDoor, type FrontDoor } from '../door/front-door.ts'
import { buildGate, type Gate, type GateOptions } from '../gate/app.ts'
import { deliverRefusal } from '../gate/deliver.ts'
import { watchHandshakes, watchPeer, zeroHandshakes } from '../door/handshakes.ts'
import { keepPace } from '../gate/connection/timeouts.ts'
import type { Transaction } from '../gate/transaction.ts'
import type { Tunnel } from '../gate/api/websocket.ts'
import { createTrafficMetrics, type TrafficMetrics } from '../observe/metrics.ts'
import { Recorder, type Log } from '../observe/recorder.ts'
import { Roll } from '../members.ts'
import type { DelegationKeys } from '../sas/signing-keys.ts'
import { serverOptions } from '../tls/policy.ts'
import type { TicketSeal } from '../tls/ticket-renewal.ts'
import type { UpstreamPool } from '../upstream/pool.ts'
import { doorOptions, type DoorNeeds } from './door-options.ts'
import { buildAside, takeUp, type InForce } from './in-force.ts'
import { Pressure } from '../host/pressure.ts'
import type { Learned, RoutingNeeds } from './routes.ts'
import { adjust, Settings } from './settings.ts'

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
  /** Where it counts; metrics of its own with those of the process unless given. */
  readonly metrics?: TrafficMetrics
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
  /** Applies another configuration. Throws, and changes nothing, where it cannot be built. */
  readonly publish: (next: Loaded, ticketKeys: Buffer) => void
}

/** Node's own limit of a handshake, out of the way: the door has ours, which a reload may change. */
const NEVER_FIRST_MS = 2 * 86_400_000

/** What the parts of one worker share. */
interface Shared extends DoorNeeds, RoutingNeeds {
  readonly sockets: { value: number }
  readonly metrics: TrafficMetrics
  readonly settings: Settings
  readonly inForce: InForce
  readonly live: Roll<Transaction>
  readonly tunnels: Roll<Tunnel>
  /** Connections that rest on a client certificate. */
  readonly identified: Roll<Arrival>
  readonly drain: { on: boolean }
  readonly pressure: Pressure
}

/** Builds everything that carries traffic. Throws where a TLS context cannot be made. */
export async function buildParts(loaded: Loaded, surroundings: Surroundings): Promise<Parts> {
  const shared = share(loaded, surroundings)
  const { recorder, settings, inForce } = shared
  const gate = await buildGate(gateOptions(shared))
  inForce.tickets.putOnServer(gate.server)
  adjust(gate.server, loaded.config)
  const options = doorOptions(settings, inForce, shared)
  const front = openFrontDoor(gate.server, options, recorder)
  watchHandshakes(gate.server, front, recorder, shared.identified, shared.monotonic)
  const plain = loaded.config.listen.plain === undefined ? undefined : openPlainDoor(options, recorder)
  return partsOf(shared, gate, { plain: plain?.server, doors: plain === undefined ? [front] : [front, plain.door], stopPace: watchPace(shared) })
}

function share(loaded: Loaded, { log, seed, workers = 1, ticketKeys, learned, metrics = createTrafficMetrics(), wallClock, monotonic }: Surroundings): Shared {
  zeroHandshakes(metrics)
  const needs = { recorder: new Recorder(metrics, log, wallClock), monotonic, learned, sockets: { value: 0 } }
  return {
    ...needs, metrics, wallClock,
    requestId: requestIds(seed),
    inForce: buildAside(loaded, ticketKeys, needs, 1),
    settings: new Settings(loaded.config, workers),
    live: new Roll(), tunnels: new Roll(), identified: new Roll(),
    drain: { on: false },
    pressure: new Pressure(),
  }
}

function partsOf(shared: Shared, { app, server }: Gate, own: Pick<Parts, 'plain' | 'doors' | 'stopPace'>): Parts {
  const { settings, inForce, metrics, recorder, live, tunnels, drain, pressure } = shared
  return {
    ...own, app, server, metrics, recorder, live, tunnels, drain, pressure,
    get pools() {
      return inForce.routing.pools
    },
    get delegation() {
      return inForce.routing.delegation
    },
    get config() {
      return settings.config
    },
    get tickets() {
      return inForce.tickets
    },
    publish: (next, ticketKeys) => publish(shared, server, next, ticketKeys),
  }
}

function publish(shared: Shared, server: TlsServer, next: Loaded, ticketKeys: Buffer): void {
  const { settings, inForce, identified, live, wallClock } = shared
  const { trust, snapshot: { generation } } = inForce
  takeUp(inForce, buildAside(next, ticketKeys, shared, generation + 1), next, server, wallClock())
  settings.take(next.config)
  adjust(server, next.config)
  if (inForce.trust !== trust) endIdentified(identified, live)
}

/** Trust has changed: connections that rest on it end, idle ones now and each other one with its reply. */
function endIdentified(identified: Roll<Arrival>, live: Roll<Transaction>): void {
  const busy = new Set(live.all().map(({ arrival }) => arrival))
  for (const arrival of identified.all()) {
    arrival.stale = true
    if (!busy.has(arrival)) arrival.socket.destroy()
  }
}

function gateOptions({ settings, inForce, recorder, live, tunnels, drain, pressure, monotonic, requestId, wallClock }: Shared): GateOptions {
  const { tls, limits } = settings.config
  return {
    server: {
      ...serverOptions(tls.profile),
      ...inForce.certificates.fallbackOptions,
      // Node calls it on the TLS socket; the hello says which kind of certificate the client takes.
      SNICallback(this: TLSSocket, name: string, done: (error: Error | null, context?: SecureContext) => void): void {
        containOn(this, 'handshake SNI', () => {
          watchPeer(this)
          done(null, inForce.certificates.contextFor(name, arrivalOf(this)?.offer))
        })()
      },
      handshakeTimeout: NEVER_FIRST_MS,
    },
    limits: {
      ...limits,
      get upstreamTimeout() {
        return settings.config.limits.upstreamTimeout
      },
    },
    context: { recorder, unrouted: recorder.routeNumbers('unknown', 'unknown'), live, monotonic, requestId },
    tunnels,
    draining: () => drain.on,
    shedSince: () => pressure.since,
    snapshot: () => inForce.snapshot,
    wallClock,
  }
}

function watchPace({ settings, live, monotonic, wallClock }: Shared): () => void {
  return keepPace({
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
}
