// What a refusal leaves behind on a connection that goes on: nothing.
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

void t.test('refused requests, with and without a body, leave no timer that would cut their connection later', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port } })
  let socket: TLSSocket | undefined
  gate.parts.server.on('secureConnection', (own) => (socket = own))
  const client = await dial(test, gate)
  test.equal((await client.ask('GET /a')).status, 200)
  // The timer and its listener come and go together.
  const listeners = (): number => socket?.listenerCount('close') ?? -1
  const before = listeners()
  test.ok(before > 0)
  for (let i = 0; i < 12; i++) test.equal((await client.ask('GET /a', ['Host: nobody.example'])).status, 421)
  for (let i = 0; i < 3; i++) test.equal((await client.ask('PUT /a', ['Host: nobody.example', 'Content-Length: 5'], 'whole')).status, 421)
  await until(() => listeners() === before, 'nothing to be left')
  const head = 'PUT /a HTTP/1.1\r\nHost: nobody.example\r\nContent-Length: 10\r\n\r\n'
  const number = client.expect(head)
  await client.send(`${head}half`)
  test.equal((await client.reply(number)).status, 421)
  await until(() => listeners() === before + 1, 'the rest to be waited for')
  await client.send('and it')
  await until(() => listeners() === before, 'the rest to have come')
  test.equal((await client.ask('GET /b')).status, 200, 'the connection goes on')
})
