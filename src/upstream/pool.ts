// The connections to one upstream: kept while idle, bounded in number. One request leads to at most one attempt to connect.
import type { Socket } from 'node:net'
import type { UpstreamNumbers } from '../observe/recorder.ts'
import { UpstreamConnection, type ConnectionOwner } from './connection.ts'
import { Dialer, type DialOptions } from './dial.ts'
import { Exchange, countFailure, countReply, type ReplyHandler, type UpstreamRequest } from './exchange.ts'
import { connectFailure, type UpstreamFailure } from './failure.ts'

export interface PoolOptions extends DialOptions {
  /** ACCOUNT.SERVICE or an API's name, for the log. */
  readonly name: string
  readonly maxConnections: number
  readonly numbers: UpstreamNumbers
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

/** Idle connections are dropped before the service drops them: no request should meet one that is just closing. */
const IDLE_LIMIT_MS = 30_000
const SWEEP_EVERY_MS = 1000

/** Requests that find no connection free wait in the order in which they came. */
export class UpstreamPool implements ConnectionOwner {
  readonly name: string
  readonly #options: PoolOptions
  readonly #idle: UpstreamConnection[] = []
  /** Freed in this turn of the event loop; bytes that came with the reply show themselves before anyone is next. */
  readonly #cooling: UpstreamConnection[] = []
  readonly #queue: Exchange[] = []
  readonly #open = new Set<UpstreamConnection>()
  readonly #dialer: Dialer
  /** While there are connections: most pools of a gateway with a thousand accounts have none. */
  #sweeper: NodeJS.Timeout | undefined
  #connecting = 0
  #closed = false

  constructor(options: PoolOptions) {
    this.name = options.name
    this.#options = options
    this.#dialer = new Dialer(options)
  }

  /** Sends a request; everything that becomes of it is told to `handler`. Monotonic times are milliseconds. */
  send(request: UpstreamRequest, handler: ReplyHandler): Exchange {
    const exchange = new Exchange(request, handler, this.#options.numbers, this.#options.monotonic)
    const connection = this.#takeIdle()
    if (connection !== undefined) connection.carry(exchange)
    else this.#enqueue(exchange)
    return exchange
  }

  /** A verified connection that is not the pool's: for what takes one over whole. Rejects with the connecting error. */
  connectAlone(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      this.#dialer.dial((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)))
    })
  }

  /** What became of a request on such a connection: the status of its reply, or why there was none. */
  countAlone(outcome: number | UpstreamFailure): void {
    const { numbers } = this.#options
    if (typeof outcome === 'number') countReply(numbers, outcome)
    else countFailure(numbers, outcome)
  }

  /** Closes idle connections now and each other one when its exchange is over. */
  close(): void {
    this.#closed = true
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /** Ends everything. */
  destroy(): void {
    this.close()
    for (const connection of this.#open) connection.destroy()
    this.#dialer.destroy()
  }

  free(connection: UpstreamConnection): void {
    connection.idleSince = this.#options.monotonic()
    if (this.#cooling.length === 0) setImmediate(() => this.#cooled())
    this.#cooling.push(connection)
  }

  broken(error: unknown): void {
    this.#options.broken(error)
  }

  gone(connection: UpstreamConnection): void {
    if (!this.#open.delete(connection)) return
    this.#options.numbers.open.value--
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    if (this.#open.size === 0) this.#stopSweeping()
    this.#connectForQueue()
  }

  #takeIdle(): UpstreamConnection | undefined {
    const now = this.#options.monotonic()
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.usable) continue
      // The sweep looks once a second; the upstream's own time may be over before.
      if (!isStale(connection, now)) return connection
      connection.destroy()
    }
    return undefined
  }

  #cooled(): void {
    for (const connection of this.#cooling.splice(0)) {
      if (!connection.usable) continue
      const next = this.#nextQueued()
      if (next !== undefined) connection.carry(next)
      else if (this.#closed) connection.destroy()
      else this.#idle.push(connection)
    }
  }

  #nextQueued(): Exchange | undefined {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (next.state !== 'over') return next
    }
    return undefined
  }

  #enqueue(exchange: Exchange): void {
    this.#queue.push(exchange)
    this.#connectForQueue()
  }

  #connectForQueue(): void {
    const { maxConnections, numbers } = this.#options
    while (this.#connecting < this.#queue.length && this.#open.size + this.#connecting < maxConnections) {
      this.#connecting++
      numbers.pending.value++
      this.#connect()
    }
  }

  #connect(): void {
    const { monotonic, numbers } = this.#options
    const began = monotonic()
    this.#dialer.dial((outcome) => {
      this.#connecting--
      numbers.pending.value--
      if (outcome instanceof Error) return this.#failed(outcome)
      numbers.connect.observe((monotonic() - began) / 1000)
      this.#connected(outcome)
    })
  }

  #connected(socket: Socket): void {
    const connection = new UpstreamConnection(socket, this)
    this.#open.add(connection)
    this.#options.numbers.open.value++
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_EVERY_MS).unref()
    const next = this.#nextQueued()
    if (next !== undefined) connection.carry(next)
    else if (this.#closed) connection.destroy()
    else this.#idle.push(connection)
    connection.idleSince = this.#options.monotonic()
  }

  /**
   * A failed attempt ends the request that has waited longest: each attempt stands for one request. Those that had to wait for
   * room get theirs.
   */
  #failed(error: Error): void {
    this.#nextQueued()?.fail(connectFailure(error))
    this.#connectForQueue()
  }

  #stopSweeping(): void {
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  #sweep(): void {
    const now = this.#options.monotonic()
    for (const connection of this.#idle.slice()) if (isStale(connection, now)) connection.destroy()
  }
}

/** Idle for so long that the upstream may be about to drop it: a second before it says it will. */
function isStale(connection: UpstreamConnection, now: number): boolean {
  const hint = connection.keepAliveSeconds
  const limit = hint === undefined ? IDLE_LIMIT_MS : Math.min(IDLE_LIMIT_MS, Math.max(0, hint - 1) * 1000)
  return now - connection.idleSince >= limit
}
