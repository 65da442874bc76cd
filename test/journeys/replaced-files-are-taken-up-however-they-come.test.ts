// Every kind of file that the configuration names is replaced in place, by a rename, and as Kubernetes swaps a mounted
// folder: each takes effect by itself, no connection is lost, and what cannot be used changes nothing and is told.
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { issue, type Issue } from '../sas/second.ts'
import { createAuthority, type Authority, type Issued } from '../support/authority.ts'
import { serveGate, type GateProcess } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const NAMES = [storageHost('blob'), API]

type Files = Readonly<Record<string, string>>
/** Puts files into the folder that the configuration names. */
type Put = (files: Files) => void

/** All that is replaced at once: the second of these is put where the first was. */
interface Generation {
  readonly files: Files
  readonly server: Issued
  readonly accountKey: Buffer
  readonly delegationKey: Buffer
  /** A client that this generation lets in, and one that it does not. */
  readonly office: Issued
  readonly revoked: Issued
  readonly shownUpstream: Issued
  readonly upstream: Authority
}

const DELEGATION = { signedObjectId: 'o', signedTenantId: 't', signedStartsOn: '2020-01-01T00:00:00Z', signedExpiresOn: '2099-01-01T00:00:00Z', signedService: 'b', signedVersion: '2021-12-02' }

async function generation(): Promise<Generation> {
  const offices = await createAuthority({ name: 'Offices' })
  const revoked = await offices.issue({ names: ['sold.example'], clientAuth: true })
  const upstream = await createAuthority({ name: 'Upstreams' })
  const server = await realm.authority.issue({ names: NAMES })
  const shownUpstream = await createAuthority({ name: 'Gateways' }).then((by) => by.issue({ names: ['gateway.example'], clientAuth: true }))
  const [accountKey, delegationKey] = [randomBytes(64), randomBytes(32)]
  const files = {
    'server.pem': server.cert, 'server.key': server.key,
    'offices.pem': offices.pem, 'offices.crl': await offices.revoke([revoked.cert]),
    'account.key': accountKey.toString('base64'),
    'delegation.json': JSON.stringify({ ...DELEGATION, value: delegationKey.toString('base64') }),
    'upstream.pem': upstream.pem,
    'client.pem': shownUpstream.cert, 'client.key': shownUpstream.key,
    'ticket-keys': randomBytes(64).toString('base64'),
  }
  return { files, server, accountKey, delegationKey, office: await offices.issue({ names: ['office.example'], clientAuth: true }), revoked, shownUpstream, upstream }
}

/** An upstream that proves itself by one authority, and answers with the fingerprint of the certificate that it is shown. */
async function startFar(test: Test, authority: Authority): Promise<{ port: number; become: (by: Authority) => Promise<void> }> {
  const names = [upstreamHost('blob')]
  const server = createServer({ ...await authority.issue({ names }), requestCert: true, rejectUnauthorized: false }, (request, reply) => {
    reply.end((request.socket as TLSSocket).getPeerX509Certificate()?.fingerprint256 ?? 'none')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close().closeAllConnections())
  const become = async (by: Authority): Promise<void> => {
    server.setSecureContext(await by.issue({ names }))
    server.closeAllConnections()
  }
  return { port: (server.address() as AddressInfo).port, become }
}

async function serve(test: Test, folder: string, port: number): Promise<GateProcess> {
  const in_ = (name: string): string => join(folder, name)
  const upstream = { url: `https://${upstreamHost('blob')}:${port}`, connect: `127.0.0.1:${port}`, ca: in_('upstream.pem') }
  return serveGate(test, realm, {
    accounts: [{ name: ACCOUNT, keys: [in_('account.key')], userDelegationKeys: [in_('delegation.json')], blob: upstream }],
    apis: [{ name: 'payroll', host: API, upstream, clientCertificate: { cert: in_('client.pem'), key: in_('client.key') } }],
    tls: {
      certificates: [{ cert: in_('server.pem'), key: in_('server.key') }],
      clients: { verify: 'optional', ca: in_('offices.pem'), crl: in_('offices.crl') },
      ticketKeys: in_('ticket-keys'),
    },
  })
}

interface Seen {
  readonly status: number
  readonly text: string
  readonly reason: string | undefined
}

/** One request on a connection of its own; undefined where there was no reply. */
async function ask(test: Test, gate: GateProcess, host: string, target: string, shown: Partial<Issued> = {}): Promise<Seen | undefined> {
  try {
    const client = await dial(test, gate, { servername: host, ...shown })
    const reply = await client.ask(`GET ${target}`, [`Host: ${host}`])
    client.close()
    return { status: reply.status, text: reply.text, reason: reply.header('x-tidegate-reason') }
  } catch {
    return undefined
  }
}

/** The certificate of a new connection, and whether the session of an older one was resumed. TLS 1.2, whose ticket comes with the handshake. */
function handshake(gate: GateProcess, session?: Buffer): Promise<{ shown: string; session: Buffer | undefined; resumed: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: gate.port, servername: NAMES[0] ?? '', ca: realm.authority.pem, maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) }, () => {
      resolve({ shown: socket.getPeerCertificate().fingerprint256, session: socket.getSession(), resumed: socket.isSessionReused() })
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

function token(key: Buffer, delegated: boolean): string {
  const { signedObjectId: skoid, signedTenantId: sktid, signedStartsOn: skt, signedExpiresOn: ske, signedService: sks, signedVersion: skv } = DELEGATION
  const params = Object.entries({ sv: '2021-12-02', sr: 'b', sp: 'r', se: '2099-01-01', ...(delegated ? { skoid, sktid, skt, ske, sks, skv } : {}) })
  return `/c/b?${issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params } satisfies Issue, key)}`
}

const fingerprint = (it: Issued): string => new X509Certificate(it.cert).fingerprint256

/** What each kind of file decides, seen from outside: every line has to be true of the generation in force. */
async function inForce(test: Test, gate: GateProcess, { server, accountKey, delegationKey, office, revoked, shownUpstream }: Generation): Promise<Record<string, boolean>> {
  const host = storageHost('blob')
  const [plain, delegated, known, api] = [await ask(test, gate, host, token(accountKey, false)), await ask(test, gate, host, token(delegationKey, true)), await ask(test, gate, host, '/c/b', office), await ask(test, gate, API, '/x')]
  return {
    'certificate and key': (await handshake(gate)).shown === fingerprint(server),
    'account key': plain?.status === 200,
    'delegation key': delegated?.status === 200,
    'authority and list of clients': known?.status === 200 && await ask(test, gate, host, '/c/b', revoked) === undefined,
    'authority of the upstream': api?.status === 200,
    'client certificate upstream': api?.text === fingerprint(shownUpstream),
  }
}

const all = (value: boolean): Record<string, boolean> => ({ 'certificate and key': value, 'account key': value, 'delegation key': value, 'authority and list of clients': value, 'authority of the upstream': value, 'client certificate upstream': value })

const WAYS: readonly (readonly [way: string, start: (folder: string) => Put])[] = [
  ['in place', (folder) => {
    mkdirSync(folder)
    return (files) => {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 })
    }
  }],
  ['by a rename', (folder) => {
    mkdirSync(folder)
    return (files) => {
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(join(folder, `.${name}`), text, { mode: 0o600 })
        renameSync(join(folder, `.${name}`), join(folder, name))
      }
    }
  }],
  ['as Kubernetes swaps a folder', swapping],
]

/** The volume of a Secret: each file is a link through `..data`, which is replaced as a whole. */
function swapping(folder: string): Put {
  mkdirSync(folder)
  let round = 0
  const current = new Map<string, string>()
  return (files) => {
    const data = `..${++round}`
    mkdirSync(join(folder, data))
    for (const [name, text] of Object.entries(files)) current.set(name, text)
    for (const [name, text] of current) writeFileSync(join(folder, data, name), text, { mode: 0o600 })
    symlinkSync(data, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    const there = new Set(readdirSync(folder))
    for (const name of current.keys()) if (!there.has(name)) symlinkSync(join('..data', name), join(folder, name))
  }
}

for (const [way, start] of WAYS) {
  void t.test(`${way}: every kind takes effect, and no connection is lost`, async (test) => {
    const folder = join(realm.folder, way.replaceAll(' ', '-'))
    const [before, after] = [await generation(), await generation()]
    const put = start(folder)
    put(before.files)
    const far = await startFar(test, before.upstream)
    const gate = await serve(test, folder, far.port)
    test.strictSame(await inForce(test, gate, before), all(true), 'before')
    const open = await dial(test, gate)
    test.equal((await open.ask('GET /before')).status, 200)
    const { session } = await handshake(gate)
    test.ok((await handshake(gate, session)).resumed, 'a session is resumed')

    await far.become(after.upstream)
    test.equal((await ask(test, gate, API, '/x'))?.reason, 'upstream-certificate', 'the upstream has another authority by now')
    put(after.files)
    await until(async () => (await handshake(gate)).shown === fingerprint(after.server), 'the new certificate')
    test.strictSame(await inForce(test, gate, after), all(true), 'after')
    test.match(await ask(test, gate, storageHost('blob'), token(before.accountKey, false)), { reason: 'sas-signature' }, 'the old key')
    test.match(await ask(test, gate, storageHost('blob'), token(before.delegationKey, true)), { status: 403 }, 'the old delegation key')
    test.equal(await ask(test, gate, storageHost('blob'), '/c/b', before.office), undefined, 'clients of the old authority')
    test.notOk((await handshake(gate, session)).resumed, 'the old ticket key')
    test.equal((await open.ask('GET /after')).status, 200, 'the connection from before')
    test.equal(await gate.metric('tidegate_config_generation'), 2, 'in one step')
    test.equal(await gate.metric('tidegate_config_reloads_total', { result: 'failure' }), 0)
  })
}

/** What is put, and the path that is at fault. */
const BROKEN: readonly (readonly [what: string, files: (good: Generation) => Files, path: string])[] = [
  ['half a certificate', ({ files }) => ({ 'server.pem': (files['server.pem'] ?? '').slice(0, 200) }), 'tls.certificates[0].cert'],
  ['a key that does not fit', () => ({ 'server.key': createPrivateKeyText() }), 'tls.certificates[0].key'],
  ['an empty authority', () => ({ 'offices.pem': '' }), 'tls.clients.ca'],
  ['a list that is none', () => ({ 'offices.crl': 'revoked: nobody' }), 'tls.clients.crl'],
  ['an account key that is not base64', () => ({ 'account.key': 'not base64!' }), `storage.accounts[0].keys[0]`],
  ['a delegation key without a value', () => ({ 'delegation.json': '{}' }), 'storage.accounts[0].userDelegationKeys[0]'],
  ['an authority of the upstream that is none', () => ({ 'upstream.pem': 'x' }), 'storage.accounts[0].blob.ca'],
  ['a client certificate for another key', ({ files }) => ({ 'client.key': files['server.key'] ?? '' }), 'apis[0].clientCertificate.key'],
  ['a ticket secret that is too short', () => ({ 'ticket-keys': 'c2hvcnQ=' }), 'tls.ticketKeys'],
]

function createPrivateKeyText(): string {
  return readFileSync(join(realm.folder, 'stray.key'), 'utf8')
}

void t.test('what cannot be used changes nothing: a line, a metric and /status say so, and nothing of it is shown', async (test) => {
  const stray = await realm.authority.issue({ names: ['stray.example'] })
  realm.write('stray.key', createPrivateKey(stray.key).export({ type: 'pkcs8', format: 'pem' }))
  const good = await generation()
  const put = swapping(join(realm.folder, 'broken'))
  put(good.files)
  const far = await startFar(test, good.upstream)
  const gate = await serve(test, join(realm.folder, 'broken'), far.port)
  const open = await dial(test, gate)
  for (const [what, files, path] of BROKEN) {
    const refused = await gate.metric('tidegate_config_reloads_total', { result: 'failure' })
    // With a good change beside it, of which nothing may be taken either.
    put({ ...good.files, 'account.key': randomBytes(64).toString('base64'), ...files(good) })
    await until(async () => await gate.metric('tidegate_config_reloads_total', { result: 'failure' }) === refused + 1, what)
    test.equal(await gate.metric('tidegate_config_last_reload_successful'), 0, what)
    const { configuration } = JSON.parse((await gate.admin('/status')).text) as { configuration: { generation: number; reloads: { result: string; faults: { path: string }[] }[] } }
    test.match(configuration, { generation: 1, reloads: [{ trigger: 'files', result: 'failure', faults: [{ path }] }] }, what)
    test.equal((await open.ask(`GET ${token(good.accountKey, false)}`)).status, 200, `${what}: the old key, on the connection from before`)
  }
  test.strictSame(await inForce(test, gate, good), all(true), 'all of the old state')
  await until(() => gate.lines('reload refused: the old configuration stays in force').length >= BROKEN.length, 'a line each')
  const told = gate.text.join('\n') + (await gate.admin('/status')).text
  for (const secret of ['server.key', 'client.key', 'account.key', 'ticket-keys'] as const) {
    const [, body = ''] = (good.files[secret] ?? '').split('\n')
    test.notOk(told.includes(body === '' ? good.files[secret] ?? '' : body), `nothing of ${secret}`)
  }
  put(good.files)
  await until(async () => await gate.metric('tidegate_config_last_reload_successful') === 1, 'the files to be as they were')
  test.equal(await gate.metric('tidegate_config_generation'), 1)
})
