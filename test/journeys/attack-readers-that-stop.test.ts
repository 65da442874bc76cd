// A reader that stops is told from one that is slow, although the kernel takes megabytes for both of them. The gate's own
// keeper looks every second; a second one here sees the same requests by a clock that runs twenty times as fast.
import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { keepPace } from '../../src/gate/connection/timeouts.ts'
import type { Transaction } from '../../src/gate/transaction.ts'
import { startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { blob: upstream.port } })
const skip = existsSync('/proc/self/net/tcp') ? false : 'no /proc/net/tcp'

upstream.script(async (turn) => {
  await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
  while (!turn.socket.destroyed) await turn.write(Buffer.alloc(65536))
})

/** Watches by the fast clock; returns the reasons of those that it would cut. */
function watch(test: Test): string[] {
  const cut: string[] = []
  const stop = keepPace({
    minimumRate: 240,
    upstreamTimeout: 200, connectTimeout: 10_000,
    live: gate.parts.live,
    monotonic: () => performance.now() * 20,
    cut: (_transaction: Transaction, refusal) => void cut.push(refusal.reason),
  })
  test.teardown(stop)
  return cut
}

async function reading(test: Test): Promise<Client> {
  const client = await dial(test, gate)
  const head = `GET /big HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`
  client.expect(head)
  await client.send(head)
  await client.head()
  client.socket.pause()
  return client
}

void t.test('slow, and then not at all', { skip }, async (test) => {
  const client = await reading(test)
  await until(() => gate.parts.live.all().some(({ reply }) => reply.writableNeedDrain), 'back-pressure')
  const cut = watch(test)
  for (let i = 0; i < 30; i++) {
    client.socket.read(20_000)
    client.socket.resume()
    await pause(2)
    client.socket.pause()
    await pause(98)
  }
  test.strictSame(cut, [], 'the client takes it, so it is not cut')
  await until(() => cut.length > 0, 'the cut of a reader that stopped')
  test.equal(cut[0], 'body-too-slow')
  client.close()
  await until(() => gate.parts.live.size === 0, 'the end')
})

void t.test('replies that are whole and that nobody reads', async (test) => {
  const client = await dial(test, gate)
  client.socket.pause()
  const refused = `GET /%2e%2e HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`.repeat(100)
  let told = -1
  while (told < gate.text.length || gate.parts.live.size === 0) {
    told = gate.text.length
    for (let i = 0; i < 10; i++) {
      void client.send(refused)
      await pause(5)
    }
  }
  const cut = watch(test)
  await until(() => cut.length > 0, 'the cut')
  test.equal(cut[0], 'body-too-slow')
  client.close()
  await until(() => gate.parts.live.size === 0, 'the end')
})
