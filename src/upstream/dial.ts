// Makes the connections to one upstream: DNS, TCP and TLS within their time, verified always, the session of the last one offered
// again.
import dns from 'node:dns'
import { contain } from '../contain.ts'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls, type PeerCertificate, type SecureContext } from 'node:tls'
import { brokenFailure } from './failure.ts'
import { insideOf, lookUpInside, NotPrivate, type Inside, type LookUp, type LookUpAll, type Via } from '../network/via.ts'

export interface DialOptions {
  /** Where to connect. */
  readonly host: string
  readonly port: number
  /** Only addresses inside are dialled; undefined where any may be. */
  readonly via?: Via | undefined
  /** Resolves names; `dns.lookup` unless given. */
  readonly lookUp?: LookUpAll
  /** The name that the upstream's certificate must bear. */
  readonly serverName: string
  /** Undefined only for a loopback upstream that the configuration calls insecure. */
  readonly secureContext: SecureContext | undefined
  /** DNS, TCP and TLS together, in milliseconds. */
  readonly connectTimeout: number
  /** Counts the connections to all upstreams of the process, those under way included. */
  readonly sockets: { value: number }
  /** Told what a handler threw while no request was there to be told. */
  readonly broken: (error: unknown) => void
}

/** What became of an attempt: a connection that is verified, or what kept it from being one. */
export type Dialled = Socket | Error

/** What a slow client can make wait in memory for each reply; the cost of bulk falls up to here. */
const HIGH_WATER_MARK = 128 * 1024
const KEEP_ALIVE_MS = 60_000

export class Dialer {
  readonly #options: DialOptions
  readonly #attempts = new Set<Socket>()
  readonly #way: { readonly inside: Inside; readonly lookup: LookUp } | undefined
  #session: Buffer | undefined

  constructor(options: DialOptions) {
    this.#options = options
    this.#way = options.via === undefined ? undefined : wayOf(insideOf(options.via), options.lookUp)
  }

  /** One attempt; `done` is told once, never in this turn. */
  dial(done: (outcome: Dialled) => void): void {
    const socket = this.#tryOpenSocket()
    if (socket instanceof Error) return void setImmediate(done, socket)
    this.#count(socket)
    const connected = this.#options.secureContext === undefined ? 'connect' : 'secureConnect'
    const timer = setTimeout(() => socket.destroy(fault('CONNECT_TIMEOUT')), this.#options.connectTimeout)
    let settled = false
    const settle = (outcome: Dialled): void => {
      settled = true
      clearTimeout(timer)
      socket.removeListener(connected, succeed)
      socket.removeListener('error', failed)
      this.#attempts.delete(socket)
      if (outcome instanceof Error) this.#session = undefined
      done(outcome)
    }
    const broken = (error: unknown): void => {
      socket.destroy()
      if (settled) this.#options.broken(error)
      else settle(brokenFailure(error))
    }
    const succeed = contain('dial connected', () => settle(socket), broken)
    const failed = contain('dial error', settle, broken)
    socket.once(connected, succeed)
    socket.once('error', failed)
    // Node may tell the same fault twice, and one may come before the connection has another listener.
    socket.on('error', ignore)
  }

  /** Ends the attempts under way: each fails. */
  destroy(): void {
    for (const socket of this.#attempts) socket.destroy(fault('POOL_CLOSED'))
  }

  #count(socket: Socket): void {
    const { sockets, broken } = this.#options
    sockets.value++
    socket.once('close', contain('dial close', () => sockets.value--, broken))
    this.#attempts.add(socket)
  }

  /** Node throws at once for some names and addresses that it will not take. */
  #tryOpenSocket(): Dialled {
    try {
      return this.#openSocket()
    } catch (error) {
      return error instanceof Error ? error : new Error('connect')
    }
  }

  #openSocket(): Socket {
    const { host, port, serverName, secureContext } = this.#options
    // Node asks no resolver for an address, so it is judged here.
    if (this.#way !== undefined && isIP(host) !== 0 && !this.#way.inside(host)) throw new NotPrivate([host])
    const judged = this.#way === undefined ? {} : { lookup: this.#way.lookup }
    const where = { ...judged, host, port, noDelay: true, keepAlive: true, highWaterMark: HIGH_WATER_MARK }
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
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('session', contain('dial session', (latest: Buffer) => (this.#session = latest), this.#options.broken))
    return socket
  }
}

// Asked for at each look-up by its module, so that a resolver that replaces Node's is used as well.
const systemLookUp: LookUpAll = (host, options, done) => dns.lookup(host, options, done)

function wayOf(inside: Inside, lookUp = systemLookUp): { readonly inside: Inside; readonly lookup: LookUp } {
  return { inside, lookup: lookUpInside(inside, lookUp) }
}

function fault(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function ignore(): void {
  // What matters was told.
}
