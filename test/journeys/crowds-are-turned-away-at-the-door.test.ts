// Connections in all, by address, and handshakes in progress have their limits: beyond them the door closes without work on a
// signature, who is inside stays served, and there is room again when someone leaves.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { startGate, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce, dial, dialPlain, type Client } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)

const refusals = (gate: GateHere, reason: string): Promise<number> => gate.metric('tidegate_refusals_total', { reason })
const handshakes = (gate: GateHere): Promise<number> => gate.metric('tidegate_tls_handshakes_total')

/** Opens connections until some are turned away; returns those that stay. */
async function crowd(test: Test, gate: GateHere, count: number, port = gate.port): Promise<Client[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => dialPlain(test, port)))
  await until(async () => await gate.metric('tidegate_connections_total') >= count, 'all to be accepted')
  return clients
}

for (const [limit, limits] of [['connections in all', { connections: 20 }], ['connections from one address', { connectionsPerAddress: 20 }]] as const) {
  void t.test(`${limit}: TLS and plain port together`, async (test) => {
    const gate = await startGate(test, realm, { storage: { blob: upstream.port }, limits })
    const healthy = await dial(test, gate)
    const [some, more] = [await crowd(test, gate, 9), await crowd(test, gate, 30, gate.plainPort)]
    const clients = [...some, ...more]
    await until(() => clients.filter(({ ending }) => ending !== undefined).length === 20, 'twenty to be turned away')
    test.strictSame(clients.slice(0, 19).map(({ ending }) => ending), Array<undefined>(19).fill(undefined), 'in their order')
    test.equal(await refusals(gate, 'too-many-connections'), 20)
    test.equal(await handshakes(gate), 1, 'no work on a signature')
    test.equal((await healthy.ask('GET /a')).status, 200, 'who is inside is served')
    for (const client of clients) client.close()
    await until(async () => await gate.metric('tidegate_connections_open') === 1, 'room')
    test.equal((await askOnce(test, gate, 'GET /b')).status, 200, 'there is room again')
    test.equal(gate.lines('refused').filter(({ reason }) => reason === 'too-many-connections').length, 20)
  })
}

/** A client's hello, caught on its way. */
async function hello(test: Test): Promise<Buffer> {
  const catcher = createServer().listen(0, '127.0.0.1')
  test.teardown(() => void catcher.close())
  await once(catcher, 'listening')
  const real = connectTls({ port: (catcher.address() as { port: number }).port, host: '127.0.0.1', servername: storageHost('blob') })
  real.on('error', () => undefined)
  const [raw] = await once(catcher, 'connection') as [Socket]
  const [bytes] = await once(raw, 'data') as [Buffer]
  raw.destroy()
  return bytes
}

void t.test('handshakes in progress', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, limits: { handshakes: 5 } })
  const bytes = await hello(test)
  const healthy = await dial(test, gate)
  const clients = await crowd(test, gate, 12)
  for (const client of clients) await client.send(bytes)
  await until(() => clients.filter(({ ending }) => ending !== undefined).length === 7, 'seven to be turned away')
  test.equal(await refusals(gate, 'too-many-handshakes'), 7)
  test.strictSame(clients.filter(({ ending }) => ending !== undefined).map(({ text }) => text), Array<string>(7).fill(''), 'without a byte')
  test.ok(clients.filter(({ ending }) => ending === undefined).every(({ text }) => text.length > 1000), 'the others have their answer')
  test.equal((await healthy.ask('GET /a')).status, 200, 'who is inside is served')
  for (const client of clients) client.close()
  await until(async () => await gate.metric('tidegate_connections_open') === 1, 'room')
  test.equal((await askOnce(test, gate, 'GET /b')).status, 200, 'there is room again')
})
