// The connections to one upstream: verified TLS always, kept while idle, bounded in number. One request leads to at most
// one attempt to connect.
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls, type PeerCertificate, type SecureContext } from 'node:tls'
import type { UpstreamNumbers } from '../observe/recorder.ts'
import { UpstreamConnection, type ConnectionOwner } from './connection.ts'
import { Exchange, countFailure, countReply, type ReplyHandler, type UpstreamRequest } from './exchange.ts'
import { connectFailure, type UpstreamFailure } from './failure.ts'

export interface PoolOptions {
  /** ACCOUNT.SERVICE or an API's name, for the log. */
  readonly name: string
  /** Where to connect. */
  readonly host: string
  readonly port: number
  /** The name that the upstream's certificate must bear. */
  readonly serverName: string
  /** Undefined only for a loopback upstream that the configuration calls insecure. */
  readonly secureContext: SecureContext | undefined
  /** DNS, TCP and TLS together, in milliseconds. */
  readonly connectTimeout: number
  readonly maxConnections: number
  readonly numbers: UpstreamNumbers
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

/** Idle connections are dropped before the service drops them: no request should meet one that is just closing. */
const IDLE_LIMIT_MS = 30_000
const SWEEP_EVERY_MS = 1000
/** What a slow client can make wait in memory for each reply; the cost of bulk falls up to here. */
const HIGH_WATER_MARK = 128 * 1024

/** Requests that find no connection free wait in the order in which they came. */
export class UpstreamPool implements ConnectionOwner {
  readonly name: string
  readonly #options: PoolOptions
  readonly #idle: UpstreamConnection[] = []
  /** Freed in this turn of the event loop; bytes that came with the reply show themselves before anyone is next. */
  readonly #cooling: UpstreamConnection[] = []
  readonly #queue: Exchange[] = []
  readonly #open = new Set<UpstreamConnection>()
  readonly #attempts = new Set<Socket>()
  readonly #sweeper: NodeJS.Timeout
  #connecting = 0
  #session: Buffer | undefined
  #closed = false

  constructor(options: PoolOptions) {
    this.name = options.name
    this.#options = options
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_EVERY_MS)
    this.#sweeper.unref()
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
      const socket = this.#tryOpenSocket()
      if (socket instanceof Error) return reject(socket)
      const timer = setTimeout(() => socket.destroy(Object.assign(new Error('connect timeout'), { code: 'CONNECT_TIMEOUT' })), this.#options.connectTimeout)
      socket.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      socket.once(this.#options.secureContext === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(timer)
        resolve(socket)
      })
    })
  }

  /** What became of a request on such a connection: the status of its reply, or why there was none. */
  countAlone(outcome: number | UpstreamFailure): void {
    const { numbers } = this.#options
    if (typeof outcome === 'number') countReply(numbers, outcome)
    else countFailure(numbers, outcome)
  }

  /** Connections, those under way included. */
  get size(): number {
    return this.#open.size + this.#connecting
  }

  /** Closes idle connections now and each other one when its exchange is over. */
  close(): void {
    this.#closed = true
    clearInterval(this.#sweeper)
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /** Ends everything. */
  destroy(): void {
    this.close()
    for (const connection of this.#open) connection.destroy()
    for (const socket of this.#attempts) socket.destroy(Object.assign(new Error('closed'), { code: 'POOL_CLOSED' }))
  }

  free(connection: UpstreamConnection): void {
    connection.idleSince = this.#options.monotonic()
    if (this.#cooling.length === 0) setImmediate(() => this.#cooled())
    this.#cooling.push(connection)
  }

  gone(connection: UpstreamConnection): void {
    if (!this.#open.delete(connection)) return
    this.#options.numbers.open.value--
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
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
    const { monotonic, numbers, connectTimeout } = this.#options
    const began = monotonic()
    const socket = this.#tryOpenSocket()
    if (socket instanceof Error) {
      this.#connecting--
      numbers.pending.value--
      // Not in this turn: the caller has not got its exchange yet.
      setImmediate(() => this.#failed(socket))
      return
    }
    this.#attempts.add(socket)
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('connect timeout'), { code: 'CONNECT_TIMEOUT' })), connectTimeout)
    const settle = (): void => {
      clearTimeout(timer)
      this.#attempts.delete(socket)
      socket.removeAllListeners('error')
      socket.removeAllListeners('close')
      this.#connecting--
      numbers.pending.value--
    }
    socket.once(this.#options.secureContext === undefined ? 'connect' : 'secureConnect', () => {
      settle()
      numbers.connect.observe((monotonic() - began) / 1000)
      this.#connected(socket)
    })
    socket.once('error', (error) => {
      settle()
      socket.on('error', ignore)
      this.#failed(error)
    })
  }

  /** Node throws at once for some names and addresses that it will not take. */
  #tryOpenSocket(): Socket | Error {
    try {
      return this.#openSocket()
    } catch (error) {
      return error instanceof Error ? error : new Error('connect')
    }
  }

  #openSocket(): Socket {
    const { host, port, serverName, secureContext } = this.#options
    const where = { host, port, noDelay: true, keepAlive: true, highWaterMark: HIGH_WATER_MARK }
    if (secureContext === undefined) return connectTcp(where)
    const session = this.#session === undefined ? {} : { session: this.#session }
    const how = {
      // An address is not a name that SNI could carry; the certificate must bear it all the same.
      servername: isIP(serverName) === 0 ? serverName : '',
      checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(serverName, certificate),
      secureContext,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      ...session,
    }
    const socket = connectTls({ ...where, ...how })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    socket.on('session', (latest) => (this.#session = latest))
    return socket
  }

  #connected(socket: Socket): void {
    const connection = new UpstreamConnection(socket, this)
    this.#open.add(connection)
    this.#options.numbers.open.value++
    const next = this.#nextQueued()
    if (next !== undefined) connection.carry(next)
    else if (this.#closed) connection.destroy()
    else this.#idle.push(connection)
    connection.idleSince = this.#options.monotonic()
  }

  /** A failed attempt ends the request that has waited longest: each attempt stands for one request. */
  #failed(error: Error): void {
    this.#session = undefined
    this.#nextQueued()?.fail(connectFailure(error))
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

function ignore(): void {
  // Node may tell the same fault twice; the first was heard.
}
