// The admin listener, in the supervisor:
//   /         the status page, for people
//   /livez    200 while the process works
//   /readyz   200 when it takes traffic, else 503 with what is missing
//   /metrics  Prometheus text: workers summed, state once
//   /status   JSON for scripts
import type { Socket } from 'node:net'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { contain } from '../contain.ts'
import { PAGE_HEADERS } from './page/page.ts'
import type { Readiness } from './readiness.ts'
import type { Reports } from './reports.ts'
import { denialOf } from './visitors.ts'

export interface AdminOptions {
  /** Names that Host may have, beside `localhost` and IP addresses. */
  readonly hosts: readonly string[]
  readonly readiness: Readiness
  readonly reports: Pick<Reports, 'metrics' | 'status' | 'page'>
  readonly connection: (change: 1 | -1) => void
  /** Called with what a handler of a connection or of a request threw. The connection ends; the request gets 500. */
  readonly broken: (error: unknown) => void
}

/** Builds the admin app; binds nothing. */
export function buildAdmin({ hosts, readiness, reports, connection, broken }: AdminOptions): FastifyInstance {
  const app = guardedApp(new Set(hosts), broken)
  app.server.on('connection', (socket) => {
    const end = endOf(socket, broken)
    contain('admin connection', () => connection(1), end)()
    socket.once('close', contain('admin close', () => connection(-1), end))
  })
  app.get('/', async (_request, reply) => reply.headers(PAGE_HEADERS).send(await reports.page()))
  app.get('/livez', async (_request, reply) => reply.type('text/plain').send('ok\n'))
  app.get('/readyz', async (_request, reply) => {
    const { missing } = readiness
    return reply.code(missing.length === 0 ? 200 : 503).send({ ready: missing.length === 0, missing })
  })
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await reports.metrics()))
  app.get('/status', async (_request, reply) => reply.send(await reports.status()))
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ found: ['/', '/livez', '/readyz', '/metrics', '/status'] }))
  return app
}

const endOf = (socket: Socket, broken: AdminOptions['broken']) => (error: unknown): void => {
  broken(error)
  socket.destroy()
}

/** Returns an app without routes that answers only who may ask, and that keeps the words of its own faults inside. */
function guardedApp(hosts: ReadonlySet<string>, broken: AdminOptions['broken']): FastifyInstance {
  const deny = ({ raw }: FastifyRequest, reply: FastifyReply): FastifyReply | undefined => {
    void reply.header('x-content-type-options', 'nosniff')
    const denial = denialOf(raw, hosts)
    return denial === undefined ? undefined : reply.code(denial.status).type('text/plain').send(`${denial.why}\n`)
  }
  // Fastify runs no hook for a target that it cannot decode.
  const frameworkErrors = (_error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    if (deny(request, reply) !== undefined) return
    void reply.code(400).type('text/plain').send('the target cannot be decoded\n')
  }
  const app = fastify({ logger: false, forceCloseConnections: true, frameworkErrors })
  app.addHook('onRequest', async (request, reply) => deny(request, reply))
  app.setErrorHandler(async (error: FastifyError, _request, reply) => {
    const { code, statusCode = 500 } = error
    // The client's fault, e.g. a body that is too large, comes with a status below 500.
    if (statusCode < 500) return reply.code(statusCode).type('text/plain').send(`${code}\n`)
    broken(error)
    return reply.code(500).type('text/plain').send('the gateway met a fault of its own\n')
  })
  return app
}
