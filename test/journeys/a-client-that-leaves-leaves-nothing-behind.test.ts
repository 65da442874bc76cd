// A client that goes away in the middle: its upstream connection ends, its request is logged as broken, and nothing of it
// stays in the gate.
import t, { type Test } from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream, type Script } from '../support/upstream.ts'

const API = 'api.localhost'
const WAYS = [{ host: storageHost('blob'), prefix: '', route: 'tideoffice' }, { host: API, prefix: '/v1', route: 'payroll' }] as const
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API] })
const BEGUN = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'

const call = (test: Test, { host }: { readonly host: string }): Promise<Client> => dial(test, gate, { servername: host })

async function allIdleGone(): Promise<void> {
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
  upstream.drop('end')
  await until(() => upstream.connections.open === 0, 'idle connections to go')
}

void t.test('a client that leaves: its upstream connection ends, others go on', async (test) => {
  for (const to of WAYS) {
    upstream.script(ok)
    for (const script of [
      () => undefined,
      (turn) => turn.write(BEGUN),
      (turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    ] satisfies Script[]) {
      upstream.script(script)
      await allIdleGone()
      const lines = gate.lines('request').length
      const { total } = upstream.connections
      const before = upstream.seen.length
      const client = await call(test, to)
      await client.send(`GET ${to.prefix}/left HTTP/1.1\r\nHost: ${to.host}\r\n\r\n`)
      await upstream.request(before + 1)
      await pause(20)
      client.close()
      await until(() => upstream.connections.open === 0, 'the end of the upstream connection')
      test.ok(upstream.connections.total >= total)
      await until(() => gate.lines('request').length > lines, 'its line')
      test.match(gate.lines('request')[lines], { route: to.route, broken: true })
      upstream.script(ok)
      test.equal((await (await call(test, to)).ask(`GET ${to.prefix}/next`, [`Host: ${to.host}`])).status, 200)
      await allIdleGone()
    }
  }
  test.equal(await gate.metric('tidegate_requests_in_flight'), 0)
  test.equal(gate.parts.live.size, 0)
})

void t.test('a client that leaves with requests waiting behind one another: nothing of them is left', async (test) => {
  upstream.script(() => undefined)
  const before = upstream.seen.length
  for (const to of WAYS) {
    const client = await call(test, to)
    await client.send(`GET ${to.prefix}/p HTTP/1.1\r\nHost: ${to.host}\r\n\r\n`.repeat(3))
    await pause(50)
    client.close()
  }
  await until(() => upstream.seen.length > before, 'the first of them')
  await until(() => upstream.connections.open === 0, 'the end of all upstream connections')
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
  test.equal(await gate.metric('tidegate_requests_in_flight'), 0)
})
