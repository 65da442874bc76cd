// A small internal REST API over HTTPS for `npm start` to put the gateway in front of:
//     node scripts/demo-api.ts --port 8444 --cert FILE --key FILE
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { parseArgs } from 'node:util'

const EMPLOYEES = [
  { id: 1, name: 'Ada Ebb', office: 'Kiel' },
  { id: 2, name: 'Ned Flood', office: 'Bergen' },
  { id: 3, name: 'Ida Spring', office: 'Vigo' },
]

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const ROUTES: Readonly<Record<string, Handler>> = {
  'GET /v1/health': (_, response) => sendJson(response, 200, { status: 'ok' }),
  'GET /v1/employees': (_, response) => sendJson(response, 200, EMPLOYEES),
  'POST /v1/echo': (request, response) => {
    response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' })
    request.pipe(response)
  },
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(value)}\n`)
}

const { values } = parseArgs({ options: { port: { type: 'string', default: '8444' }, cert: { type: 'string', default: 'certs/upstream.pem' }, key: { type: 'string', default: 'certs/upstream.key' } } })

const server = createServer({ cert: readFileSync(values.cert), key: readFileSync(values.key), minVersion: 'TLSv1.2' }, (request, response) => {
  const route = ROUTES[`${request.method} ${request.url?.split('?')[0]}`]
  if (route === undefined) sendJson(response, 404, { error: 'no such thing here', routes: Object.keys(ROUTES) })
  else route(request, response)
})
server.listen(Number(values.port), '127.0.0.1', () => console.log(`demo API listening on https://127.0.0.1:${values.port}`))

process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
