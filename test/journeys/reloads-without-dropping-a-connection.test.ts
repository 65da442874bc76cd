// Changed files and SIGHUP take effect while connections stay: all of a configuration or nothing of it.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { far, serveGate, type GateProcess } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost, upstreamHost, type Pair } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { issue } from '../sas/second.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const NAMES = [storageHost('blob'), 'api.localhost']

async function serve(test: Test, pair: Pair): Promise<GateProcess> {
  const tls = { certificates: [{ cert: pair.certFile, key: pair.keyFile }] }
  const apis = [{ name: 'payroll', host: 'api.localhost', upstream: far(realm, upstreamHost('blob'), upstream.port) }]
  return serveGate(test, realm, { storage: { blob: upstream.port }, apis, tls })
}

/** The fingerprint of the certificate that a new connection is shown. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: NAMES[0] ?? '', ca: realm.authority.pem }, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

/** As a careful tool writes: aside, then renamed over. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

void t.test('a replaced certificate is shown to new connections; open ones go on; a broken one changes nothing', async (test) => {
  const pair = await realm.certificate('first', { names: NAMES })
  const gate = await serve(test, pair)
  const open = await dial(test, gate)
  test.equal((await open.ask('GET /before')).status, 200)
  const old = await shown(gate.port)

  const next = await realm.authority.issue({ names: NAMES })
  replace(pair.keyFile, next.key)
  replace(pair.certFile, next.cert)
  await until(async () => await shown(gate.port) !== old, 'the new certificate to be shown')
  const current = await shown(gate.port)
  test.equal((await open.ask('GET /after')).status, 200, 'the connection from before')
  test.equal(await gate.metric('tidegate_config_generation'), 2)

  replace(pair.certFile, 'no certificate')
  await until(async () => await gate.metric('tidegate_config_last_reload_successful') === 0, 'the broken file to be told')
  await until(() => gate.lines('reload refused: the old configuration stays in force').length > 0, 'its line')
  test.equal(await shown(gate.port), current, 'the old one serves on')
  test.match(gate.lines('reload refused: the old configuration stays in force').at(-1), { level: 'error', trigger: 'files', faults: [{ path: 'tls.certificates[0].cert', found: /no PEM/ }] })
  test.match(JSON.parse((await gate.admin('/status')).text), { configuration: { generation: 2, reloads: [{ trigger: 'files', result: 'failure' }] } })
  test.equal((await open.ask('GET /still')).status, 200)

  replace(pair.certFile, next.cert)
  await until(async () => await gate.metric('tidegate_config_last_reload_successful') === 1, 'the file to be as it was')
  test.equal(await gate.metric('tidegate_config_generation'), 2, 'nothing had to change')
})

/** A blob and a token for it, signed with this key. */
const target = (key: Buffer): string => `/c/b?${issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params: Object.entries({ sv: '2021-12-02', sr: 'b', sp: 'r', se: '2099-01-01' }) }, key)}`

void t.test('a rotated account key: tokens of the new one pass and are counted, those of a withdrawn one are refused', async (test) => {
  const pair = await realm.certificate('keys', { names: NAMES })
  const gate = await serve(test, pair)
  const client = await dial(test, gate)
  const rotated = Buffer.alloc(64, 9)
  const [withdrawn, fresh] = [target(Buffer.from(realm.key1, 'base64')), target(rotated)]
  const reasons = async (): Promise<(string | undefined)[]> => [(await client.ask(`GET ${withdrawn}`)).header('x-tidegate-reason'), (await client.ask(`GET ${fresh}`)).header('x-tidegate-reason')]
  test.strictSame(await reasons(), [undefined, 'sas-signature'])
  replace(join(realm.folder, 'key1'), rotated.toString('base64'))
  await until(async () => await gate.metric('tidegate_config_generation') === 2, 'the key to be applied')
  test.strictSame(await reasons(), ['sas-signature', undefined], 'on the connection from before')
  test.equal(await gate.metric('tidegate_sas_key_used_total', { slot: 'key1' }), 2)
  replace(join(realm.folder, 'key1'), realm.key1)
})

void t.test('SIGHUP reads the whole configuration: routes change at once, what needs a restart refuses the whole', async (test) => {
  const pair = await realm.certificate('whole', { names: [...NAMES, 'other.localhost'] })
  const gate = await serve(test, pair)
  const client = await dial(test, gate, { servername: 'other.localhost' })
  test.equal((await client.ask('GET /x', ['Host: other.localhost'])).status, 421)
  const file = (JSON.parse((await gate.admin('/status')).text) as { configuration: { file: string } }).configuration.file
  const text = readFileSync(file, 'utf8')

  replace(file, text.replaceAll('api.localhost', 'other.localhost'))
  gate.child.kill('SIGHUP')
  await until(async () => await gate.metric('tidegate_config_generation') === 2, 'the new configuration')
  test.equal((await client.ask('GET /x', ['Host: other.localhost'])).status, 200, 'on the connection from before')

  replace(file, text.replace('"payroll"', '"renamed"').replace('"limits": {}', '"limits": {}, "workers": 2'))
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reload refused: the old configuration stays in force').length > 0, 'the refusal')
  test.match(gate.lines('reload refused: the old configuration stays in force'), [{ trigger: 'SIGHUP', faults: [{ path: 'workers', allowed: /restart/ }] }])
  test.match(JSON.parse((await gate.admin('/status')).text), { configuration: { generation: 2 }, routes: [{}, { route: 'payroll', host: 'other.localhost' }] })
  replace(file, text)
})
