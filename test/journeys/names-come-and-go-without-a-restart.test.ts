// The name of an upstream stops resolving, resolves to another address, and is asked of a name server that never answers: what
// is connected goes on, new connections are refused in time, and it recovers. The real program, with a hosts file and a
// name server of its own.
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream, type Turn } from '../support/upstream.ts'

const NAME = 'moving.upstream.example'
const API = 'api.localhost'
const realm = await createRealm(t)
const hosts = join(realm.folder, 'hosts')
const resolver = join(realm.folder, 'resolv.conf')
const own = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', `mount --bind '${hosts}' /etc/hosts && mount --bind '${resolver}' /etc/resolv.conf && exec "$0" "$@"`]

/** In place: the gateway sees the file through a mount. */
const resolves = (text: string): void => writeFileSync(hosts, `127.0.0.1 localhost\n${text}\n`)
/** Nobody listens there, which is told at once, or someone who never answers. */
const asks = (server: string): void => writeFileSync(resolver, `nameserver ${server}\noptions timeout:5 attempts:2\n`)

resolves('')
asks('127.0.0.53')
const [program = '', ...args] = own
const skip = spawnSync(program, [...args, '/bin/true']).status === 0 ? false : 'no mounts of our own can be made here: that needs root and unshare'

function serve(test: Test, port: number, limits: object): Promise<GateProcess> {
  const upstream = (name: string): object => ({ url: `https://${name}:${port}`, ca: realm.caFile })
  const apis = [{ name: 'moving', host: API, prefix: '/moving', upstream: upstream(NAME) }, { name: 'fixed', host: API, upstream: upstream('127.0.0.1') }]
  return serveGate(test, realm, { apis, names: [API], limits, under: own })
}

const HOST = [`Host: ${API}`]

void t.test('it stops resolving: kept connections serve, new ones are 502 and counted; then it is somewhere else', { skip }, async (test) => {
  const first = await startUpstream(test, realm, { names: [NAME] })
  const second = createServer(await realm.authority.issue({ names: [NAME] }), (_request, reply) => reply.end('from the other address'))
  second.listen(first.port, '127.0.0.2')
  await once(second, 'listening')
  test.teardown(() => second.close().closeAllConnections())
  resolves(`127.0.0.1 ${NAME}`)
  const gate = await serve(test, first.port, {})
  first.script(ok)
  const client = await dial(test, gate, { servername: API })
  test.equal((await client.ask('GET /moving/a', HOST)).status, 200)

  resolves('')
  let held: Turn | undefined
  first.script((turn) => void (held = turn))
  const busy = client.ask('GET /moving/kept', HOST)
  await until(() => held !== undefined, 'the request on the kept connection')
  const refused = await askOnce(test, gate, 'GET /moving/new', HOST)
  test.strictSame([refused.status, refused.header('x-tidegate-reason')], [502, 'upstream-unreachable'], 'a new connection')
  first.script(ok)
  test.equal((await askOnce(test, gate, 'GET /fixed', HOST)).status, 200, 'others')
  await held?.reply(200, [], 'kept')
  test.equal((await busy).text, 'kept')
  test.equal(await gate.metric('tidegate_upstream_requests_total', { upstream: 'moving', result: 'unreachable' }), 1)
  test.equal(first.seen.filter(({ target }) => target === '/moving/new').length, 0)

  resolves(`127.0.0.2 ${NAME}`)
  first.drop('end')
  await until(async () => (await askOnce(test, gate, 'GET /moving/b', HOST)).text === 'from the other address', 'the other address')
})

void t.test('a name server that never answers: 502 when the time to connect is over, others are served meanwhile', { skip }, async (test) => {
  const upstream = await startUpstream(test, realm, { names: [NAME] })
  upstream.script(ok)
  const silent = createSocket('udp4')
  test.teardown(() => silent.close())
  const bound = await new Promise<boolean>((resolve) => {
    silent.once('error', () => resolve(false))
    silent.bind(53, '127.0.0.9', () => resolve(true))
  })
  if (!bound) {
    test.pass('port 53 of 127.0.0.9 is taken here')
    return
  }
  resolves('')
  asks('127.0.0.9')
  const gate = await serve(test, upstream.port, { connectTimeout: '500ms' })
  const client = await dial(test, gate, { servername: API })
  let waiting = true
  const slow = client.ask('GET /moving/a', HOST).finally(() => (waiting = false))
  const asked = once(silent, 'message')
  await asked
  test.equal((await askOnce(test, gate, 'GET /fixed', HOST)).status, 200, 'others')
  test.ok(waiting, 'while it waits')
  test.strictSame([(await slow).status, (await slow).header('x-tidegate-reason')], [502, 'upstream-unreachable'])
  await gate.requests(2)
  test.match(gate.lines('request').find(({ route }) => route === 'moving'), { refusal: { code: 'CONNECT_TIMEOUT' } })

  resolves(`127.0.0.1 ${NAME}`)
  await until(async () => (await askOnce(test, gate, 'GET /moving/b', HOST)).status === 200, 'it resolves again')
})
