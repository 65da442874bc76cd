// One method an event, writing its metrics and its line together. Decides nothing.
import { REFUSALS, type Detail, type Refusal } from '../refusal.ts'
import { CLASSES, METHODS, type SERVICE_LABELS, UPSTREAM_RESULTS, zeroSasOutcomes, type TrafficMetrics } from './metrics.ts'
import type { Cell, Distribution } from './family.ts'
import { Issuers } from './issuers.ts'
import { Offers, type OfferNote } from './offers.ts'
import { RefusedBy } from './refused-by.ts'
import { requestFields, type FinishedRequest } from './request-line.ts'
import { keepShare } from './sampling.ts'

/** What the recorder asks of a logger. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A line whose fields are JSON text already, without the braces around them; they follow time and process, as others do. */
  line(level: LineLevel, fields: string, message: string): void
}

export type LineLevel = 'info' | 'warn' | 'error'

export type ListenerName = 'tls' | 'plain' | 'admin'
export type UpstreamResult = (typeof UPSTREAM_RESULTS)[number]

/** The numbers of one route, looked up once when the route is made. */
export interface RouteNumbers {
  readonly route: string
  readonly service: (typeof SERVICE_LABELS)[number]
  /** Both names as they stand in a line. */
  readonly text: string
  readonly requests: readonly (readonly Cell[])[]
  readonly duration: Distribution
  readonly gateway: Distribution
  readonly inFlight: Cell
  readonly received: Cell
  readonly sent: Cell
}

/** The numbers of one upstream. */
export interface UpstreamNumbers {
  readonly results: Readonly<Record<UpstreamResult, Cell>>
  readonly open: Cell
  readonly pending: Cell
  readonly connect: Distribution
  readonly firstByte: Distribution
  /** 1 before the first exchange and while the last one brought a reply, 0 since one that failed. */
  readonly healthy: Cell
}

/** A shared access signature that passed. */
export interface PassedSas {
  readonly kind: string
  readonly outcome: string
  readonly slot: string | null
  /** The client's own token would not work over plain http. */
  readonly httpsOnly: boolean
  /** The reason for which `storage.sas.accept` would refuse it, in mode report. */
  readonly wouldRefuse?: string
}

/** A finished handshake. */
export interface FinishedHandshake {
  readonly client: string
  readonly version: string
  readonly suite: string
  readonly group: string
  readonly resumed: boolean
  readonly clientCertificate: boolean
  readonly seconds: number
}

const METHOD_INDEX: ReadonlyMap<string, number> = new Map(METHODS.map((method, i) => [method as string, i]))
const OTHER = METHODS.length - 1
/** Statuses from here on are logged whatever the share of the others. */
const FIRST_ERROR = 400

/** Every event of the traffic, one method each. Names and reasons are of our own lists, never a client's text. */
export class Recorder {
  readonly metrics: TrafficMetrics
  readonly issuers = new Issuers()
  readonly offers = new Offers()
  readonly refusedBy = new RefusedBy()
  /** Told of each finished request where traces are wanted; undefined otherwise. */
  trace: ((done: FinishedRequest) => void) | undefined
  /** A log of refusals alone, where one is wanted. */
  audit: Log | undefined
  readonly #log: Log
  /** Milliseconds since the epoch. */
  readonly #wallClock: () => number
  #share = 1
  #kept = keepShare(1)

  constructor(metrics: TrafficMetrics, log: Log, wallClock: () => number) {
    this.metrics = metrics
    this.#log = log
    this.#wallClock = wallClock
  }

  /** Sets the share of good requests, 0 to 1, whose line is written; all of them until it is called. */
  sample(share: number): void {
    this.#share = share
    this.#kept = keepShare(share)
  }

  /** The numbers of a route; made once, kept by the route. */
  routeNumbers(route: string, service: RouteNumbers['service']): RouteNumbers {
    const { metrics } = this
    return Object.freeze({
      route,
      service,
      text: `"route":${JSON.stringify(route)},"service":"${service}"`,
      requests: METHODS.map((method) => CLASSES.map((c) => metrics.requests.child(route, service, method, c))),
      duration: metrics.requestDuration.child(route),
      gateway: metrics.gatewayDuration.child(route),
      inFlight: metrics.inFlight.child(route),
      received: metrics.bytes.child(route, 'received'),
      sent: metrics.bytes.child(route, 'sent'),
    })
  }

  /** The numbers of an upstream; made once, kept by its pool. */
  upstreamNumbers(upstream: string): UpstreamNumbers {
    const { metrics } = this
    return Object.freeze({
      healthy: metrics.upstreamHealthy.child(upstream),
      results: Object.fromEntries(UPSTREAM_RESULTS.map((r) => [r, metrics.upstreamRequests.child(upstream, r)])) as Record<UpstreamResult, Cell>,
      open: metrics.upstreamConnections.child(upstream, 'open'),
      pending: metrics.upstreamConnections.child(upstream, 'pending'),
      connect: metrics.upstreamConnect.child(upstream),
      firstByte: metrics.upstreamFirstByte.child(upstream),
    })
  }

  /** Puts an account's SAS outcomes into the metrics at zero. */
  accountConfigured(account: string): void {
    zeroSasOutcomes(this.metrics, account)
  }

  /** A connection was accepted. */
  connectionOpened(listener: ListenerName): void {
    this.metrics.connections.child(listener).value++
    this.metrics.connectionsOpen.child(listener).value++
  }

  /** It is closed, whatever became of it. */
  connectionClosed(listener: ListenerName): void {
    this.metrics.connectionsOpen.child(listener).value--
  }

  /** A ClientHello is whole. */
  helloRead(client: string, note: OfferNote): void {
    this.metrics.hellos.child(note.offered).value++
    this.offers.hello(client, note, this.#wallClock())
  }

  /** A connection did not begin with TLS; `protocol` is one of PROTOCOLS. */
  plaintextSeen(protocol: string): void {
    this.metrics.plaintext.child(protocol).value++
  }

  /** A handshake came to its end; one that failed is `refused`. */
  handshakeCompleted(done: FinishedHandshake): void {
    const resumed = done.resumed ? 'yes' : 'no'
    this.metrics.handshakes.child(done.version, done.suite, resumed, done.clientCertificate ? 'yes' : 'no').value++
    this.metrics.handshakeDuration.child(resumed).observe(done.seconds)
    this.metrics.groups.child(done.group).value++
    this.offers.completed(done.client, done)
  }

  /**
   * A connection that did not get as far as HTTP, or one that a fault of ours ended: its metric and its line, and the stack
   * of such a fault. `facts` say who and what was offered.
   */
  refused(refusal: Refusal, facts: Detail): void {
    const { stage, level } = REFUSALS[refusal.reason]
    this.metrics.refusals.child(stage, refusal.reason).value++
    this.refusedBy.note(String(facts['client'] ?? ''), refusal.reason, this.#wallClock())
    this.#tell(level, { stage, reason: refusal.reason, ...facts, ...refusal.detail }, 'refused')
    if (refusal.reason === 'unexpected') this.#log.error({ err: describeError(refusal.cause) }, 'unexpected')
  }

  /** Counts a request that did not pass; its line is the request's own. A fault of ours gets its stack as well. */
  requestRefused(refusal: Refusal, requestId: string, client: string): void {
    this.metrics.refusals.child(refusal.row.stage, refusal.reason).value++
    this.refusedBy.note(client, refusal.reason, this.#wallClock())
    if (refusal.reason === 'unexpected') this.#log.error({ requestId, err: describeError(refusal.cause) }, 'unexpected')
  }

  /** A token that was refused. */
  sasRefused(account: string, kind: string, reason: string): void {
    this.metrics.sas.child(account, kind, reason).value++
  }

  /** A token that passed: unchanged, tightened, or unverified for want of a key. */
  sasPassed(account: string, sas: PassedSas, client: string, now: number): void {
    this.metrics.sas.child(account, sas.kind, sas.outcome).value++
    if (sas.wouldRefuse !== undefined) this.metrics.sasWouldRefuse.child(account, sas.wouldRefuse).value++
    if (sas.slot !== null) this.metrics.sasKeyUsed.child(account, sas.slot).value++
    this.issuers.note(account, sas.kind, sas.slot, client, sas.httpsOnly, now)
  }

  /** A request is over: its numbers and its line, refused or not. */
  requestCompleted(done: FinishedRequest): void {
    const { numbers } = done
    const byMethod = numbers.requests[METHOD_INDEX.get(done.method) ?? OTHER]
    const cell = byMethod?.[Math.floor(done.status / 100) - 1]
    if (cell !== undefined) cell.value++
    numbers.duration.observe(done.duration / 1000)
    numbers.gateway.observe(done.gatewayDuration / 1000)
    numbers.received.value += done.received
    numbers.sent.value += done.sent
    this.trace?.(done)
    if (done.refusal !== null) this.#tellRequest(done.refusal.row.level, requestFields(done))
    else if (done.status >= FIRST_ERROR || done.broken) this.#log.line('info', requestFields(done), 'request')
    else if (this.#kept()) this.#log.line('info', requestFields(done, this.#share), 'request')
  }

  /** The line of a refused request, in the audit log as well where there is one. */
  #tellRequest(level: LineLevel, fields: string): void {
    this.#log.line(level, fields, 'request')
    this.audit?.line(level, fields, 'request')
  }

  /** The line of a refused connection, in both as well. */
  #tell(level: LineLevel, fields: object, message: string): void {
    this.#log[level](fields, message)
    this.audit?.[level](fields, message)
  }

  /** Something that an operator should read; `fields` hold no secret. */
  noted(level: LineLevel, message: string, fields: object = {}): void {
    this.#log[level](fields, message)
  }
}

/** Returns an error for the log: its type, message and stack. Errors of ours never carry request data in their message. */
export function describeError(cause: unknown): object {
  if (cause instanceof Error) return { type: cause.name, message: cause.message, stack: cause.stack }
  return { type: typeof cause }
}
