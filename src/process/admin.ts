// The admin listener, in the supervisor:
//   /livez    200 while the process works
//   /readyz   200 when it takes traffic, else 503 with what is missing
//   /metrics  Prometheus text: workers summed, state once
//   /status   JSON for people and scripts
import fastify, { type FastifyInstance } from 'fastify'
import type { Readiness } from './readiness.ts'

export interface AdminOptions {
  readonly readiness: Readiness
  readonly metrics: () => Promise<string>
  readonly status: () => Promise<object>
  readonly connection: (change: 1 | -1) => void
}

/** Builds the admin app; binds nothing. */
export function buildAdmin({ readiness, metrics, status, connection }: AdminOptions): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.server.on('connection', (socket) => {
    connection(1)
    socket.once('close', () => connection(-1))
  })
  app.get('/livez', async (_request, reply) => reply.type('text/plain').send('ok\n'))
  app.get('/readyz', async (_request, reply) => {
    const { missing } = readiness
    return reply.code(missing.length === 0 ? 200 : 503).send({ ready: missing.length === 0, missing })
  })
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()))
  app.get('/status', async (_request, reply) => reply.send(await status()))
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ found: ['/livez', '/readyz', '/metrics', '/status'] }))
  return app
}
