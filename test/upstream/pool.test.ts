// The pool against real upstreams: what is reused, when idle connections go, what becomes of faults, who is trusted.
import { createHook } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createAuthority } from '../support/authority.ts'
import { createRealm } from '../support/realm.ts'
import { startUpstream, type Script, type UpstreamOptions } from '../support/upstream.ts'
import { pause, until } from '../support/until.ts'
import { openPool, send } from './send.ts'

const realm = await createRealm(t)

const plain = (test: Test): ReturnType<typeof startUpstream> => startUpstream(test, realm, { plain: true })
const named = (text: string): Script => (turn) => turn.reply(200, [], `${text} ${turn.number}`)

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A port that does with each connection what the test says. */
async function listenRaw(test: Test, onConnection: (socket: Socket) => void): Promise<{ port: number; count: () => number }> {
  let count = 0
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    count++
    open.add(socket)
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, count: () => count }
}

void t.test('a connection is used again, over TLS too', async (test) => {
  for (const options of [{ plain: true }, {}]) {
    const upstream = await startUpstream(test, realm, options)
    upstream.script(named('hello'))
    const { pool, numbers } = openPool(test, upstream.port, options.plain === true ? {} : { realm })
    for (const number of [1, 2, 3]) test.equal((await send(pool).over).text, `hello ${number}`)
    test.equal(upstream.connections.total, 1)
    test.match(numbers, { open: { value: 1 }, pending: { value: 0 } })
    test.equal(numbers.connect.counts.reduce((sum, n) => sum + n, 0), 1)
  }
})

void t.test('requests at one time: a connection each, up to the limit, and then in their order', async (test) => {
  const upstream = await plain(test)
  upstream.script(async (turn) => {
    await pause(10)
    await turn.reply(200, [], turn.request.target)
  })
  const each = openPool(test, upstream.port)
  const wide = await Promise.all(['/1', '/2', '/3', '/4'].map((path) => send(each.pool, { path }).over))
  test.strictSame(wide.map(({ text }) => text), ['/1', '/2', '/3', '/4'])
  test.equal(upstream.connections.total, 4)
  const one = openPool(test, upstream.port, { maxConnections: 1 })
  const narrow = await Promise.all(['/1', '/2', '/3'].map((path) => send(one.pool, { path }).over))
  test.strictSame(narrow.map(({ text }) => text), ['/1', '/2', '/3'])
  test.equal(upstream.connections.total, 5)
  test.strictSame(upstream.seen.slice(4).map(({ target }) => target), ['/1', '/2', '/3'])
})

void t.test('a request that was given up while it waited is never sent', async (test) => {
  const upstream = await plain(test)
  let release: (() => void) | undefined
  upstream.script(async (turn) => {
    if (turn.number === 1) await new Promise<void>((resolve) => (release = resolve))
    await turn.reply(200, [], turn.request.target)
  })
  const { pool } = openPool(test, upstream.port, { maxConnections: 1 })
  const [first, second, third] = [send(pool, { path: '/1' }), send(pool, { path: '/2' }), send(pool, { path: '/3' })]
  second.exchange?.abort()
  await until(() => release !== undefined, 'the first request')
  release?.()
  await Promise.all([first.over, third.over])
  test.strictSame(upstream.seen.map(({ target }) => target), ['/1', '/3'])
  test.strictSame(second.events, [])
})

void t.test('idle connections go before the upstream drops them', async (test) => {
  const rows: [hint: string, limit: number][] = [['', 30_000], ['timeout=5', 4000], ['timeout=1', 0], ['timeout=0', 0], ['timeout=120', 30_000], ['max=5', 30_000]]
  for (const [hint, limit] of rows) {
    const upstream = await plain(test)
    upstream.script((turn) => turn.reply(200, hint === '' ? [] : [`Keep-Alive: ${hint}`], 'x'))
    const { pool, clock } = openPool(test, upstream.port)
    await send(pool).over
    if (limit > 0) {
      clock.now += limit - 1
      await send(pool).over
      test.equal(upstream.connections.total, 1, `${hint}: still used just before`)
    }
    clock.now += limit
    await send(pool).over
    test.equal(upstream.connections.total, 2, `${hint}: not used after ${limit} ms`)
  }
})

void t.test('idle connections are closed without a request, too', async (test) => {
  const upstream = await plain(test)
  const { pool, clock, numbers } = openPool(test, upstream.port)
  await send(pool).over
  test.equal(upstream.connections.open, 1)
  clock.now += 30_000
  await until(() => upstream.connections.open === 0, 'the sweep')
  test.equal(numbers.open.value, 0)
})

void t.test('an upstream that closed an idle connection costs no request', async (test) => {
  for (const how of ['end', 'reset'] as const) {
    const upstream = await plain(test)
    const { pool, numbers } = openPool(test, upstream.port)
    await send(pool).over
    upstream.drop(how)
    await until(() => numbers.open.value === 0, 'the end of the connection')
    test.notOk((await send(pool).over).failure, how)
    test.equal(upstream.connections.total, 2)
  }
})

void t.test('an upstream that closes as the request goes out: told, and never sent a second time', async (test) => {
  const upstream = await startUpstream(test, realm)
  upstream.script((turn) => turn.number === 1 ? turn.reply() : turn.reset())
  const { pool, numbers } = openPool(test, upstream.port, { realm })
  await send(pool, { path: '/first' }).over
  for (const method of ['GET', 'PUT', 'DELETE']) test.equal((await send(pool, { method }).over).failure?.kind, 'reset', method)
  await pause(50)
  test.equal(upstream.seen.length, 4)
  test.equal(numbers.results.reset.value, 3)
})

void t.test('nobody listens: unreachable, one attempt for each request, and well again when someone does', async (test) => {
  const port = await deadPort()
  const { pool, numbers } = openPool(test, port)
  const outcomes = await Promise.all([1, 2, 3].map(() => send(pool).over))
  for (const { failure } of outcomes) test.match(failure, { kind: 'unreachable', code: 'ECONNREFUSED' })
  test.match(numbers, { open: { value: 0 }, pending: { value: 0 }, results: { unreachable: { value: 3 } } })
  const upstream = await startUpstream(test, realm, { plain: true, port })
  test.notOk((await send(pool).over).failure)
  test.equal(upstream.connections.total, 1)
})

void t.test('an upstream that hangs up in the handshake: one connection for each request', async (test) => {
  const { port, count } = await listenRaw(test, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const { pool } = openPool(test, port, { realm })
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => send(pool).over))
  for (const { failure } of outcomes) test.equal(failure?.kind, 'unreachable')
  await pause(50)
  test.equal(count(), 4)
})

void t.test('a silent upstream: unreachable at the connect timeout', async (test) => {
  const { port } = await listenRaw(test, () => undefined)
  const { pool, numbers } = openPool(test, port, { realm, connectTimeout: 60 })
  test.match((await send(pool).over).failure, { kind: 'unreachable', code: 'CONNECT_TIMEOUT' })
  test.match(numbers, { open: { value: 0 }, pending: { value: 0 } })
})

void t.test('requests that wait for room are told as well where nobody listens any longer', async (test) => {
  const { port, count } = await listenRaw(test, (socket) => socket.once('data', () => socket.destroy()))
  const { pool, numbers } = openPool(test, port, { maxConnections: 1 })
  const all = await Promise.all(['/1', '/2', '/3'].map((path) => send(pool, { path }).over))
  test.strictSame(all.map(({ failure }) => failure?.kind), ['reset', 'reset', 'reset'])
  test.equal(count(), 3, 'one attempt for each')
  const dead = openPool(test, await deadPort(), { maxConnections: 1 })
  const none = await Promise.all(['/1', '/2', '/3'].map((path) => send(dead.pool, { path }).over))
  test.strictSame(none.map(({ failure }) => failure?.kind), ['unreachable', 'unreachable', 'unreachable'])
  for (const own of [numbers, dead.numbers]) test.match(own, { open: { value: 0 }, pending: { value: 0 } })
})

void t.test('what Node refuses at once is told like any other failure', async (test) => {
  const { pool, numbers } = openPool(test, 443, { host: 'a\0b', realm })
  const both = await Promise.all([send(pool).over, send(pool).over])
  test.strictSame(both.map(({ failure }) => failure?.kind), ['unreachable', 'unreachable'])
  test.match(numbers, { open: { value: 0 }, pending: { value: 0 } })
})

void t.test('connections are counted over all pools, those under way and those given away too, until they are closed', async (test) => {
  const upstream = await startUpstream(test, realm)
  const silent = await listenRaw(test, () => undefined)
  const { pool, sockets, clock } = openPool(test, upstream.port, { realm })
  const under = openPool(test, silent.port, { realm, sockets })
  await send(pool).over
  const alone = await pool.connectAlone()
  send(under.pool)
  await until(() => sockets.value === 3, 'three')
  alone.destroy()
  under.pool.destroy()
  clock.now += 30_000
  await until(() => sockets.value === 0, 'none')
  test.pass('each was given back once')
})

void t.test('a pool without connections runs no timer', async (test) => {
  const upstream = await plain(test)
  let timers = 0
  const hook = createHook({ init: (_id, type) => void (timers += type === 'Timeout' ? 1 : 0) }).enable()
  test.teardown(() => hook.disable())
  for (let i = 0; i < 100; i++) openPool(test, upstream.port)
  test.equal(timers, 0)
})

void t.test('a name that does not resolve', async (test) => {
  const { pool } = openPool(test, 443, { host: 'no-such-host.invalid', realm })
  test.equal((await send(pool).over).failure?.kind, 'unreachable')
})

void t.test('an upstream that does not prove who it is gets no request', async (test) => {
  const foreign = await createAuthority({ name: 'someone else' })
  const names = ['127.0.0.1', 'far.example']
  const DAY = 86_400_000
  const rows: [what: string, tls: NonNullable<UpstreamOptions['tls']>, code: RegExp][] = [
    ['another authority', await foreign.issue({ names }), /UNABLE_TO_|SELF_SIGNED/],
    ['another name', await realm.authority.issue({ names: ['other.example'] }), /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['the name as common name alone', await realm.authority.issue({ names: ['other.example', '10.0.0.1'] }), /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['expired', await realm.authority.issue({ names, notBefore: new Date(Date.now() - 3 * DAY), notAfter: new Date(Date.now() - DAY) }), /CERT_HAS_EXPIRED/],
    ['not yet valid', await realm.authority.issue({ names, notBefore: new Date(Date.now() + DAY) }), /CERT_NOT_YET_VALID/],
    ['for clients only', await realm.authority.issue({ names, clientAuth: true }), /INVALID_PURPOSE/],
    ['a weak key', { ...await realm.authority.issue({ names, key: 'rsa1024' }), ciphers: 'ALL:@SECLEVEL=0' }, /./],
    ['TLS 1.1', { ...await realm.authority.issue({ names }), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }, /ERR_SSL_/],
    ['no suite of ours', { ...await realm.authority.issue({ names, key: 'rsa2048' }), maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA256:AES128-GCM-SHA256' }, /ERR_SSL_/],
    ['no group of ours', { ...await realm.authority.issue({ names }), ecdhCurve: 'P-521' }, /ERR_SSL_/],
  ]
  for (const [what, tls, code] of rows) {
    const upstream = await startUpstream(test, realm, { tls })
    for (const serverName of ['127.0.0.1', 'far.example']) {
      const { pool } = openPool(test, upstream.port, { realm, serverName })
      const { failure } = await send(pool, { headers: ['Authorization: secret'] }).over
      test.equal(failure?.kind, 'certificate', `${what}, ${serverName}: ${failure?.code}`)
      test.match(failure?.code, code)
    }
    test.equal(upstream.seen.length, 0)
    test.equal(upstream.connections.total, 2, 'and no second attempt')
  }
})

void t.test('plain HTTP where TLS must be, and an upstream that proves itself', async (test) => {
  const clear = await listenRaw(test, (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')))
  const wrong = openPool(test, clear.port, { realm })
  test.match((await send(wrong.pool).over).failure, { kind: 'certificate', code: /ERR_SSL_/ })
  const chain = await (await realm.authority.intermediate('between')).issue({ names: ['far.example'], key: 'rsa2048' })
  for (const tls of [chain, { ...chain, maxVersion: 'TLSv1.2' as const }]) {
    const upstream = await startUpstream(test, realm, { tls })
    const right = openPool(test, upstream.port, { realm, serverName: 'far.example' })
    test.equal((await send(right.pool).over).text, 'ok')
  }
})

void t.test('a closed pool: idle connections go now, others after their exchange', async (test) => {
  const upstream = await plain(test)
  let release: (() => void) | undefined
  upstream.script(async (turn) => {
    if (turn.request.target === '/slow') await new Promise<void>((resolve) => (release = resolve))
    await turn.reply(200, [], 'whole')
  })
  const { pool, numbers } = openPool(test, upstream.port)
  const slow = send(pool, { path: '/slow' })
  await until(() => release !== undefined, 'the slow request')
  await send(pool).over
  test.equal(numbers.open.value, 2)
  pool.close()
  await until(() => upstream.connections.open === 1, 'the end of the idle one')
  release?.()
  test.equal((await slow.over).text, 'whole')
  await until(() => upstream.connections.open === 0, 'the end of the other')
})

void t.test('a connection that comes up after the pool was closed, and whose request was given up, goes at once', async (test) => {
  const upstream = await plain(test)
  const { pool, numbers } = openPool(test, upstream.port)
  const given = send(pool)
  given.exchange?.abort()
  pool.close()
  await until(() => upstream.connections.total === 1 && upstream.connections.open === 0, 'the end of the connection')
  await until(() => numbers.open.value === 0 && numbers.pending.value === 0, 'the numbers')
  test.equal(upstream.seen.length, 0)
})

void t.test('destroying ends what is under way', async (test) => {
  const upstream = await plain(test)
  upstream.script(() => undefined)
  const { pool } = openPool(test, upstream.port)
  send(pool)
  await upstream.request(1)
  pool.destroy()
  await until(() => upstream.connections.open === 0, 'the end of the connection')
  test.pass('it did')
})
