// No label value comes from a request: what clients make up adds no series to the metrics (security.md O3). From cold a few
// may appear, once there was one request of each kind none at all.
import t, { type Test } from 'tap'
import { far, parseMetrics, serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, dialPlain } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

t.setTimeout(90_000)

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const HOSTS = [storageHost('blob'), storageHost('queue'), API]
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'MERGE', 'OPTIONS', 'PROPFIND', 'PURGE', 'SEARCH', 'MKCOL', 'TRACE']

/** Odd in as many ways as there are: statuses, methods, names, tokens, fields; the number makes each another one. */
function odd(i: number, host: string): string {
  const method = METHODS[i % METHODS.length] ?? 'GET'
  const targets = [`/${i}`, `/c${i}/b?x${i}=${i}`, `/c/b?sv=2020-02-10&sr=b&sp=r&se=2099-01-01&sig=x${i}`, `/c/b?sv=${i}&ss=b&srt=o&sp=r&se=2020-01-01&sig=x`, `/../${i}`, `/c/b?skoid=${i}&sv=2020-02-10&sr=b&sig=x`, '*', `/%zz${i}`]
  const fields = [`x-${i}: ${i}`, `x-ms-client-request-id: ${i}`, `x-ms-version: ${i}`, `Expect: ${i}`, `x-ms-copy-source: http://${i}.example/`, `x-ms-copy-source: https://${i}.example/`, `Via: ${i}`, `User-Agent: ${i}`]
  // The upstream answers with the status that the path names.
  return `${method} ${targets[i % 8] ?? '/'} HTTP/1.1\r\nHost: ${i % 97 === 0 ? `h${i}.example` : host}\r\n${fields[i % 7] ?? ''}\r\nx-number: ${i}\r\n\r\n`
}

/** Sends them behind one another, a hundred at a time; a connection that ends is opened anew. */
async function sendOdd(test: Test, gate: GateProcess, from: number, count: number): Promise<void> {
  for (const [h, host] of HOSTS.entries()) {
    for (let i = from + h; i < from + count; ) {
      const client = await dial(test, gate, { servername: host })
      for (; i < from + count && client.ending === undefined; i += HOSTS.length * 25) {
        const batch = Array.from({ length: 25 }, (_, k) => i + k * HOSTS.length).filter((number) => number < from + count).map((number) => odd(number, host))
        for (const head of batch) client.expect(head)
        const wanted = client.replies.length + batch.length
        await client.send(batch.join(''))
        await until(() => client.ending !== undefined || client.replies.filter(({ complete }) => complete).length >= wanted, 'the replies')
      }
      client.close()
    }
  }
  // What ends its connection: a method that is none, a head that is too large, another protocol, HTTP in clear.
  for (const head of [`BOGUS /${from} HTTP/1.1\r\nHost: ${API}\r\n\r\n`, `GET / HTTP/1.1\r\nHost: ${API}\r\nx-${from}: ${'x'.repeat(40_000)}\r\n\r\n`]) await (await dial(test, gate, { servername: API })).request(head)
  await (await dialPlain(test, gate.port)).send(`SSH-2.0-x${from}\r\n`)
  await (await dialPlain(test, gate.port)).request(`GET /${from} HTTP/1.1\r\nHost: h${from}\r\n\r\n`)
}

async function series(gate: GateProcess): Promise<Set<string>> {
  return new Set(parseMetrics((await gate.admin('/metrics')).text).map(({ name, values }) => `${name} ${JSON.stringify(values[0]?.labels)}`))
}

void t.test('300 from cold, and 10,000 more', async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: there, queue: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API], level: 'info' })
  upstream.script((turn) => turn.reply([200, 201, 204, 301, 304, 404, 409, 412, 500, 503][Number(turn.request.header('x-number') ?? 0) % 10] ?? 200))
  const cold = await series(gate)
  await sendOdd(test, gate, 0, 300)
  const warm = await series(gate)
  test.ok([...warm].filter((one) => !cold.has(one)).length <= 40, [...warm].filter((one) => !cold.has(one)).join('\n'))
  await sendOdd(test, gate, 1000, 10_000)
  const after = await series(gate)
  test.strictSame([...after].filter((one) => !warm.has(one)), [])
  const requests = await gate.metric('tidegate_requests_total')
  test.ok(requests > 8000, `${requests} requests were counted`)
})
