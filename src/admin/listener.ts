// The admin listener, in the supervisor:
//   /         the status page, for people
//   /livez    200 while the process works
//   /readyz   200 when it takes traffic, else 503 with what is missing
//   /metrics  Prometheus text: workers summed, state once
//   /status   JSON for scripts
import fastify, { type FastifyInstance } from 'fastify'
import { contain } from '../contain.ts'
import { PAGE_HEADERS } from './page/page.ts'
import type { Readiness } from './readiness.ts'
import type { Reports } from './reports.ts'
import { turnAway } from './visitors.ts'

export interface AdminOptions {
  /** Names that Host may have, beside `localhost` and IP addresses. */
  readonly hosts: readonly string[]
  readonly readiness: Readiness
  readonly reports: Pick<Reports, 'metrics' | 'status' | 'page'>
  readonly connection: (change: 1 | -1) => void
  /** Told what a handler of a connection threw; the connection ends. */
  readonly broken: (error: unknown) => void
}

/** Builds the admin app; binds nothing. */
export function buildAdmin({ hosts, readiness, reports, connection, broken }: AdminOptions): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  const names = new Set(hosts)
  app.addHook('onRequest', async ({ method, url, headers }, reply) => {
    void reply.header('x-content-type-options', 'nosniff')
    const turned = turnAway({ method, url, headers }, names)
    return turned === undefined ? undefined : reply.code(turned.status).type('text/plain').send(`${turned.why}\n`)
  })
  app.server.on('connection', (socket) => {
    const end = (error: unknown): void => {
      broken(error)
      socket.destroy()
    }
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
