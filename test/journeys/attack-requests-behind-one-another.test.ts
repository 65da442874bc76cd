// A client that sends on before it has its reply: its requests are carried one after another, what follows them cannot take
// the reply from them, and however much it sends it stands in no one's way.
import t, { type Test } from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const gate = await startGate(t, realm, {
  storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, 'api.upstream.example', upstream.port) }], names: [API],
})

const WAYS = [{ way: 'storage', host: storageHost('blob') }, { way: 'api', host: API }] as const
const get = (path: string, host: string): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
const refusals = (reason: string): Promise<number> => gate.metric('tidegate_refusals_total', { reason })

async function quiet(): Promise<void> {
  upstream.script(ok)
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
}

for (const { way, host } of WAYS) {
  void t.test(`writes go up one at a time, in their order: ${way}`, async (test) => {
    await quiet()
    const order: string[] = []
    upstream.script(async (turn) => {
      order.push(`${turn.request.target} begins`)
      await pause(10)
      order.push(`${turn.request.target} ends`)
      await turn.reply(200, [], turn.request.target)
    })
    const client = await dial(test, gate, { servername: host })
    const paths = ['/1', '/2', '/3', '/4', '/5']
    const heads = paths.map((path) => get(path, host).replace('GET', 'DELETE'))
    for (const head of heads) client.expect(head)
    await client.send(heads.join(''))
    for (const [i, path] of paths.entries()) test.equal((await client.reply(i + 1)).text, path)
    test.strictSame(order, paths.flatMap((path) => [`${path} begins`, `${path} ends`]))
  })

  void t.test(`what cannot be read behind a request is told after its reply, once: ${way}`, async (test) => {
    await quiet()
    const before = await refusals('http-malformed')
    const client = await dial(test, gate, { servername: host })
    for (const path of ['/1', '/2', '/3']) client.expect(get(path, host))
    await client.send(`${get('/1', host)}${get('/2', host)}\0garbage${'!'.repeat(200_000)}`)
    await client.send('!'.repeat(200_000))
    test.equal((await client.reply(1)).status, 200)
    test.equal((await client.reply(2)).status, 200)
    test.equal((await client.reply(3)).header('x-tidegate-reason'), 'http-malformed')
    await client.ended()
    test.equal(await refusals('http-malformed'), before + 1)
  })

  void t.test(`CONNECT behind a request is refused after its reply, which stays whole: ${way}`, async (test) => {
    await quiet()
    const client = await dial(test, gate, { servername: host })
    client.expect(get('/1', host))
    client.expect('GET /2')
    await client.send(`${get('/1', host)}CONNECT evil.example:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    test.match([(await client.reply(1)).status, (await client.reply(1)).text], [200, 'ok'])
    test.equal((await client.reply(2)).header('x-tidegate-reason'), 'method-refused')
    await client.ended()
  })

  void t.test(`what follows the last request of a connection is ignored: ${way}`, async (test) => {
    await quiet()
    const before = await refusals('http-malformed')
    const client = await dial(test, gate, { servername: host })
    const reply = await client.request(`GET /1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n${get('/2', host)}`)
    test.equal(reply.status, 200)
    test.equal(await client.ended(), 'fin')
    test.equal(await refusals('http-malformed'), before)
    test.not(upstream.seen.at(-1)?.target, '/2')
  })

  void t.test(`a request that asks for another protocol is the last of its connection, since Node drops what came with it: ${way}`, async (test) => {
    await quiet()
    for (const [fields, body] of [['Upgrade: h2c\r\n', ''], ['Upgrade: x\r\nContent-Length: 3\r\n', 'abc']] as const) {
      const client = await dial(test, gate, { servername: host })
      const reply = await client.request(`PUT /1 HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\n${fields}\r\n${body}${get('/2', host)}`)
      test.match([reply.status, reply.header('connection')], [200, 'close'])
      test.equal(upstream.seen.at(-1)?.target, '/1')
      test.equal(upstream.seen.at(-1)?.header('upgrade'), undefined)
      test.equal(await client.ended(), 'fin')
    }
  })

  void t.test(`thousands at once: the connection ends, with few upstream connections used: ${way}`, async (test) => {
    await quiet()
    upstream.script(() => undefined)
    const [open, before] = [upstream.connections.open, await refusals('overloaded')]
    const client = await dial(test, gate, { servername: host })
    client.expect(get('/1', host))
    await client.send(get('/1', host).repeat(5000))
    test.match([(await client.reply()).status, (await client.reply()).header('x-tidegate-reason')], [503, 'overloaded'])
    await client.ended()
    test.ok(upstream.connections.open <= open + 8)
    test.equal(await refusals('overloaded'), before + 1)
    upstream.script(ok)
    test.equal((await askOnce(test, gate, 'GET /next', [`Host: ${host}`])).status, 200, 'others are served')
  })
}

void t.test('one bad connection is one line, however much comes on it', async (test) => {
  await quiet()
  for (const bytes of ['GARBAGE\r\n\r\n', `PUT /1 HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\n\r\n3;`]) await oneLine(test, bytes)
})

async function oneLine(test: Test, bytes: string): Promise<void> {
  const before = gate.lines('request').length
  const client = await dial(test, gate)
  await client.send(bytes)
  for (let i = 0; i < 10; i++) await client.send('a'.repeat(50_000))
  await client.ended()
  await quiet()
  test.equal(gate.lines('request').length, before + 1)
}

void t.test('a version that is not 1', async (test) => {
  await quiet()
  const before = upstream.seen.length
  for (const version of ['2.0', '0.9']) {
    const reply = await (await dial(test, gate)).request(`GET /1 HTTP/${version}\r\nHost: ${storageHost('blob')}\r\n\r\n`)
    test.equal(reply.header('x-tidegate-reason'), 'http-malformed', version)
  }
  test.equal(upstream.seen.length, before)
})
