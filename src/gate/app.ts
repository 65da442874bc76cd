// The HTTP side of the gate: a Fastify instance over our https server, its hooks in order, and every reply that Node or
// Fastify would give in their own words replaced by one from the table.
import fastify, { type FastifyInstance } from 'fastify'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { arrivalOf } from '../door/arrival.ts'
import { Refusal } from '../refusal.ts'
import { admit, findSite, isApiPermit, serviceOf, type ApiPermit, type Snapshot } from './admit.ts'
import { givePassage, registerApiProxy } from './api-proxy.ts'
import { deliverRefusal, isEnding } from './deliver.ts'
import type { ForwardContext } from './forward.ts'
import { fieldValue, readRequestFields } from './headers.ts'
import { refuseRaw } from './raw-reply.ts'
import { carryStorage, type StorageContext } from './storage.ts'
import { Transaction, type TransactionContext } from './transaction.ts'

export interface GateOptions {
  readonly server: ServerOptions
  readonly limits: { readonly requestHeaders: number; readonly headersTimeout: number; readonly idleTimeout: number }
  readonly context: TransactionContext
  readonly draining: () => boolean
  /** The snapshot in force; each request takes it once. */
  readonly snapshot: () => Snapshot
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
}

export interface Gate {
  readonly app: FastifyInstance
  readonly server: Server
}

const TRANSACTION = Symbol('transaction')
interface Carrying extends IncomingMessage { [TRANSACTION]?: Transaction }

/** Builds the gate; binds nothing. */
export async function buildGate(options: GateOptions): Promise<Gate> {
  const handlers = new Handlers(options)
  let server: Server | undefined
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: false,
    // One route for all: where a request goes is the permit's to say, and no router reads its path.
    rewriteUrl: () => '/',
    frameworkErrors: (error, request) => handlers.broken(request.raw, error),
    clientErrorHandler: (error, socket) => handlers.unparsable(error as NodeJS.ErrnoException, socket as TLSSocket),
    serverFactory: (handler) => (server = handlers.listenOn(createServer(serverOptions(options)), handler)),
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (handlers.admit(request.raw)) void reply.hijack()
    done()
  })
  app.setNotFoundHandler((request, reply) => {
    void reply.hijack()
    handlers.broken(request.raw, new Error('no route'))
  })
  app.setErrorHandler((error, request, reply) => {
    void reply.hijack()
    handlers.broken(request.raw, error)
  })
  registerApiProxy(app, handlers.forwarding)
  await app.ready()
  if (server === undefined) throw new Error('fastify made no server')
  return { app, server }
}

function serverOptions({ server, limits }: GateOptions): ServerOptions {
  return {
    ...server,
    maxHeaderSize: limits.requestHeaders,
    headersTimeout: limits.headersTimeout,
    // Bodies have a minimum rate instead of a total time (pace.ts): a large upload may take hours.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeout,
    connectionsCheckingInterval: Math.min(1000, Math.max(50, limits.headersTimeout / 4)),
    // Host is ours to judge: Node would answer in its own words.
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    insecureHTTPParser: false,
    noDelay: true,
  }
}

class Handlers {
  readonly #options: GateOptions
  readonly #storage: StorageContext
  readonly forwarding: ForwardContext

  constructor(options: GateOptions) {
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
      broken: (transaction, error) => this.broken(transaction.request, error),
    }
  }

  /** Takes every event of the server that would otherwise be answered for us. */
  listenOn(server: Server, handler: (request: IncomingMessage, reply: ServerResponse) => void): Server {
    // Counted by admission instead: Node would leave out fields beyond its limit without a word.
    server.maxHeadersCount = 0
    const take = (awaitsContinue: boolean) => (request: IncomingMessage, reply: ServerResponse) => {
      // The parser goes on with what follows a refusal that closes; where that begins is not ours to guess (security.md 3.11).
      if (isEnding(request.socket)) {
        request.resume()
        return
      }
      ;(request as Carrying)[TRANSACTION] = new Transaction(request, reply, awaitsContinue, this.#options.context)
      handler(request, reply)
    }
    server.on('request', take(false))
    server.on('checkContinue', take(true))
    server.on('checkExpectation', take(false))
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
    const { rawHeaders } = request
    const fields = (transaction.fields = readRequestFields(rawHeaders, request.httpVersionMinor === 1))
    if (options.draining()) throw new Refusal('draining')
    const serverName = transaction.arrival?.offer?.serverName
    const facts = {
      method: request.method ?? '',
      target: transaction.target,
      fields,
      raw: rawHeaders,
      serverName,
      address: transaction.arrival?.address ?? '',
      peer: transaction.arrival?.peer,
      header: (name: string) => fieldValue(rawHeaders, name),
      now: options.wallClock(),
    }
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

  #refuseMethod(request: IncomingMessage, socket: TLSSocket): void {
    this.#refuseSocket(socket, new Refusal('method-refused'), request.method ?? '')
  }

  /** What Node's parser could not read, or did not get in time. */
  unparsable(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const arrival = arrivalOf(socket)
    if (socket.destroyed || error.code === 'ECONNRESET' || arrival?.tlsVersion === '') {
      socket.destroy()
      return
    }
    const refusal = new Refusal(UNPARSABLE.get(error.code ?? '') ?? 'http-malformed', { code: error.code ?? null })
    const underWay = this.#options.context.live.all().find((transaction) => transaction.request.socket === socket)
    if (underWay === undefined) return this.#refuseSocket(socket, refusal, '')
    // The body broke off into something that is not HTTP while the request was being carried.
    underWay.exchange?.abort()
    this.#deliver(underWay, refusal)
  }

  #refuseSocket(socket: TLSSocket, refusal: Refusal, method: string): void {
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
