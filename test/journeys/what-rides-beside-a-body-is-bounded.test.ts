// Extensions of chunks and trailers go nowhere; how many there may be is bounded, on requests and on replies, and no request
// whose rest was refused is completed upstream.
import t from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const gate = await startGate(t, realm, {
  storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, 'api.upstream.example', upstream.port) }], names: [API],
})
const WAYS = [{ way: 'storage', host: storageHost('blob') }, { way: 'api', host: API }] as const

const TOO_MUCH: Readonly<Record<string, readonly string[]>> = {
  'one extension of 17 kB': [`1;${'x'.repeat(17_000)}\r\na\r\n`],
  'extensions of a hundred bytes, a thousand times': Array<string>(1000).fill(`1;${'x'.repeat(100)}\r\na\r\n`),
  'extensions of 15 kB, four times': Array<string>(4).fill(`1;${'x'.repeat(15_000)}\r\na\r\n`),
  'a trailer of 17 kB': ['1\r\na\r\n0\r\n', `X: ${'x'.repeat(17_000)}\r\n\r\n`],
  'trailers of 17 kB together': ['1\r\na\r\n0\r\n', ...Array.from({ length: 170 }, (_, i) => `X-${i}: ${'x'.repeat(93)}\r\n`), '\r\n'],
  'a trailer without end': ['1\r\na\r\n0\r\n', `X: ${'x'.repeat(200_000)}`],
  'more trailer fields than a head may have': ['1\r\na\r\n0\r\n', 'a: b\r\n'.repeat(201), '\r\n'],
}
const ENOUGH: Readonly<Record<string, readonly string[]>> = {
  'ten thousand chunks of one byte': [...Array<string>(10_000).fill('1\r\na\r\n'), '0\r\n\r\n'],
  'one extension of 15 kB': [`1;${'x'.repeat(15_000)}\r\na\r\n`, '0\r\n\r\n'],
  'trailers of 15 kB': ['1\r\na\r\n0\r\n', ...Array.from({ length: 150 }, (_, i) => `X-${i}: ${'x'.repeat(90)}\r\n`), '\r\n'],
}

for (const { way, host } of WAYS) {
  const head = `PUT /1 HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`
  for (const [name, pieces] of Object.entries(TOO_MUCH)) {
    void t.test(`refused: ${name}: ${way}`, async (test) => {
      const before = upstream.seen.length
      const client = await dial(test, gate, { servername: host })
      client.expect(head)
      await client.send(head + pieces.join(''))
      const reply = await client.reply()
      test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('connection')], [431, 'headers-too-large', 'close'])
      await client.ended()
      await until(() => gate.parts.live.size === 0, 'the end')
      test.notOk(upstream.seen.slice(before).some(({ complete }) => complete), 'its upstream request is not completed')
    })
  }

  void t.test(`taken, and nothing of it is sent upstream: ${way}`, async (test) => {
    for (const [name, pieces] of Object.entries(ENOUGH)) {
      const client = await dial(test, gate, { servername: host })
      test.equal((await client.request(head, pieces.join(''))).status, 200, name)
      test.strictSame(upstream.seen.at(-1)?.trailers, [], name)
      test.match(upstream.seen.at(-1)?.text, /^a+$/, name)
    }
  })

  void t.test(`replies: extensions and trailers are dropped, and without end they break the reply: ${way}`, async (test) => {
    const start = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    upstream.script((turn) => turn.write(`${start}1;x=y\r\na\r\n0\r\nX-Late: 1\r\nContent-Length: 5\r\n\r\n`))
    const client = await dial(test, gate, { servername: host })
    const reply = await client.request(`GET /1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    test.match([reply.text, reply.trailers, reply.header('x-late'), reply.header('content-length')], ['a', [], undefined, undefined])
    upstream.script((turn) => turn.write(`${start}1\r\na\r\n0\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`))
    client.expect('GET ')
    await client.send(`GET /2 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    test.equal(await client.ended(), 'rst')
    test.equal(client.replies[1]?.complete ?? false, false)
    upstream.script(ok)
  })
}
