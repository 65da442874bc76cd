// A configuration with faults: exit 2, all of them, nothing bound. A port in use: exit 1 and which. What listens says so,
// and its admin pages are there with everything at zero.
import { createServer } from 'node:net'
import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import t from 'tap'
import { REASONS, REFUSALS } from '../../src/refusal.ts'
import { parseMetrics, runGate, serveGate, writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { askOnce, dial, dialPlain } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)

void t.test('a wrong configuration: exit 2, every fault with its path', async (test) => {
  const file = realm.write('wrong.yaml', `
listen: { tls: { port: 70000 }, plan: { port: 1 } }
tls: { certificates: [ { cert: none.pem, key: none.key } ], profile: old }
storage:
  domain: storage.example
  accounts:
    - { name: tideoffice, keys: [none], blob: "http://tideoffice.blob.example" }
apis: [ { name: payroll, host: a.example, upstream: "https://a.internal", websocket: true } ]
limits: { idleTimeout: soon }
`)
  const gate = runGate(test, ['serve', '--config', file])
  test.equal(await gate.ended, 2)
  for (const path of ['listen.tls.port', 'listen.plan', 'tls.profile', 'tls.certificates[0].cert', 'tls.certificates[0].key', 'storage.accounts[0].keys[0]', 'storage.accounts[0].blob', 'limits.idleTimeout']) {
    test.match(gate.errors(), new RegExp(`^${file}:\\d+:\\d+: ${path.replaceAll(/[[\].]/g, '\\$&')}: `, 'm'), path)
  }
  test.strictSame(gate.text, [], 'nothing on standard output')

  const json = runGate(test, ['serve', '--config', file, '--json'])
  test.equal(await json.ended, 2)
  const { faults } = JSON.parse(json.text.join('\n')) as { faults: { path: string; found: string; allowed: string }[] }
  test.ok(faults.length >= 8)
  for (const fault of faults) test.match(fault, { path: String, found: String, allowed: String })
})

void t.test('other ways not to start', async (test) => {
  const none = runGate(test, ['serve', '--config', `${realm.folder}/absent.yaml`])
  test.match([await none.ended, none.errors()], [2, /absent\.yaml/])
  for (const [args, says] of [[['serve'], /--config/], [['serve', '--confg', 'x'], /--confg/], [['sevre'], /no such command/], [[], /missing/]] as const) {
    const run = runGate(test, args)
    test.match([await run.ended, run.errors()], [2, says], args.join(' '))
  }
  const broken = runGate(test, ['serve', '--config', realm.write('broken.yaml', 'listen: [')])
  test.match([await broken.ended, broken.errors()], [2, /broken\.yaml/])
})

void t.test('a port in use: exit 1, and which', async (test) => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  test.teardown(() => holder.close())
  const address = holder.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const written = await writeConfiguration(realm, { storage: { blob: upstream.port } })
  const { readFileSync } = await import('node:fs')
  const text = readFileSync(written, 'utf8')
  for (const listener of ['tls', 'plain', 'admin']) {
    const config = JSON.parse(text) as { listen: Record<string, { port: number }> }
    config.listen[listener] = { ...config.listen[listener], port }
    const gate = runGate(test, ['serve', '--config', realm.write(`${listener}.yaml`, JSON.stringify(config))])
    test.equal(await gate.ended, 1, listener)
    test.match(gate.errors(), new RegExp(`^tidegate: error: listen\\.${listener}\\.port: port ${port} of 127\\.0\\.0\\.1 is in use`), gate.errors())
    test.equal(gate.errors().includes('    at '), false, 'no stack')
    test.strictSame(gate.text.filter((line) => line.includes('"listening"')), [])
  }
})

void t.test('a certificate that covers no name that is served: a fault; one that misses a name: a warning, a metric, /status and the page', async (test) => {
  const other = await realm.certificate('other', { names: ['elsewhere.example', '*.wrong.example'] })
  const nobody = await writeConfiguration(realm, { storage: { blob: upstream.port }, tls: { certificates: [{ cert: other.certFile, key: other.keyFile }] } })
  for (const command of ['check', 'serve']) {
    const run = runGate(test, [command, '--config', nobody])
    test.equal(await run.ended, 2)
    test.match(run.errors(), /tidegate\.yaml:\d+:\d+: tls\.certificates: found .*elsewhere\.example.*tideoffice\.blob\.localhost/)
  }
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: 'api.elsewhere.example', upstream: { url: `https://127.0.0.1:${upstream.port}`, ca: realm.caFile } }] })
  test.equal(await gate.metric('tidegate_names_without_certificate'), 1)
  test.match(gate.lines('configuration'), [{ path: 'apis[0].host', found: /api\.elsewhere\.example.*tideoffice\.blob\.localhost/ }])
  test.match(JSON.parse((await gate.admin('/status')).text), { namesWithoutCertificate: ['api.elsewhere.example'] })
  test.match((await gate.admin('/')).text, 'No certificate covers api.elsewhere.example')
})

void t.test('what listens says so, with everything there at zero', async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port, queue: upstream.port }, apis: [{ name: 'payroll', host: 'api.localhost', upstream: { url: `https://127.0.0.1:${upstream.port}`, ca: realm.caFile } }], names: ['api.localhost'] })
  test.equal(gate.lines('listening').length, 1)
  test.match(gate.lines('listening')[0]?.['addresses'], { tls: /^127\.0\.0\.1:\d+$/, plain: /^127\.0\.0\.1:\d+$/, admin: /^127\.0\.0\.1:\d+$/ })
  test.match(await gate.admin('/livez'), { status: 200 })
  test.match(await gate.admin('/readyz'), { status: 200 })
  test.match(await gate.admin('/elsewhere'), { status: 404 })

  const page = await gate.admin('/metrics')
  test.match(page, { status: 200, type: /^text\/plain; version=0\.0\.4/ })
  const series = parseMetrics(page.text).flatMap(({ name, values }) => values.map(({ value, labels }) => ({ name, value, labels })))
  const at = (name: string, labels: Record<string, string>): number | undefined =>
    series.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))?.value
  for (const reason of REASONS) test.equal(at('tidegate_refusals_total', { reason, stage: REFUSALS[reason].stage }), 0, reason)
  for (const [name, labels] of [
    ['tidegate_tls_handshakes_total', { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256', resumed: 'no', client_cert: 'no' }], ['tidegate_tls_groups_total', { group: 'X25519MLKEM768' }], ['tidegate_tls_client_hello_total', { offered: 'tls1.0' }],
    ['tidegate_connections_total', { listener: 'tls' }], ['tidegate_connections_open', { listener: 'plain' }], ['tidegate_requests_total', { route: 'tideoffice', service: 'queue', method: 'MERGE', class: '5xx' }],
    ['tidegate_requests_total', { route: 'payroll', service: 'api', method: 'other', class: '2xx' }], ['tidegate_requests_total', { route: 'unknown', service: 'unknown', method: 'GET', class: '4xx' }], ['tidegate_bytes_total', { route: 'payroll', direction: 'sent' }],
    ['tidegate_sas_total', { account: 'tideoffice', kind: 'account', outcome: 'tightened' }], ['tidegate_sas_total', { account: 'tideoffice', kind: 'service', outcome: 'sas-signature' }],
    ['tidegate_upstream_requests_total', { upstream: 'tideoffice.blob', result: 'timeout' }], ['tidegate_upstream_connections', { upstream: 'payroll' }], ['tidegate_request_duration_seconds_count', { route: 'tideoffice' }], ['tidegate_gateway_duration_seconds_count', { route: 'payroll' }],
    ['tidegate_worker_restarts_total', {}], ['tidegate_config_reloads_total', { result: 'failure' }], ['tidegate_log_lines_dropped_total', {}],
  ] as const) test.equal(at(name, labels), 0, `${name} ${JSON.stringify(labels)}`)
  for (const [name, value] of [['tidegate_workers', 1], ['tidegate_config_generation', 1], ['tidegate_config_last_reload_successful', 1], ['tidegate_build_info', 1], ['tidegate_config_info', 1]] as const) test.equal(at(name, {}), value, name)
  test.ok((at('tidegate_certificate_expiry_timestamp_seconds', { use: 'server' }) ?? 0) > Date.now() / 1000)

  const status = await gate.admin('/status')
  test.match(JSON.parse(status.text), {
    version: String, versions: { node: process.versions.node, openssl: String, undici: String, fastify: String }, ready: true, configuration: { generation: 1 }, certificates: Array, listeners: { tls: String, admin: String }, routes: Array, refusals: {},
  })
  test.strictSame([realm.key1, realm.key2].filter((key) => status.text.includes(key)), [])

  test.equal((await askOnce(test, gate, 'GET /readyz')).text, 'ok', 'the TLS listener carries it to the service: admin pages are not there')
  const before = series.length
  for (let i = 0; i < 40; i++) await askOnce(test, gate, `GET /${i}?${i}`, [`x-${i}: ${i}`, `x-ms-client-request-id: ${i}`])
  const after = parseMetrics((await gate.admin('/metrics')).text).length
  test.ok(after - before <= 10, `${after - before} more series after odd requests`)
  await gate.stop()
  test.equal(await gate.ended, 0)
})

void t.test('what listens says so whatever is logged else', async (test) => {
  for (const level of ['error', 'fatal']) {
    const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, level })
    test.strictSame(gate.lines().map(({ level: own, msg }) => [own, msg]), [['info', 'listening']], level)
    await gate.stop()
    test.equal(await gate.ended, 0)
    test.equal(gate.lines().length, 1)
  }
})

void t.test('keys that others can read are told, loudly: by check, at the start, after a reload', { skip: existsSync('/proc') ? false : 'needs file modes' }, async (test) => {
  const own = await realm.certificate('read-by-others', { names: ['tideoffice.blob.localhost'] })
  for (const file of [own.keyFile, `${realm.folder}/key2`]) chmodSync(file, 0o644)
  const wish = { storage: { blob: upstream.port }, tls: { certificates: [{ cert: own.certFile, key: own.keyFile }] } }
  const told = [{ level: 'warn', path: 'tls.certificates[0].key', found: /others can read/ }, { level: 'warn', path: 'storage.accounts[0].keys[1]' }]
  const check = runGate(test, ['check', '--config', await writeConfiguration(realm, wish)])
  test.equal(await check.ended, 0, 'a warning is no fault')
  for (const { path } of told) test.ok(check.errors().includes(path), `check tells ${path}`)
  const gate = await serveGate(test, realm, wish)
  test.match(gate.lines('configuration'), told)
  test.match(JSON.parse((await gate.admin('/status')).text), { configuration: { warnings: told.map(({ path }) => ({ path })) } })
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('configuration').length === 2 * told.length, 'the same after a reload')
  chmodSync(own.keyFile, 0o600)
})

void t.test('the admin pages are nowhere on the public listeners', async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: 'api.localhost', prefix: '/v1', upstream: { url: `https://127.0.0.1:${upstream.port}`, ca: realm.caFile } }], names: ['api.localhost', '127.0.0.1'] })
  const seen = upstream.seen.length
  for (const page of ['/metrics', '/status', '/readyz', '/livez', '/']) {
    const reasons = ['api.localhost', 'localhost', `127.0.0.1:${gate.adminPort}`].map(async (host) => (await (await dial(test, gate, { servername: host === 'api.localhost' ? host : '' })).ask(`GET ${page}`, [`Host: ${host}`])).header('x-tidegate-reason'))
    test.strictSame(await Promise.all(reasons), ['path-unknown', 'host-unknown', 'host-unknown'], page)
    const plain = await dialPlain(test, gate.plainPort)
    test.equal((await plain.ask(`GET ${page}`, ['Host: localhost'])).header('x-tidegate-reason'), 'plaintext-http', `${page} in clear`)
  }
  test.equal(upstream.seen.length, seen, 'and nothing is sent upstream')
})
