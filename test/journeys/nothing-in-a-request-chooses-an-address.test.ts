// Wherever a request can name an address, a canary listens there: the gate connects to what is configured, and to nothing else
// (security.md P4, P5).
import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there, websocket: true }], names: [API], storageOptions: { copySources: 'any-https' } })

let visits = 0
const canary = createServer((socket) => {
  visits++
  socket.destroy()
}).listen(0, '127.0.0.1')
await once(canary, 'listening')
t.teardown(() => void canary.close())
const at = `127.0.0.1:${(canary.address() as { port: number }).port}`

const REQUESTS: readonly (readonly [line: string, ...fields: string[]])[] = [
  [`GET https://${at}/ HTTP/1.1`, 'Host: HOST'],
  [`GET https://${at}/ HTTP/1.1`, `Host: ${at}`],
  [`GET https://HOST@${at}/ HTTP/1.1`, 'Host: HOST'],
  [`GET //${at}/ HTTP/1.1`, 'Host: HOST'],
  [`GET /https://${at}/ HTTP/1.1`, 'Host: HOST'],
  [`GET /?url=https://${at}/ HTTP/1.1`, 'Host: HOST'],
  [`CONNECT ${at} HTTP/1.1`, `Host: ${at}`],
  ['GET / HTTP/1.1', `Host: ${at}`],
  ['GET / HTTP/1.1', `Host: HOST@${at}`],
  ['GET / HTTP/1.1', 'Host: HOST', `X-Forwarded-Host: ${at}`, `Forwarded: host=${at}`, `X-Host: ${at}`, `X-Original-URL: https://${at}/`, `X-Rewrite-URL: https://${at}/`, `X-Forwarded-Server: ${at}`],
  ['GET / HTTP/1.1', 'Host: HOST', `Referer: https://${at}/`, `Origin: https://${at}`, `Destination: https://${at}/`, `Location: https://${at}/`],
  ['GET / HTTP/1.1', 'Host: HOST', `Proxy-Connection: keep-alive`, `Proxy: https://${at}`, `Via: 1.1 ${at}`, `Alt-Svc: h2="${at}"`],
  ['PUT /c/b HTTP/1.1', 'Host: HOST', 'Content-Length: 0', `x-ms-copy-source: https://${at}/c/b`],
  ['PUT /c/b HTTP/1.1', 'Host: HOST', 'Content-Length: 0', `x-ms-rename-source: https://${at}/c/b`],
  ['PUT /c/b HTTP/1.1', 'Host: HOST', 'Content-Length: 0', `x-ms-file-rename-source: https://${at}/c/b`],
  ['GET /chat HTTP/1.1', 'Host: HOST', 'Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==`, 'Sec-WebSocket-Version: 13', `Origin: https://${at}`],
]

void t.test('addresses in every place', async (test) => {
  upstream.script((turn) => turn.reply(301, [`Location: https://${at}/`, `Content-Location: https://${at}/`, `Link: <https://${at}/>; rel=preload`, `Alt-Svc: h2="${at}"`]))
  for (const host of [storageHost('blob'), API]) {
    for (const [line, ...fields] of REQUESTS) {
      const client = await dial(test, gate, { servername: host })
      const head = [line, ...fields, '', ''].join('\r\n').replaceAll('HOST', host)
      const reply = await client.request(head)
      test.ok(reply.status >= 300, `${line}: ${reply.status}`)
      client.close()
    }
  }
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
  test.ok(upstream.seen.length > 10, 'many were carried to where they belong')
  test.equal(visits, 0, 'nobody came to the canary')
})
