// Client certificates: none, optional or required, for all names or for one; who is not named does not pass, and trust
// that shrinks lets nobody resume.
import { X509Certificate } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { connect, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority, type Issued } from '../support/authority.ts'
import { far, serveGate, type GateProcess, type GateWish } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const offices = await createAuthority({ name: 'Offices' })
const strangers = await createAuthority({ name: 'Strangers' })
const namesake = await createAuthority({ name: 'Offices' })
const branch = await offices.intermediate('Branch offices')
const client = { names: ['office-1.example'], uri: 'spiffe://tide/office-1', clientAuth: true }
const day = (days: number): Date => new Date(Date.now() + days * 86_400_000)
const CERTIFICATES = {
  good: await offices.issue(client),
  branch: await branch.issue(client),
  rsa: await offices.issue({ ...client, key: 'rsa2048' }),
  other: await offices.issue({ ...client, names: ['office-2.example'], uri: 'spiffe://tide/office-1x' }),
  revoked: await offices.issue(client),
  foreign: await strangers.issue(client),
  namesake: await namesake.issue(client),
  expired: await offices.issue({ ...client, notBefore: day(-30), notAfter: day(-1) }),
  early: await offices.issue({ ...client, notBefore: day(1), notAfter: day(30) }),
  purpose: await offices.issue({ ...client, clientAuth: false, serverAuth: true }),
} satisfies Record<string, Issued>
type Which = keyof typeof CERTIFICATES
const API = 'payroll.localhost'
const OPEN = 'open.localhost'
realm.write('offices.pem', offices.pem)

async function serve(test: Test, clients: object, wish: GateWish = {}): Promise<GateProcess> {
  realm.write('offices.crl', await offices.revoke([CERTIFICATES.revoked.cert]) + await branch.revoke([]))
  const api = (name: string, host: string, rules?: object) => ({ name, host, upstream: far(realm, upstreamHost('blob'), upstream.port), ...(rules === undefined ? {} : { clients: rules }) })
  const apis = [api('payroll', API, { allow: ['URI:spiffe://tide/office-1'] }), api('open', OPEN)]
  return serveGate(test, realm, { storage: { blob: upstream.port }, apis, names: [API, OPEN], tls: { clients: { ca: 'offices.pem', crl: 'offices.crl', ...clients } }, ...wish })
}

const shows = (which: Which | undefined): ConnectionOptions => (which === undefined ? {} : { cert: CERTIFICATES[which].cert, key: CERTIFICATES[which].key })

/** Status of a request on a connection with this certificate; 'closed' where there was no reply. */
function ask(gate: GateProcess, which: Which | undefined, host: string, options: ConnectionOptions = {}): Promise<number | 'closed'> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: gate.port, servername: host, ca: realm.authority.pem, ...shows(which), ...options })
    socket.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text === '' ? 'closed' : Number(text.slice(9, 12))))
  })
}

const REFUSED: readonly (readonly [Which | undefined, string])[] = [
  ['foreign', 'client-cert-untrusted'], ['namesake', 'client-cert-untrusted'], ['expired', 'client-cert-expired'], ['early', 'client-cert-expired'],
  ['purpose', 'client-cert-purpose'], ['revoked', 'client-cert-revoked'],
]

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const verify of ['required', 'optional'] as const) {
    void t.test(`${verify}, ${maxVersion}: who verifies passes, whoever does not is closed and counted by reason`, async (test) => {
      const gate = await serve(test, { verify })
      const host = storageHost('blob')
      for (const which of ['good', 'branch', 'rsa', 'other'] as const) test.equal(await ask(gate, which, host, { maxVersion }), 200, which)
      const seen = upstream.seen.length
      for (const [which, reason] of REFUSED) {
        const before = await gate.metric('tidegate_refusals_total', { reason })
        test.equal(await ask(gate, which, host, { maxVersion }), 'closed', which ?? 'none')
        await until(async () => await gate.metric('tidegate_refusals_total', { reason }) === before + 1, `${which}: ${reason}`)
      }
      const missing = await ask(gate, undefined, host, { maxVersion })
      test.equal(missing, verify === 'optional' ? 200 : 'closed', 'no certificate')
      if (verify === 'required') await until(async () => await gate.metric('tidegate_refusals_total', { reason: 'client-cert-missing' }) === 1, 'missing')
      test.equal(upstream.seen.length - seen, verify === 'optional' ? 1 : 0, 'nothing of the refused went up')
      test.ok(await gate.metric('tidegate_tls_handshakes_total', { client_cert: 'yes' }) >= 4)
      await until(() => gate.lines('refused').some(({ reason }) => reason === 'client-cert-revoked'), 'the line')
    })
  }
}

void t.test('rules of one name: its list admits only what it names, whole and exact; other names stay open', async (test) => {
  const gate = await serve(test, { verify: 'none' })
  test.equal(await ask(gate, undefined, OPEN), 200)
  test.equal(await ask(gate, undefined, API), 403, 'no certificate')
  test.equal(await ask(gate, 'other', API), 403, 'a longer name')
  test.equal(await ask(gate, 'foreign', API), 'closed')
  test.equal(await ask(gate, 'good', API), 200)
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'client-not-allowed' }), 2)
  test.equal(await gate.metric('tidegate_requests_total', { route: 'payroll', service: 'api', class: '4xx' }), 2, 'the refused ones count for the route that they asked for')

  const office = await dial(test, gate, { servername: API, ...shows('good') })
  const reply = await office.ask('GET /who', [`Host: ${API}`, 'Client-Cert: :Zm9yZ2Vk:', 'X-Client-Cert: forged'])
  test.equal(reply.status, 200)
  const der = new X509Certificate(CERTIFICATES.good.cert).raw.toString('base64')
  test.strictSame(upstream.seen.at(-1)?.headers.filter(([name]) => /client-cert/i.test(name)), [['Client-Cert', `:${der}:`]], 'RFC 9440, and none of the client\'s own words')
  await until(() => gate.lines('request').some(({ peer }) => peer === 'URI:spiffe://tide/office-1' || peer === 'DNS:office-1.example'), 'the peer in the log')
  test.equal((await office.ask('GET /x', [`Host: ${storageHost('blob')}`])).status, 421, 'a session for one name opens no other')
})

void t.test('a new revocation list ends open connections and resumption; others go on', async (test) => {
  const gate = await serve(test, { verify: 'required' })
  const host = storageHost('blob')
  const revoked = await dial(test, gate, { ...shows('good'), maxVersion: 'TLSv1.2' })
  const session = revoked.socket.getSession()
  test.equal((await revoked.ask('GET /before')).status, 200)
  test.equal(await ask(gate, 'good', host, { maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) }), 200, 'resumed before')

  writeFileSync(`${realm.folder}/new.crl`, await offices.revoke([CERTIFICATES.good.cert]) + await branch.revoke([]))
  renameSync(`${realm.folder}/new.crl`, `${realm.folder}/offices.crl`)
  await until(async () => await gate.metric('tidegate_config_generation') === 2, 'the list to be applied')
  await until(() => revoked.ending !== undefined, 'the open connection to end')
  test.equal(await ask(gate, 'good', host, { maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) }), 'closed', 'not resumed after')
  test.equal(await ask(gate, 'branch', host), 200)
})

void t.test('a list past its next update refuses everybody, and is told', async (test) => {
  realm.write('late.crl', await offices.revoke([], day(-1)) + await branch.revoke([]))
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify: 'required', ca: 'offices.pem', crl: 'late.crl' } } })
  test.equal(await ask(gate, 'good', storageHost('blob')), 'closed')
  await until(async () => await gate.metric('tidegate_refusals_total', { reason: 'client-cert-revoked' }) === 1, 'the reason')
  test.match(gate.lines('configuration').map(({ path }) => path), ['tls.clients.crl'])
})
