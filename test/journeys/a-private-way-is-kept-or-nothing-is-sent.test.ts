// An upstream with `via` is reached by addresses inside or not at all: judged at each connection, on the address that is
// dialled. The resolver is the test's own; the names and addresses are those of this machine.
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import t, { type Test } from 'tap'
import type { LookUpAll } from '../../src/network/via.ts'
import { startGate, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce } from '../support/sockets.ts'
import { startUpstream, type Message, type Upstream } from '../support/upstream.ts'

const API = 'api.localhost'
const FAR = 'far.tide.test'
const realm = await createRealm(t)

/** What the resolver answers for FAR now, and how often it was asked. */
const zone = { addresses: ['127.0.0.1'], asked: 0 }
const system = dns.lookup
const own: LookUpAll = (host, options, done) => {
  if (host === FAR) {
    zone.asked++
    setImmediate(done, null, zone.addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))
  } else system(host, options, done)
}
Object.assign(dns, { lookup: own })
syncBuiltinESMExports()
t.teardown(() => void Object.assign(dns, { lookup: system }))

async function started(test: Test, via: unknown): Promise<{ gate: GateHere; upstream: Upstream }> {
  const upstream = await startUpstream(test, realm, { names: [FAR] })
  const there = { url: `https://${FAR}:${upstream.port}`, ca: realm.caFile, via }
  const gate = await startGate(test, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API] })
  zone.asked = 0
  return { gate, upstream }
}

const ask = (test: Test, gate: GateHere, host: string): Promise<Message> => askOnce(test, gate, 'PUT /a', [`Host: ${host}`, 'Content-Length: 5'], 'hello')
const counted = (gate: GateHere, upstream: string, result: string): Promise<number> => gate.metric('tidegate_upstream_requests_total', { upstream, result })

void t.test('a name that leads outside: 502, an error line with upstream and address, and no connection', async (test) => {
  const { gate, upstream } = await started(test, 'private')
  for (const addresses of [['127.0.0.1'], ['127.0.0.1', '::1'], ['::ffff:127.0.0.1']]) {
    zone.addresses = addresses
    for (const host of [storageHost('blob'), API]) {
      const reply = await ask(test, gate, host)
      test.match([reply.status, reply.header('x-tidegate-reason')], [502, 'upstream-not-private'])
    }
  }
  for (const name of ['tideoffice.blob', 'payroll']) test.equal(await counted(gate, name, 'not-private'), 3, name)
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'upstream-not-private' }), 6)
  const [first, second] = await gate.requests(6)
  test.match(first, { level: 'error', refusal: { upstream: 'tideoffice.blob', address: '127.0.0.1' } })
  test.match(second, { level: 'error', refusal: { upstream: 'payroll', address: '127.0.0.1' } })
  test.equal(upstream.connections.total, 0)
})

void t.test('an answer with addresses of both kinds: the one inside is dialled, whatever its place', async (test) => {
  const { gate, upstream } = await started(test, ['127.0.0.1'])
  for (const addresses of [['127.0.0.2', '127.0.0.1'], ['127.0.0.1', '127.0.0.2'], ['::1', '127.0.0.2', '127.0.0.1']]) {
    zone.addresses = addresses
    test.equal((await ask(test, gate, storageHost('blob'))).status, 200)
  }
  test.equal(upstream.seen.length, 3)
})

void t.test('an answer that changes: kept connections go on, the next connection is judged anew', async (test) => {
  const { gate, upstream } = await started(test, ['127.0.0.1'])
  zone.addresses = ['127.0.0.1']
  test.equal((await ask(test, gate, API)).status, 200)
  zone.addresses = ['127.0.0.2']
  test.equal((await ask(test, gate, API)).status, 200, 'on the kept connection')
  test.equal(zone.asked, 1)
  upstream.drop('end')
  const reply = await ask(test, gate, API)
  test.match([reply.status, reply.header('x-tidegate-reason')], [502, 'upstream-not-private'])
  zone.addresses = ['127.0.0.1']
  test.equal((await ask(test, gate, API)).status, 200, 'and back')
  test.equal(zone.asked, 3)
  test.equal(upstream.seen.length, 3)
})

void t.test('TLS is verified inside a private range as everywhere', async (test) => {
  const upstream = await startUpstream(test, realm, { tls: await realm.authority.issue({ names: ['another.example'] }) })
  zone.addresses = ['127.0.0.1']
  const gate = await startGate(test, realm, { storage: { blob: { url: `https://${FAR}:${upstream.port}`, ca: realm.caFile, via: ['127.0.0.0/8'] } } })
  const reply = await ask(test, gate, storageHost('blob'))
  test.match([reply.status, reply.header('x-tidegate-reason')], [502, 'upstream-certificate'])
  test.equal(upstream.seen.length, 0)
})

void t.test('an address instead of a name is judged too', async (test) => {
  const upstream = await startUpstream(test, realm)
  const gate = await startGate(test, realm, { storage: { blob: { url: `https://127.0.0.1:${upstream.port}`, ca: realm.caFile, via: 'private' } } })
  const reply = await ask(test, gate, storageHost('blob'))
  test.match([reply.status, reply.header('x-tidegate-reason')], [502, 'upstream-not-private'])
  test.equal(upstream.connections.total, 0)
})
