// An upstream may begin its reply before it has the whole body, and then wait for the rest: whoever is slow meanwhile is the
// client, not the upstream; and an upload at speed is no one's fault. The keeper here sees the same requests by a clock that
// runs twenty times as fast.
import t, { type Test } from 'tap'
import { keepPace } from '../../src/gate/connection/timeouts.ts'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API] })
const SIZE = 1_000_000

function watch(test: Test): string[] {
  const cut: string[] = []
  test.teardown(keepPace({ minimumRate: 240, upstreamTimeout: 200, connectTimeout: 10_000, live: gate.parts.live, monotonic: () => performance.now() * 20, cut: (_transaction, refusal) => void cut.push(refusal.reason) }))
  return cut
}

async function begun(test: Test, host: string): Promise<Client> {
  upstream.script(async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n')
    await turn.whole
    await turn.write('4\r\nlate\r\n0\r\n\r\n')
  })
  const client = await dial(test, gate, { servername: host })
  client.expect('PUT ')
  await client.send(`PUT /up HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${SIZE}\r\n\r\n`)
  await client.head()
  return client
}

for (const [way, host] of [['storage', storageHost('blob')], ['api', API]] as const) {
  void t.test(`at speed it is not cut: ${way}`, async (test) => {
    const client = await begun(test, host)
    const cut = watch(test)
    for (let sent = 0; sent < SIZE; sent += 10_000) {
      await client.send(Buffer.alloc(10_000))
      await pause(20)
    }
    test.equal((await client.reply()).text, 'earlylate')
    test.strictSame(cut, [])
  })

  void t.test(`dripping, the client is at fault: ${way}`, async (test) => {
    const client = await begun(test, host)
    const cut = watch(test)
    await until(async () => {
      await client.send('.')
      return cut.length > 0 || client.ending !== undefined
    }, 'the cut')
    test.equal(cut[0], 'body-too-slow')
    client.close()
    await until(() => gate.parts.live.size === 0, 'the end')
    test.not(gate.lines('request').at(-1)?.reason, 'upstream-timeout')
  })
}
