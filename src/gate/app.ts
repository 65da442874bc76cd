// The HTTP side of the gate: a Fastify instance over our https server, its hooks in order, and every reply that Node or
// Fastify would give in their own words replaced by one from the table.
import fastify, { type FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { registerApiProxy } from './api/api-proxy.ts'
import { Handlers, type HandlerOptions } from './handlers.ts'

export interface GateOptions extends HandlerOptions {
  readonly server: ServerOptions
  readonly limits: HandlerOptions['limits'] & { readonly requestHeaders: number; readonly headersTimeout: number; readonly idleTimeout: number }
}

export interface Gate {
  readonly app: FastifyInstance
  readonly server: Server
}

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
    serverFactory: (handler) => (server = handlers.listenOn(createServer(serverOptions(options, handlers)), handler)),
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

function serverOptions({ server, limits }: GateOptions, handlers: Handlers): ServerOptions {
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
    // Elsewhere Upgrade is dropped like any field of one hop, and the request is served as it is.
    shouldUpgradeCallback: (request: IncomingMessage) => handlers.wantsTunnel(request),
  }
}
