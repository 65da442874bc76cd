// Certificates near their end: a warning at the start, a metric for each use, and once ours has ended the gateway goes on with
// it, is loud, and takes no new traffic from balancers that ask.
import t from 'tap'
import { serveGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { createAuthority } from '../support/authority.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const DAY = 86_400_000
const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

void t.test('what ends within 30 days is told at the start and in /metrics, by use', async (test) => {
  const offices = await createAuthority({ name: 'Offices', days: 25 })
  realm.write('offices.pem', offices.pem)
  realm.write('offices.crl', await offices.revoke([], new Date(Date.now() + 2 * DAY)))
  const near = await realm.certificate('near', { names: [storageHost('blob')], days: 7 })
  const far = await realm.certificate('far', { names: [API] })
  const shown = await realm.certificate('shown', { names: ['gateway.example'], clientAuth: true, days: 1 })
  const api = { url: `https://${upstreamHost('blob')}:${upstream.port}`, connect: `127.0.0.1:${upstream.port}`, ca: realm.caFile }
  const gate = await serveGate(test, realm, {
    storage: { blob: upstream.port },
    apis: [{ name: 'payroll', host: API, upstream: api, clientCertificate: { cert: shown.certFile, key: shown.keyFile } }],
    tls: { certificates: [near, far].map(({ certFile, keyFile }) => ({ cert: certFile, key: keyFile })), clients: { verify: 'optional', ca: 'offices.pem', crl: 'offices.crl' } },
  })
  await until(() => gate.lines('a certificate is near its end').length >= 3, 'the lines')
  test.strictSame(gate.lines('a certificate is near its end').map(({ level, name, use, daysLeft }) => [level, name, use, daysLeft]), [
    ['warn', 'tls.certificates[0]', 'server', 6],
    ['warn', 'tls.clients.ca', 'client-ca', 24],
    ['warn', 'apis[0].clientCertificate', 'upstream-client', 0],
  ])
  const days = async (name: string, use: string): Promise<number> => Math.round((await gate.metric('tidegate_certificate_expiry_timestamp_seconds', { name, use }) - Date.now() / 1000) * 1000 / DAY)
  test.strictSame([await days('tls.certificates[0]', 'server'), await days('tls.certificates[1]', 'server'), await days('tls.clients.ca', 'client-ca'), await days('tls.clients.crl[0]', 'crl'), await days('apis[0].clientCertificate', 'upstream-client'), await days('apis[0].ca', 'upstream-ca')],
    [7, 90, 25, 2, 1, 365])
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('a certificate is near its end').length >= 6, 'the same lines after a reload')
})

void t.test('our certificate ends while the gateway runs: still served with it, not ready, an error', async (test) => {
  const end = new Date(Math.ceil(Date.now() / 1000) * 1000 + 8000)
  const short = await realm.certificate('short', { names: [storageHost('blob')], notAfter: end })
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, tls: { certificates: [{ cert: short.certFile, key: short.keyFile }] } })
  const open = await dial(test, gate)
  test.match(await gate.admin('/readyz'), { status: 200 })
  await until(async () => (await gate.admin('/readyz')).status === 503, 'the end')
  test.ok(Date.now() >= end.getTime(), 'and not before')
  test.match(JSON.parse((await gate.admin('/readyz')).text), { missing: ['certificates'] })
  test.equal((await open.ask('GET /a')).status, 200, 'the connection from before')
  test.equal((await (await dial(test, gate, { rejectUnauthorized: false })).ask('GET /a')).status, 200, 'a new one, whose client minds nothing')
  await until(() => gate.lines('a certificate has expired').length === 1, 'the line')
  test.match(gate.lines('a certificate has expired'), [{ level: 'error', name: 'tls.certificates[0]', use: 'server', daysLeft: -1 }])
  test.match(JSON.parse((await gate.admin('/status')).text), { ready: false, certificates: [{ name: 'tls.certificates[0]', daysLeft: -1 }] })
  test.ok(await gate.metric('tidegate_certificate_expiry_timestamp_seconds', { name: 'tls.certificates[0]' }) <= Date.now() / 1000)
})
