// What becomes of each request that Node has read, and of what it could not read: judged and carried, or refused in the words
// of the table.
import type { Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { arrivalOf } from '../door/arrival.ts'
import { Refusal } from '../refusal.ts'
import type { Roll } from '../roll.ts'
import { admit, findSite, isApiPermit, serviceOf, type ApiPermit, type Snapshot } from './admit.ts'
import { givePassage } from './api-proxy.ts'
import { boundChunks } from './chunk-bounds.ts'
import { HalfClosed } from './half-closed.ts'
import { deliverRefusal, isEnding, lingerAtEnd } from './deliver.ts'
import type { ForwardContext } from './forward.ts'
import { factsOf } from './facts.ts'
import { readRequestFields } from './headers.ts'
import { refuseRaw } from './raw-reply.ts'
import { carryStorage, type StorageContext } from './storage.ts'
import { Transaction, type TransactionContext } from './transaction.ts'
import { currentReplies, endTurns, takeTurn } from './turns.ts'
import { shed } from './shed.ts'
import { carryUpgrade, wantsTunnel } from './upgrade.ts'
import type { Tunnel, TunnelContext } from './websocket.ts'

/** What handling requests needs of the process. */
export interface HandlerOptions {
  /** Milliseconds. */
  readonly limits: { readonly upstreamTimeout: number }
  readonly context: TransactionContext
  readonly tunnels: Roll<Tunnel>
  readonly draining: () => boolean
  /** Connections accepted since then, in monotonic ms, are turned away; undefined while there is memory for all. */
  readonly shedSince: () => number | undefined
  /** The snapshot in force; each request takes it once. */
  readonly snapshot: () => Snapshot
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
}

const TRANSACTION = Symbol('transaction')
const UPGRADE = Symbol('upgrade')
interface Carrying extends IncomingMessage { [TRANSACTION]?: Transaction; [UPGRADE]?: true }

/** Handles the events of one https server, and what Fastify hands over. */
export class Handlers {
  readonly #options: HandlerOptions
  readonly #storage: StorageContext
  readonly #tunneling: TunnelContext
  readonly forwarding: ForwardContext

  constructor(options: HandlerOptions) {
    this.#options = options
    this.forwarding = {
      get via() {
        return `1.1 ${options.snapshot().via}`
      },
      draining: options.draining,
      monotonic: options.context.monotonic,
      fail: (transaction, refusal) => this.#deliver(transaction, refusal),
    }
    this.#storage = {
      forwarding: this.forwarding,
      recorder: options.context.recorder,
      wallClock: options.wallClock,
      shedSince: options.shedSince,
      broken: (transaction, error) => this.broken(transaction.request, error),
    }
    this.#tunneling = {
      via: () => this.forwarding.via,
      recorder: options.context.recorder,
      tunnels: options.tunnels,
      get upstreamTimeout() {
        return options.limits.upstreamTimeout
      },
      monotonic: options.context.monotonic,
      refuse: (socket, refusal) => this.#refuseSocket(socket, refusal, 'GET'),
    }
  }

  /** Replies that are owed are given after the end of what the client sends. */
  #allowHalfClosed(server: Server): void {
    // Node's own name for it, not in its types.
    Object.assign(server, { httpAllowHalfOpen: true })
    const halfClosed = new HalfClosed()
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.allowHalfOpen = true
      socket.once('end', () => {
        if (currentReplies(socket).length > 0) halfClosed.watch(socket)
      })
    })
  }

  /** Takes every event of the server that would otherwise be answered for us. */
  listenOn(server: Server, handler: (request: IncomingMessage, reply: ServerResponse) => void): Server {
    // Counted by admission instead: Node would leave out fields beyond its limit without a word.
    server.maxHeadersCount = 0
    this.#allowHalfClosed(server)
    const take = (awaitsContinue: boolean) => (request: IncomingMessage, reply: ServerResponse) => {
      // The parser goes on with what follows a refusal that closes; where that begins is not ours to guess (security.md 3.11).
      if (isEnding(request.socket)) request.resume()
      else if (!takeTurn(reply, () => begin(request, reply, awaitsContinue))) this.#overwhelmed(request.socket)
    }
    const begin = (request: IncomingMessage, reply: ServerResponse, awaitsContinue: boolean): void => {
      // Node leaves out what came with a request that asks for another protocol: the end tells the client that it did.
      if ((request as Carrying)[UPGRADE] === true) reply.shouldKeepAlive = false
      ;(request as Carrying)[TRANSACTION] = new Transaction(request, reply, awaitsContinue, this.#options.context)
      handler(request, reply)
    }
    server.on('request', take(false))
    server.on('checkContinue', take(true))
    server.on('checkExpectation', take(false))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, early: Buffer) => this.#upgrade(request, socket as TLSSocket, early))
    server.on('connect', (request: IncomingMessage, socket: Duplex) => this.#refuseMethod(request, socket as TLSSocket))
    return server
  }

  /** The onRequest hook: whether the request was dealt with here, by carrying or by refusing it. */
  admit(request: Carrying): boolean {
    const transaction = request[TRANSACTION]
    if (transaction === undefined) return true
    try {
      return this.#judge(transaction, request)
    } catch (error) {
      this.broken(request, error)
      return true
    }
  }

  #judge(transaction: Transaction, request: Carrying): boolean {
    const options = this.#options
    const snapshot = options.snapshot()
    if (request.httpVersionMajor !== 1) throw new Refusal('http-malformed', { why: 'version' })
    const fields = (transaction.fields = readRequestFields(request.rawHeaders, request.httpVersionMinor === 1))
    if (fields.chunked) boundChunks(request, snapshot.headerFields, (detail) => this.#breakOff(transaction.reply, new Refusal('headers-too-large', detail)))
    if (options.draining()) throw new Refusal('draining')
    shed(transaction.arrival, options.shedSince())
    const facts = factsOf(request, transaction.target, fields, transaction.arrival, options.wallClock())
    const { host, site } = findSite(facts, snapshot)
    if ('kind' in site) transaction.routed(site.numbers)
    const permit = admit(facts, host, site, snapshot)
    if (isApiPermit(permit)) return this.#passApi(transaction, request, permit)
    carryStorage(transaction, permit, snapshot, this.#storage)
    return true
  }

  #passApi(transaction: Transaction, request: Carrying, permit: ApiPermit): false {
    transaction.routed(permit.route.numbers)
    givePassage(request, { transaction, permit })
    return false
  }

  /** Whatever was thrown on the way: a Refusal as it is, anything else is a fault of ours. */
  broken(request: Carrying, error: unknown): void {
    const transaction = request[TRANSACTION]
    if (transaction === undefined) {
      request.socket.destroy()
      return
    }
    const refusal = error instanceof Refusal ? error : new Refusal('unexpected', {}, {}, error)
    if (refusal.row.stage === 'sas') this.#countSas(transaction, refusal)
    this.#deliver(transaction, refusal)
  }

  #countSas(transaction: Transaction, refusal: Refusal): void {
    const kind = refusal.detail.kind
    this.#options.context.recorder.sasRefused(transaction.numbers.route, typeof kind === 'string' ? kind : 'unknown', refusal.reason)
  }

  #deliver(transaction: Transaction, refusal: Refusal): void {
    const { fields, arrival } = transaction
    const service = serviceOf(fields?.host, arrival?.offer?.serverName, this.#options.snapshot().sites)
    deliverRefusal(transaction, refusal, service, this.#options.wallClock())
  }

  /**
   * Whether a request that asks for another protocol goes on as a WebSocket; not behind others that are still to be answered,
   * nor behind a refusal that ends the connection.
   */
  wantsTunnel(request: Carrying): boolean {
    request[UPGRADE] = true
    const { socket } = request
    return wantsTunnel(request, this.#options.snapshot()) && currentReplies(socket).length === 0 && !isEnding(socket)
  }

  #upgrade(request: IncomingMessage, socket: TLSSocket, early: Buffer): void {
    // Whichever end of a WebSocket ends first takes the other along.
    socket.allowHalfOpen = false
    carryUpgrade(request, socket, early, this.#options, this.#tunneling)
  }

  #refuseMethod(request: IncomingMessage, socket: TLSSocket): void {
    this.#endWith(socket, new Refusal('method-refused'), request.method ?? '')
  }

  /** What Node's parser could not read, or did not get in time; told again for all that still comes on the connection. */
  unparsable(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    if (socket.destroyed || error.code === 'ECONNRESET' || arrivalOf(socket)?.tlsVersion === '') {
      socket.destroy()
      return
    }
    // What follows a request that was to be the last is nobody's. Node has noticed the end itself, but for one that stands in a trailer.
    if (error.code === 'HPE_CLOSED_CONNECTION') return this.#endAfterReplies(socket)
    const refusal = new Refusal(UNPARSABLE.get(error.code ?? '') ?? 'http-malformed', { code: error.code ?? null })
    const latest = currentReplies(socket).at(-1)
    if (latest === undefined || latest.req.complete) this.#endWith(socket, refusal, '')
    // The body broke off into something that is not HTTP while the request was being carried.
    else this.#breakOff(latest, refusal)
  }

  #endAfterReplies(socket: TLSSocket): void {
    const end = (): void => {
      if (isEnding(socket)) return
      lingerAtEnd(socket)
      socket.destroySoon()
    }
    if (currentReplies(socket).length === 0) end()
    else endTurns(socket, end)
  }

  /** Ends a connection with a refusal, after the replies to what came before. */
  #endWith(socket: TLSSocket, refusal: Refusal, method: string): void {
    if (currentReplies(socket).length === 0) this.#refuseSocket(socket, refusal, method)
    else endTurns(socket, () => this.#refuseSocket(socket, refusal, method))
  }

  /** More requests behind one another than anybody sends: the one whose reply is next pays for it. */
  #overwhelmed(socket: Socket): void {
    const [reply] = currentReplies(socket)
    if (reply !== undefined) this.#breakOff(reply, new Refusal('overloaded', { why: 'pipelined' }))
  }

  #breakOff(reply: ServerResponse, refusal: Refusal): void {
    const transaction = (reply.req as Carrying)[TRANSACTION]
    if (transaction === undefined) return
    transaction.exchange?.abort()
    this.#deliver(transaction, refusal)
  }

  #refuseSocket(socket: TLSSocket, refusal: Refusal, method: string): void {
    if (isEnding(socket)) return
    const { context, snapshot, wallClock } = this.#options
    const arrival = arrivalOf(socket)
    const service = serviceOf(undefined, arrival?.offer?.serverName, snapshot().sites)
    refuseRaw(socket, refusal, { service, method, arrival, context, now: wallClock() })
  }
}

const UNPARSABLE = new Map([
  ['HPE_HEADER_OVERFLOW', 'headers-too-large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'headers-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'headers-timeout'],
] as const) as ReadonlyMap<string, 'headers-too-large' | 'headers-timeout'>
