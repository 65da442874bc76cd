// close_notify ends one direction of TLS: a client that sends it and reads on gets every reply it is owed. A client that ends
// the connection too has left: what was sent up for it is given up.
import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API] })
const WAYS = [{ way: 'storage', host: storageHost('blob') }, { way: 'api', host: API }] as const

/** A client whose TLS can end while its connection stays. */
async function separable(test: Test, host: string, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<{ client: Client; raw: Socket }> {
  const raw = connectTcp(gate.port, '127.0.0.1')
  test.teardown(() => raw.destroy())
  const under = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => void raw.write(chunk, () => done()),
    final: (done) => done(),
  })
  raw.on('data', (chunk: Buffer) => under.push(chunk))
  raw.on('end', () => under.push(null))
  raw.on('error', () => under.destroy())
  return { client: await dial(test, gate, { socket: under, servername: host, maxVersion }), raw }
}

for (const { way, host } of WAYS) {
  const head = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    void t.test(`one that reads on is served, requests behind one another too: ${way}, ${version}`, async (test) => {
      const before = upstream.seen.length
      const { promise: asked, resolve: answer } = Promise.withResolvers<void>()
      upstream.script(async (turn) => {
        await asked
        await turn.reply(200, [], turn.request.target)
      })
      const { client } = await separable(test, host, version)
      for (const path of ['/1', '/2']) client.expect(head(path))
      await client.send(`${head('/1')}${head('/2')}`)
      await upstream.request(before + 1)
      client.socket.end()
      // Longer than both looks at what the kernel knows.
      await new Promise((resolve) => setTimeout(resolve, 1500))
      answer()
      test.equal((await client.reply(1)).text, '/1')
      test.equal((await client.reply(2)).text, '/2')
      await client.ended()
      await until(() => gate.parts.live.size === 0, 'the end of all requests')
      test.match(gate.lines('request').at(-1), { status: 200, broken: undefined })
      upstream.script(ok)
    })
  }

  void t.test(`one that ends the connection has left, at once or later: ${way}`, async (test) => {
    upstream.script(() => undefined)
    for (const later of [false, true]) {
      const [before, lines] = [upstream.seen.length, gate.lines('request').length]
      const { client, raw } = await separable(test, host, 'TLSv1.3')
      await client.send(head('/left'))
      await upstream.request(before + 1)
      client.socket.end()
      if (later) await new Promise((resolve) => setTimeout(resolve, 300))
      test.equal(gate.lines('request').length, lines, 'it waits')
      raw.end()
      await until(() => gate.lines('request').length > lines, 'its line')
      test.match(gate.lines('request')[lines], { broken: true })
      await until(() => gate.parts.live.size === 0, 'the end of all requests')
    }
    upstream.script(ok)
  })

  void t.test(`half a body and an end is malformed, and told: ${way}`, async (test) => {
    const { client } = await separable(test, host, 'TLSv1.3')
    client.expect('PUT ')
    await client.send(`PUT /1 HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\nhalf`)
    client.socket.end()
    test.equal((await client.reply()).header('x-tidegate-reason'), 'http-malformed')
    await until(() => gate.parts.live.size === 0, 'the end of all requests')
    test.equal(upstream.seen.at(-1)?.complete, false)
  })
}

void t.test('with nothing owed the connection ends', async (test) => {
  const { client } = await separable(test, storageHost('blob'), 'TLSv1.3')
  test.equal((await client.ask('GET /1')).status, 200)
  client.socket.end()
  await client.ended()
})
