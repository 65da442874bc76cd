// SIGHUP takes up every key of the configuration but the listeners and the number of workers, on servers that run: each is
// seen from outside, on a connection from before where it can be.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority } from '../support/authority.ts'
import { far, serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, dialPlain } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const offices = await createAuthority({ name: 'Offices' })
realm.write('offices.pem', offices.pem)
const office = await offices.issue({ names: ['office.example'], clientAuth: true })

interface Changeable {
  listen: Record<string, object>
  tls: Record<string, unknown>
  limits: object
  log: object
  drain: object
  workers: number
}

/** A gate, and what gives it another configuration and waits until it is in force, or refused. */
async function serve(test: Test, workers = 1): Promise<{ gate: GateProcess; change: (edit: (config: Changeable) => void) => Promise<void> }> {
  upstream.script(ok)
  const apis = [{ name: 'payroll', host: API, upstream: far(realm, upstreamHost('blob'), upstream.port) }]
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, apis, names: [API], workers, drain: { deadline: '2m' } })
  const { file } = (JSON.parse((await gate.admin('/status')).text) as { configuration: { file: string } }).configuration
  const change = async (edit: (config: Changeable) => void): Promise<void> => {
    const before = await gate.metric('tidegate_config_reloads_total')
    const config = JSON.parse(readFileSync(file, 'utf8')) as Changeable
    edit(config)
    writeFileSync(`${file}.new`, JSON.stringify(config))
    renameSync(`${file}.new`, file)
    gate.child.kill('SIGHUP')
    await until(async () => await gate.metric('tidegate_config_reloads_total') > before, 'the reload')
  }
  return { gate, change }
}

const GET = `GET /a HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`

void t.test('limits', async (test) => {
  const { gate, change } = await serve(test, 2)
  const open = await dial(test, gate)
  test.equal((await open.ask('GET /a')).status, 200)
  await change((config) => (config.limits = { requestHeaders: '1KiB', headerFields: 8, idleTimeout: '300ms', headersTimeout: '300ms', connections: 6 }))
  test.equal(await gate.metric('tidegate_config_generation'), 2)

  test.equal((await open.ask('GET /a', Array.from({ length: 9 }, (_, i) => `x-${i}: 1`))).status, 431, 'headerFields, on the connection from before')
  test.equal((await (await dial(test, gate)).ask('GET /a', [`x-long: ${'a'.repeat(1500)}`])).status, 431, 'requestHeaders')
  const half = await dial(test, gate)
  half.expect(GET)
  await half.send(GET.slice(0, 20))
  test.equal((await half.reply()).status, 408, 'headersTimeout')
  const idle = await dial(test, gate)
  test.equal((await idle.ask('GET /a')).status, 200)
  await idle.ended()
  await Promise.all(Array.from({ length: 12 }, () => dialPlain(test, gate.port)))
  await until(async () => await gate.metric('tidegate_refusals_total', { reason: 'too-many-connections' }) > 0, 'connections')
})

void t.test('limits of time towards the upstream, while the request is under way', async (test) => {
  const { gate, change } = await serve(test)
  upstream.script(() => undefined)
  const client = await dial(test, gate)
  const seen = upstream.seen.length
  client.expect(GET)
  await client.send(GET)
  await until(() => upstream.seen.length > seen, 'the request')
  await change((config) => (config.limits = { upstreamTimeout: '300ms' }))
  const reply = await client.reply()
  test.strictSame([reply.status, reply.header('x-tidegate-reason')], [504, 'upstream-timeout'])
})

void t.test('tls.handshakeTimeout, for hellos that are awaited already', async (test) => {
  const { gate, change } = await serve(test)
  const silent = await dialPlain(test, gate.port)
  await change((config) => (config.tls['handshakeTimeout'] = '300ms'))
  await silent.ended()
  await until(async () => await gate.metric('tidegate_refusals_total', { reason: 'hello-timeout' }) === 1, 'its reason')
})

/** The version of a handshake, or the code of what became of it. */
function handshake(port: number, options: object): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, servername: storageHost('blob'), ca: realm.authority.pem, ...options })
    // In TLS 1.3 a client is ready before the server has judged its certificate: only an answer tells.
    socket.write(GET)
    socket.once('data', () => {
      resolve(socket.getProtocol() ?? '')
      socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve('closed'))
  })
}

void t.test('tls.profile, both ways', async (test) => {
  const { gate, change } = await serve(test)
  const old = { maxVersion: 'TLSv1.2' }
  const open = await dial(test, gate, { maxVersion: 'TLSv1.2' })
  test.equal(await handshake(gate.port, old), 'TLSv1.2')
  await change((config) => (config.tls['profile'] = 'modern'))
  test.equal(await handshake(gate.port, old), 'closed')
  test.equal(await handshake(gate.port, {}), 'TLSv1.3')
  test.equal((await open.ask('GET /a')).status, 200, 'the connection from before goes on')
  await change((config) => (config.tls['profile'] = 'intermediate'))
  test.equal(await handshake(gate.port, old), 'TLSv1.2')
})

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  void t.test(`tls.clients.verify and allow, ${maxVersion}`, async (test) => {
    const { gate, change } = await serve(test, 2)
    const anonymous = { maxVersion }
    const known = { maxVersion, ...office }
    const busy = await dial(test, gate, anonymous)
    await busy.send(GET.slice(0, 20))
    await pause(50)
    await change((config) => (config.tls['clients'] = { verify: 'required', ca: 'offices.pem' }))
    test.equal(await handshake(gate.port, anonymous), 'closed', 'required')
    test.equal(await handshake(gate.port, known), maxVersion)
    busy.expect(GET)
    await busy.send(GET.slice(20))
    test.equal((await busy.reply()).header('x-tidegate-reason'), 'client-not-allowed', 'a connection from before has no certificate')
    const shown = await dial(test, gate, known)
    test.equal((await shown.ask('GET /a')).status, 200)

    await change((config) => (config.tls['clients'] = { verify: 'optional', ca: 'offices.pem', allow: ['DNS:other.example'] }))
    await shown.ended()
    test.equal((await (await dial(test, gate, known)).ask('GET /a')).status, 403, 'allow')
    test.equal((await (await dial(test, gate, anonymous)).ask('GET /a')).status, 403, 'a list admits only what it names')
    await change((config) => (config.tls['clients'] = { verify: 'none' }))
    test.equal((await (await dial(test, gate, anonymous)).ask('GET /a')).status, 200, 'none')
    test.equal(await gate.metric('tidegate_config_generation'), 4)
  })
}

void t.test('log.level, in the supervisor and in each worker', async (test) => {
  const { gate, change } = await serve(test)
  await change((config) => (config.log = { level: 'warn' }))
  const client = await dial(test, gate)
  test.equal((await client.ask('GET /quiet')).status, 200)
  await change((config) => (config.log = { level: 'info' }))
  test.equal((await client.ask('GET /loud')).status, 200)
  await until(() => gate.lines('request').some(({ path }) => path === '/loud') && gate.lines('reloaded').length > 0, 'the lines')
  test.strictSame(gate.lines('request').map(({ path }) => path), ['/loud'])
  test.strictSame(gate.lines('reloaded').map(({ generation }) => generation), [3])
})

void t.test('drain.deadline', async (test) => {
  const { gate, change } = await serve(test)
  upstream.script(() => undefined)
  const client = await dial(test, gate)
  const seen = upstream.seen.length
  await client.send(GET)
  await until(() => upstream.seen.length > seen, 'the request')
  await change((config) => (config.drain = { deadline: '300ms' }))
  gate.child.kill('SIGTERM')
  test.equal(await gate.ended, 0, 'and not after two minutes')
})

void t.test('what needs a restart refuses the whole reload, by name', async (test) => {
  const { gate, change } = await serve(test)
  await change((config) => {
    config.workers = 2
    config.listen = { ...config.listen, plain: { host: '127.0.0.1', port: 1 } }
    config.limits = { headerFields: 1 }
  })
  await until(() => gate.lines('reload refused: the old configuration stays in force').length > 0, 'its line')
  test.match(gate.lines('reload refused: the old configuration stays in force').at(-1)?.['faults'], [{ path: 'listen.plain', allowed: /restart/ }, { path: 'workers', allowed: /restart/ }])
  test.equal((await (await dial(test, gate)).ask('GET /a')).status, 200, 'the limit did not change either')
  test.equal(await gate.metric('tidegate_config_generation'), 1)
})
