// What becomes of each request that Node has read: judged and carried, or refused in the words of the table.
import type { Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { Refusal } from '../refusal.ts'
import type { Roll } from '../members.ts'
import { containOn } from '../door/arrival.ts'
import { isApis } from '../upstream/routes.ts'
import { admit, findRoute, findSite, isApiPermit, serviceOf, type ApiPermit, type Snapshot } from './admit.ts'
import { givePassage } from './api/api-proxy.ts'
import { boundChunks } from './connection/chunk-bounds.ts'
import { deliverRefusal, isEnding } from './deliver.ts'
import { Endings } from './connection/connection-errors.ts'
import { factsOf } from './facts.ts'
import type { ForwardContext } from './storage/forward.ts'
import { answerHalfClosed } from './connection/half-closed.ts'
import { readRequestFields } from './headers.ts'
import { BatchBudget } from './storage/batch-budget.ts'
import { carryStorage, type StorageContext } from './storage/storage.ts'
import { Transaction, giveTransaction, transactionOf, type TransactionContext } from './transaction.ts'
import { currentReplies, takeTurn } from './connection/pipelining.ts'
import { shed } from './shed.ts'
import { carryUpgrade, wantsTunnel } from './api/upgrade.ts'
import type { Tunnel, TunnelContext } from './api/websocket.ts'

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

const UPGRADE = Symbol('upgrade')
interface Carrying extends IncomingMessage { [UPGRADE]?: true }

/** Handles the events of one https server, and what Fastify hands over. */
export class Handlers {
  readonly #options: HandlerOptions
  readonly #storage: StorageContext
  readonly #tunneling: TunnelContext
  readonly #endings: Endings
  readonly forwarding: ForwardContext

  constructor(options: HandlerOptions) {
    const { context, snapshot, wallClock, shedSince } = options
    const deliver = (transaction: Transaction, refusal: Refusal): void => this.#deliver(transaction, refusal)
    this.#options = options
    this.#endings = new Endings({ context, snapshot, wallClock, deliver })
    this.forwarding = forwardContext(options, deliver)
    this.#storage = { forwarding: this.forwarding, batches: new BatchBudget(), recorder: context.recorder, wallClock, shedSince, broken: (transaction, error) => this.broken(transaction.request, error) }
    this.#tunneling = tunnelContext(options, this.forwarding, (socket, refusal) => this.#endings.refuseSocket(socket, refusal, 'GET'))
  }

  /** Listens to every event of the server that Node would otherwise answer for us. */
  listenOn(server: Server, handler: (request: IncomingMessage, reply: ServerResponse) => void): Server {
    // Counted by admission instead: Node would leave out fields beyond its limit without a word.
    server.maxHeadersCount = 0
    answerHalfClosed(server)
    const take = (awaitsContinue: boolean) => (request: IncomingMessage, reply: ServerResponse) => {
      containOn(request.socket, 'gate request', () => {
        // The parser goes on with what follows a refusal that closes; where that begins is not ours to guess (security.md 3.11).
        if (isEnding(request.socket)) request.resume()
        else if (!takeTurn(reply, () => begin(request, reply, awaitsContinue))) this.#endings.overwhelmed(request.socket)
      })()
    }
    const begin = (request: IncomingMessage, reply: ServerResponse, awaitsContinue: boolean): void => {
      // Node leaves out what came with a request that asks for another protocol: the end tells the client that it did.
      if ((request as Carrying)[UPGRADE] === true) reply.shouldKeepAlive = false
      giveTransaction(request, new Transaction(request, reply, awaitsContinue, this.#options.context))
      handler(request, reply)
    }
    server.on('request', take(false))
    server.on('checkContinue', take(true))
    server.on('checkExpectation', take(false))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, early: Buffer) => {
      containOn(socket as TLSSocket, 'gate upgrade', () => this.#upgrade(request, socket as TLSSocket, early))()
    })
    server.on('connect', (request: IncomingMessage, socket: Duplex) => {
      containOn(socket as TLSSocket, 'gate connect', () => this.#endings.endWith(socket as TLSSocket, new Refusal('method-refused'), request.method ?? ''))()
    })
    return server
  }

  /** What Node's parser could not read, or did not get in time. */
  unparsable(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    containOn(socket, 'gate clientError', () => this.#endings.unparsable(error, socket))()
  }

  /** The onRequest hook: whether the request was dealt with here, by carrying or by refusing it. */
  admit(request: IncomingMessage): boolean {
    const transaction = transactionOf(request)
    if (transaction === undefined) return true
    try {
      return this.#judge(transaction, request)
    } catch (error) {
      this.broken(request, error)
      return true
    }
  }

  #judge(transaction: Transaction, request: IncomingMessage): boolean {
    const options = this.#options
    const snapshot = options.snapshot()
    if (request.httpVersionMajor !== 1) throw new Refusal('http-malformed', { why: 'version' })
    const fields = (transaction.fields = readRequestFields(request.rawHeaders, request.httpVersionMinor === 1))
    if (fields.chunked) boundChunks(request, snapshot.headerFields, (detail) => this.#endings.breakOff(transaction.reply, new Refusal('headers-too-large', detail)))
    if (options.draining()) throw new Refusal('draining')
    shed(transaction.arrival, options.shedSince())
    const facts = factsOf(request, transaction.target, fields, transaction.arrival, options.wallClock())
    const { host, site } = findSite(facts, snapshot)
    // Whatever is wrong with it counts for the account; for an API once its path is known.
    if (!isApis(site)) transaction.routed(site.numbers)
    const found = findRoute(facts, host, site, snapshot)
    if (found.route.kind === 'api') transaction.routed(found.route.numbers)
    const permit = admit(facts, found, snapshot)
    if (isApiPermit(permit)) return this.#passApi(transaction, request, permit)
    carryStorage(transaction, permit, snapshot, this.#storage)
    return true
  }

  #passApi(transaction: Transaction, request: IncomingMessage, permit: ApiPermit): false {
    givePassage(request, { transaction, permit })
    return false
  }

  /** Whatever was thrown on the way: a Refusal as it is, anything else is a fault of ours. */
  broken(request: IncomingMessage, error: unknown): void {
    const transaction = transactionOf(request)
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
   * Returns whether a request that asks for another protocol goes on as a WebSocket; not behind others that are still to be answered,
   * nor behind a refusal that ends the connection.
   */
  wantsTunnel(request: Carrying): boolean {
    request[UPGRADE] = true
    const { socket } = request
    let wants = false
    containOn(socket, 'gate shouldUpgrade', () => {
      wants = wantsTunnel(request, this.#options.snapshot()) && currentReplies(socket).length === 0 && !isEnding(socket)
    })()
    return wants
  }

  #upgrade(request: IncomingMessage, socket: TLSSocket, early: Buffer): void {
    // Whichever end of a WebSocket ends first takes the other along.
    socket.allowHalfOpen = false
    carryUpgrade(request, socket, early, this.#options, this.#tunneling)
  }
}

function forwardContext({ snapshot, draining, context: { monotonic } }: HandlerOptions, fail: ForwardContext['fail']): ForwardContext {
  return {
    get via() {
      return `1.1 ${snapshot().via}`
    },
    draining, monotonic, fail,
  }
}

function tunnelContext({ limits, tunnels, context: { recorder, monotonic } }: HandlerOptions, forwarding: ForwardContext, refuse: TunnelContext['refuse']): TunnelContext {
  return {
    via: () => forwarding.via,
    get upstreamTimeout() {
      return limits.upstreamTimeout
    },
    recorder, tunnels, monotonic, refuse,
  }
}
