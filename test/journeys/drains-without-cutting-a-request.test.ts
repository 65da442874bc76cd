// SIGTERM: not ready, nothing new is accepted, idle connections end, requests under way finish, exit 0. A second signal
// ends at once.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { far, serveGate, type GateProcess, type GateWish } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, dialPlain } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream, type Turn } from '../support/upstream.ts'

const API = 'api.localhost'
const WAYS = [{ way: 'storage', host: storageHost('blob') }, { way: 'api', host: API }] as const
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)

function serve(test: Test, wish: GateWish): Promise<GateProcess> {
  return serveGate(test, realm, { storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, upstreamHost('blob'), upstream.port) }], names: [API], ...wish })
}

/** Returns whether a connection to a port is refused. */
function refuses(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  void t.test(`${signal}: slow downloads and uploads finish, idle connections end, nothing new comes in`, async (test) => {
    const gate = await serve(test, {})
    upstream.script(ok)
    const idle = await dial(test, gate)
    test.equal((await idle.ask('GET /idle')).status, 200)
    const fresh = await dial(test, gate)
    const turns: Turn[] = []
    upstream.script(async (turn) => {
      if (turn.request.method === 'PUT') {
        await turn.whole
        await turn.reply(201)
      } else {
        await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst')
        turns.push(turn)
      }
    })
    const calls = await Promise.all(WAYS.flatMap(({ host }) => ['GET', 'PUT'].map(async (method) => {
      const client = await dial(test, gate, { servername: host })
      const head = `${method} /slow HTTP/1.1\r\nHost: ${host}\r\n${method === 'PUT' ? 'Content-Length: 10\r\n' : ''}\r\n`
      const number = client.expect(head)
      await client.send(method === 'PUT' ? `${head}first` : head)
      return { client, number, method }
    })))
    await until(() => turns.length === 2 && upstream.seen.filter(({ target, length }) => target === '/slow' && length === 5).length >= 2, 'all four to be under way')

    gate.child.kill(signal)
    await until(() => refuses(gate.port), 'no more connections on the TLS port')
    await until(() => refuses(gate.plainPort), 'nor on the plain one')
    test.equal(await idle.ended(), 'fin', 'a connection between requests ends')
    test.match(await fresh.ended(), /^(?:fin|rst)$/, 'so does one that never had a request')
    const ready = await gate.admin('/readyz')
    test.match([ready.status, JSON.parse(ready.text)], [503, { ready: false, missing: ['draining'] }])
    test.equal((await gate.admin('/livez')).status, 200, 'alive all the same')
    test.equal(await gate.metric('tidegate_draining'), 1)
    test.equal(gate.child.exitCode, null, 'it waits')

    for (const { client, method } of calls) if (method === 'PUT') await client.send('later')
    for (const turn of turns) await turn.write('later')
    for (const { client, number, method } of calls) {
      const reply = await client.reply(number)
      test.match([reply.status, reply.text], method === 'PUT' ? [201, ''] : [200, 'firstlater'])
      await client.ended()
    }
    test.equal(await gate.ended, 0)
    test.strictSame(gate.lines().filter(({ level }) => level !== 'info'), [])
    test.equal(gate.lines('request').length, 5, 'every line was written')
    test.equal(gate.lines('stopped').length, 1)
  })
}

void t.test('a request on an open connection while it drains: 503 with its reason, closed', async (test) => {
  const gate = await serve(test, {})
  let turn: Turn | undefined
  upstream.script((own) => void (turn = own))
  const client = await dial(test, gate)
  const head = `GET /a HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`
  const number = client.expect(head)
  client.expect(head)
  await client.send(head)
  await until(() => turn !== undefined, 'the request')
  gate.child.kill('SIGTERM')
  await until(() => refuses(gate.port), 'no more connections')
  // Behind the first one on the same connection.
  await client.send(head)
  await pause(50)
  await turn?.reply(200, [], 'answered')
  test.equal((await client.reply(number)).text, 'answered')
  await client.ended()
  const [, second] = client.replies
  if (second !== undefined) test.match([second.status, second.header('x-tidegate-reason'), second.header('retry-after')], [503, 'draining', '1'])
  test.equal(await gate.ended, 0)
  test.equal(upstream.seen.filter(({ target }) => target === '/a').length, 1, 'it did not go up')
})

void t.test('drain.announce: not ready at once, serving all the same', async (test) => {
  const gate = await serve(test, { drain: { announce: '1s', deadline: '10s' } })
  upstream.script(ok)
  test.equal((await gate.admin('/readyz')).status, 200)
  gate.child.kill('SIGTERM')
  await until(async () => (await gate.admin('/readyz')).status === 503, 'readiness to go')
  const client = await dial(test, gate)
  test.equal((await client.ask('GET /a')).status, 200, 'a new connection is served')
  test.equal(await gate.ended, 0)
})

void t.test('the deadline cuts what does not end', async (test) => {
  const gate = await serve(test, { drain: { deadline: '300ms' } })
  let turn: Turn | undefined
  upstream.script((own) => void (turn = own))
  const client = await dial(test, gate)
  await client.send(`GET /never HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
  await until(() => turn !== undefined, 'the request')
  gate.child.kill('SIGTERM')
  await client.ended()
  test.equal(client.replies.length, 0, 'no reply is made up')
  test.equal(await gate.ended, 0)
})

void t.test('a second signal ends at once', async (test) => {
  for (const signals of [['SIGTERM', 'SIGTERM'], ['SIGINT', 'SIGINT'], ['SIGTERM', 'SIGINT']] as const) {
    const gate = await serve(test, { drain: { deadline: '2m' } })
    const workers = await gate.workers()
    let turn: Turn | undefined
    upstream.script((own) => void (turn = own))
    const client = await dial(test, gate)
    await client.send(`GET /never HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
    await until(() => turn !== undefined, 'the request')
    gate.child.kill(signals[0])
    await until(() => refuses(gate.port), 'draining')
    gate.child.kill(signals[1])
    test.not(await gate.ended, 0)
    await client.ended()
    for (const pid of workers) await until(() => !isAlive(pid), 'the worker to be gone')
  }
})

void t.test('half a head and a handshake under way do not hold it up', async (test) => {
  const gate = await serve(test, { drain: { deadline: '2m' } })
  const silent = await dialPlain(test, gate.port)
  const half = await dial(test, gate)
  await half.send('GET /a HTTP/1.1\r\nHos')
  await pause(50)
  gate.child.kill('SIGTERM')
  test.equal(await gate.ended, 0)
  await silent.ended()
  await half.ended()
})

void t.test('the supervisor is killed: its worker does not stay', async (test) => {
  const gate = await serve(test, {})
  const workers = await gate.workers()
  test.equal(workers.length, 1)
  process.kill(gate.child.pid ?? 0, 'SIGKILL')
  await gate.ended
  for (const pid of workers) await until(() => !isAlive(pid), 'the worker to be gone')
})

void t.test('a worker is killed: another one takes over on the same port, and it is counted', async (test) => {
  const gate = await serve(test, {})
  upstream.script(ok)
  const [worker = 0] = await gate.workers()
  const client = await dial(test, gate)
  test.equal((await client.ask('GET /a')).status, 200)
  process.kill(worker, 'SIGKILL')
  await client.ended()
  await until(async () => await gate.metric('tidegate_worker_restarts_total') === 1 && await gate.metric('tidegate_workers') === 1 && !await refuses(gate.port), 'another worker')
  test.equal((await (await dial(test, gate)).ask('GET /a')).status, 200)
  await gate.stop()
  test.equal(await gate.ended, 0)
})

/** A process that has ended may wait for its new parent to take note of it. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
