// Whatever is wrong with an upstream: the client gets 502 or 504 with the reason, or sees its reply break off; the route's
// line and the upstream's metric say so; nothing is sent twice; and the next request is served.
import t, { type Test } from 'tap'
import { far, startGate, type Far, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost, type Realm } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream, type Script } from '../support/upstream.ts'

const API = 'api.localhost'
const WAYS = [
  { way: 'storage', host: storageHost('blob'), prefix: '', route: 'tideoffice', upstreamName: 'tideoffice.blob' },
  { way: 'api', host: API, prefix: '/v1', route: 'payroll', upstreamName: 'payroll' },
] as const
type Way = typeof WAYS[number]

async function gateBefore(test: Test, realm: Realm, upstream: Far, limits: object = {}): Promise<GateHere> {
  const there = typeof upstream === 'number' ? far(realm, upstreamHost('blob'), upstream) : upstream
  return await startGate(test, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API], limits })
}

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await gateBefore(t, realm, upstream.port, { upstreamTimeout: '1s' })

const call = (test: Test, from: GateHere, { host }: Way): Promise<Client> => dial(test, from, { servername: host })

async function allIdleGone(): Promise<void> {
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
  upstream.drop('end')
  await until(() => upstream.connections.open === 0, 'idle connections to go')
}

interface Fault {
  readonly reason: string
  readonly result: string
  /** Where the reply had begun. */
  readonly broken?: boolean
}

/** One request that meets a fault: what the client, the log and the metrics see of it. */
async function meets(test: Test, from: GateHere, to: Way, { reason, result, broken = false }: Fault, ask: (client: Client) => Promise<void> | void = () => undefined): Promise<Client> {
  await until(() => from.parts.live.size === 0, 'the end of all before it')
  const labels = { upstream: to.upstreamName, result }
  const before = await Promise.all([from.metric('tidegate_refusals_total', { reason }), from.metric('tidegate_upstream_requests_total', labels)])
  const lines = from.lines('request').length
  const client = await call(test, from, to)
  await ask(client)
  const head = `GET ${to.prefix}/fault HTTP/1.1\r\nHost: ${to.host}\r\n\r\n`
  const number = client.expect(head)
  await client.send(head)
  if (broken) {
    await until(() => client.ending !== undefined || client.replies[0]?.complete === true, 'the end of the reply')
    const [reply] = client.replies
    // A fault that comes with the head can still be told.
    if (reply?.header('x-tidegate-reason') === undefined) test.match([reply?.complete ?? false, client.ending], [false, 'rst'], `${to.way}: ${reason}: the reply breaks off`)
    else test.match([reply.status, reply.header('x-tidegate-reason')], [502, reason], `${to.way}: ${reason}`)
  } else {
    const reply = await client.reply(number)
    test.match([reply.status, reply.header('x-tidegate-reason')], [reason === 'upstream-timeout' ? 504 : 502, reason], `${to.way}: ${reason}`)
  }
  await until(() => from.lines('request').length > lines, 'the line of the request')
  const line = from.lines('request')[lines]
  test.match({ route: line?.['route'], reason: line?.reason, broken: line?.['broken'] }, { route: to.route, reason, broken: client.replies[0]?.complete === true ? undefined : true })
  test.match(line?.['refusal'], { upstream: to.upstreamName, code: String })
  test.strictSame(await Promise.all([from.metric('tidegate_refusals_total', { reason }), from.metric('tidegate_upstream_requests_total', labels)]), before.map((value) => value + 1), 'counted once')
  return client
}

/** The upstream answers again: the next request gets its own answer. */
async function recovers(test: Test, from: GateHere, to: Way, client?: Client): Promise<void> {
  upstream.script((turn) => turn.reply(200, [], `answer to ${turn.request.target}`))
  const own = client === undefined || client.ending !== undefined || client.replies.at(-1)?.header('connection') === 'close' ? await call(test, from, to) : client
  const reply = await own.ask(`GET ${to.prefix}/next`, [`Host: ${to.host}`])
  test.match([reply.status, reply.text], [200, `answer to ${to.prefix}/next`], `${to.way}: the next request gets its own answer`)
  own.close()
}

const reset: Fault = { reason: 'upstream-reset', result: 'reset' }
const BEGUN = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'

const FAULTS: Readonly<Record<string, Fault & { readonly script: Script }>> = {
  'reset before the head': { ...reset, script: (turn) => turn.reset() },
  'FIN before the head': { ...reset, script: (turn) => turn.end() },
  'reset in the head': { ...reset, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nContent-Le')
    turn.reset()
  } },
  'FIN in the head': { ...reset, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n')
    turn.end()
  } },
  'silence': { reason: 'upstream-timeout', result: 'timeout', script: () => undefined },
  'half a head, then silence': { reason: 'upstream-timeout', result: 'timeout', script: (turn) => turn.write('HTTP/1.1 200 OK\r\n') },
  'interim replies, then silence': { reason: 'upstream-timeout', result: 'timeout', script: (turn) => turn.write('HTTP/1.1 100 Continue\r\n\r\n') },
  'two lengths': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhello') },
  'the same length twice': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello') },
  'a list of lengths': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello') },
  'a length and chunks': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n') },
  'a length that is no number': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello') },
  'another coding': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello') },
  'chunks in HTTP/1.0': { ...reset, script: (turn) => turn.write('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n') },
  'a bare LF in the head': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n') },
  'a bare CR in a field': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n') },
  'NUL in a field': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n') },
  'a folded line': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nX: a\r\n b: c\r\nContent-Length: 0\r\n\r\n') },
  'a blank before the colon': { ...reset, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello') },
  'a head without end': { ...reset, script: (turn) => turn.write(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`) },
  'something else than HTTP': { ...reset, script: (turn) => turn.write('SSH-2.0-OpenSSH\r\n\r\n') },
  'a status that is none': { ...reset, script: (turn) => turn.write('HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok') },
  'an unasked 101': { ...reset, script: (turn) => turn.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n') },
  'endless interim replies': { ...reset, script: (turn) => turn.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)) },
  'a redirect to http': { ...reset, script: (turn) => turn.reply(302, ['Location: http://evil.example/']) },
  'a redirect to http in other letters': { ...reset, script: (turn) => turn.reply(307, ['location:  HTTP://evil.example/']) },
  'reset in a body': { ...reset, broken: true, script: async (turn) => {
    await turn.write(BEGUN)
    await pause(20)
    turn.reset()
  } },
  'FIN in a body with a length': { ...reset, broken: true, script: async (turn) => {
    await turn.write(BEGUN)
    turn.end()
  } },
  'FIN in a chunk': { ...reset, broken: true, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel')
    turn.end()
  } },
  'FIN before the last chunk': { ...reset, broken: true, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    turn.end()
  } },
  'FIN in the trailer': { ...reset, broken: true, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n')
    turn.end()
  } },
  'reset after chunks': { ...reset, broken: true, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    await pause(20)
    turn.reset()
  } },
  'reset in a body without a length': { ...reset, broken: true, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\n\r\nsome of it')
    await pause(20)
    turn.reset()
  } },
  'a body without a length whose TLS never said its end': { ...reset, broken: true, script: async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\n\r\nsome of it')
    await pause(20)
    turn.cut()
  } },
  'a chunk size that is none': { ...reset, broken: true, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n') },
  'a chunk longer than it says': { ...reset, broken: true, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n') },
  'a chunk that ends in LF alone': { ...reset, broken: true, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n') },
  'a chunk of no end': { ...reset, broken: true, script: (turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello') },
  'an extension without end': { ...reset, broken: true, script: (turn) => turn.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(40_000)}`) },
}

for (const [name, { script, ...fault }] of Object.entries(FAULTS)) {
  void t.test(name, async (test) => {
    for (const to of WAYS) {
      upstream.script(script)
      const before = upstream.seen.length
      const client = await meets(test, gate, to, fault)
      test.equal(upstream.seen.length, before + 1, 'sent once')
      await recovers(test, gate, to, client)
    }
  })
}

void t.test('a reply that would end with the connection breaks by a reset: a plain end would vouch for it', async (test) => {
  for (const to of WAYS) {
    for (const [version, head] of [['1.1', 'HTTP/1.1 200 OK\r\n\r\nsome of it'], ['1.0', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n']] as const) {
      upstream.script(async (turn) => {
        await turn.write(head)
        await pause(50)
        turn.reset()
      })
      const client = await call(test, gate, to)
      const request = `GET ${to.prefix}/a HTTP/${version}\r\nHost: ${to.host}\r\n\r\n`
      client.expect(request)
      await client.send(request)
      test.equal(await client.ended(), 'rst', `${to.way} to a client of HTTP/${version}`)
    }
  }
})

void t.test('bytes behind a reply close that connection and reach nobody', async (test) => {
  const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'
  for (const to of WAYS) {
    for (const script of [
      (turn) => turn.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${extra}`),
      (turn) => turn.write(`HTTP/1.1 204 No Content\r\n\r\n${extra}`),
      (turn) => turn.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${extra}`),
      async (turn) => {
        await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        await turn.write(extra)
      },
    ] satisfies Script[]) {
      upstream.script(script)
      await allIdleGone()
      const client = await call(test, gate, to)
      const { total } = upstream.connections
      test.ok((await client.ask(`GET ${to.prefix}/a`, [`Host: ${to.host}`])).status < 300)
      await until(() => upstream.connections.open === 0, 'the end of that connection')
      await recovers(test, gate, to, client)
      test.ok(upstream.connections.total > total, 'over a new connection')
      await allIdleGone()
    }
  }
})

void t.test('HEAD, 204 and 304 with a body behind them: that connection is not used again', async (test) => {
  for (const [method, reply] of [['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'], ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison'], ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison']] as const) {
    upstream.script((turn) => turn.write(reply))
    const client = await call(test, gate, WAYS[0])
    await client.ask(`${method} /a`)
    await recovers(test, gate, WAYS[0], client)
  }
})

void t.test('a kept connection that closes as a request goes out: 502, and never a second copy', async (test) => {
  for (const to of WAYS) {
    for (const how of ['reset', 'end'] as const) {
      for (const [line, body] of [['GET', ''], ['PUT', 'hello']] as const) {
        upstream.script(ok)
        const client = await call(test, gate, to)
        test.equal((await client.ask(`GET ${to.prefix}/first`, [`Host: ${to.host}`])).status, 200)
        const before = upstream.seen.length
        upstream.script((turn) => (how === 'reset' ? turn.reset() : turn.end()))
        const reply = await client.ask(`${line} ${to.prefix}/second`, [`Host: ${to.host}`, ...(body === '' ? [] : [`Content-Length: ${body.length}`])], body)
        test.match([reply.status, reply.header('x-tidegate-reason')], [502, 'upstream-reset'], `${line} to ${to.way}`)
        await pause(50)
        test.equal(upstream.seen.length, before + 1, 'one copy')
        client.close()
      }
    }
  }
})

void t.test('idle connections that the upstream closes are not used', async (test) => {
  for (const how of ['reset', 'end'] as const) {
    upstream.script(ok)
    const client = await call(test, gate, WAYS[0])
    test.equal((await client.ask('GET /a')).status, 200)
    upstream.drop(how)
    await until(() => upstream.connections.open === 0, 'the end of idle connections')
    await pause(20)
    test.equal((await client.ask('GET /b')).status, 200)
  }
})

void t.test('statuses that a client would retry are passed on, once', async (test) => {
  for (const to of WAYS) {
    for (const status of [408, 429, 500, 502, 503, 504]) {
      upstream.script((turn) => turn.reply(status, ['Retry-After: 0'], 'busy'))
      const before = upstream.seen.length
      const client = await call(test, gate, to)
      const reply = await client.ask(`GET ${to.prefix}/a`, [`Host: ${to.host}`])
      test.match([reply.status, reply.text, reply.header('x-tidegate-reason')], [status, 'busy', undefined])
      test.equal(upstream.seen.length, before + 1)
      client.close()
    }
  }
})

void t.test('an upstream that is down: 502, one attempt, and served again when it is back', async (test) => {
  const own = await startUpstream(test, realm)
  await own.close()
  const down = await gateBefore(test, realm, own.port)
  const body = 'x'.repeat(300_000)
  for (const to of WAYS) {
    await meets(test, down, to, { reason: 'upstream-unreachable', result: 'unreachable' })
    const client = await call(test, down, to)
    test.equal((await client.ask(`PUT ${to.prefix}/a`, [`Host: ${to.host}`, `Content-Length: ${body.length}`], body)).status, 502, 'with a body')
    test.equal(await client.ended(), 'fin')
  }
  await own.open()
  for (const to of WAYS) {
    const client = await call(test, down, to)
    test.equal((await client.ask(`GET ${to.prefix}/a`, [`Host: ${to.host}`])).status, 200, 'it is back')
  }
  test.equal(own.seen.length, 2)
})

void t.test('after all this nothing is in flight, and no fault was ours', async (test) => {
  await until(async () => await gate.metric('tidegate_requests_in_flight') === 0, 'the last request')
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'unexpected' }), 0)
  test.strictSame(gate.lines().filter(({ msg }) => msg !== 'request'), [])
})
