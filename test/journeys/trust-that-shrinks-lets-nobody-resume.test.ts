// Trust in client certificates changes while the gateway runs: new handshakes, old sessions and open connections of whoever
// lost it end, with keys of our own and with shared ones; a file that is broken changes nothing (security.md T6, M5 to M7).
import { randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority, type Issued } from '../support/authority.ts'
import { serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm, storageHost, type Realm } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const HOST = storageHost('blob')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const offices = await createAuthority({ name: 'Offices' })
const others = await createAuthority({ name: 'Other offices' })
const client = { names: ['office-1.example'], clientAuth: true }
const [stays, goes, foreign] = [await offices.issue(client), await offices.issue(client), await others.issue(client)]
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

/** As a careful tool writes: aside, then renamed over. */
function replace(name: string, text: string): void {
  writeFileSync(join(realm.folder, `${name}.new`), text, { mode: 0o600 })
  renameSync(join(realm.folder, `${name}.new`), join(realm.folder, name))
}

/** Trust as it is at first. */
async function trustAll(): Promise<void> {
  replace('offices.pem', offices.pem)
  replace('offices.crl', await offices.revoke([]))
}

function serve(test: Test, clients: object = {}, tls: object = {}, where: Realm = realm): Promise<GateProcess> {
  const paths = { ca: join(realm.folder, 'offices.pem'), crl: join(realm.folder, 'offices.crl') }
  return serveGate(test, where, { storage: { blob: upstream.port }, tls: { clients: { verify: 'required', ...paths, ...clients }, ...tls } })
}

const shows = ({ cert, key }: Issued): ConnectionOptions => ({ cert, key })

/** Status of one request and whether its connection was resumed; `closed` without a reply. */
function ask(gate: GateProcess, who: Issued | undefined, options: ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: gate.port, servername: HOST, ca: realm.authority.pem, ...(who === undefined ? {} : shows(who)), ...options })
    socket.write(`GET /x HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
    let [text, resumed] = ['', false]
    socket.on('secureConnect', () => (resumed = socket.isSessionReused()))
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text === '' ? 'closed' : `${text.slice(9, 12)}${resumed ? ' resumed' : ''}`))
  })
}

/** A session of this client that can be resumed. */
async function sessionOf(test: Test, gate: GateProcess, who: Issued, maxVersion: typeof VERSIONS[number]): Promise<Buffer> {
  const one = await dial(test, gate, { ...shows(who), maxVersion })
  // Tickets of TLS 1.3 come before the reply.
  test.equal((await one.ask('GET /session')).status, 200)
  const session = one.socket.getSession() ?? Buffer.alloc(0)
  one.close()
  return session
}

type Sessions = Readonly<Record<typeof VERSIONS[number], Buffer>>

async function sessionsOf(test: Test, gate: GateProcess, who: Issued): Promise<Sessions> {
  return { 'TLSv1.2': await sessionOf(test, gate, who, 'TLSv1.2'), 'TLSv1.3': await sessionOf(test, gate, who, 'TLSv1.3') }
}

async function answers(gate: GateProcess, who: Issued, sessions?: Sessions): Promise<string[]> {
  return Promise.all(VERSIONS.map((maxVersion) => ask(gate, who, { maxVersion, ...(sessions === undefined ? {} : { session: sessions[maxVersion] }) })))
}

const generation = (gate: GateProcess, number: number): Promise<void> => until(async () => await gate.metric('tidegate_config_generation') === number, `generation ${number}`)

for (const shared of [false, true]) {
  void t.test(`${shared ? 'shared ticket keys' : 'keys of our own'}: after a new list or another authority old sessions and new handshakes are refused, others are served`, async (test) => {
    await trustAll()
    realm.write('ticket-keys', randomBytes(64).toString('base64'))
    const gate = await serve(test, {}, shared ? { ticketKeys: join(realm.folder, 'ticket-keys') } : {})
    const [before, kept] = [await sessionsOf(test, gate, goes), await sessionsOf(test, gate, stays)]
    test.strictSame(await answers(gate, goes, before), ['200 resumed', '200 resumed'])

    replace('offices.crl', await offices.revoke([goes.cert]))
    await generation(gate, 2)
    test.strictSame(await answers(gate, goes, before), ['closed', 'closed'], 'an old session')
    test.strictSame(await answers(gate, goes), ['closed', 'closed'], 'a new handshake')
    test.strictSame(await answers(gate, stays, kept), ['200', '200'], 'others, by a whole handshake')
    const later = await sessionsOf(test, gate, stays)
    test.strictSame(await answers(gate, stays, later), ['200 resumed', '200 resumed'])

    replace('offices.crl', await others.revoke([]))
    replace('offices.pem', others.pem)
    await until(async () => (await ask(gate, foreign)).startsWith('200'), 'the other authority')
    test.strictSame(await answers(gate, stays, later), ['closed', 'closed'])
    test.strictSame(await answers(gate, stays), ['closed', 'closed'])
  })
}

void t.test('replicas that share the secret resume each other\'s sessions while they trust the same; without it nobody does', async (test) => {
  await trustAll()
  realm.write('ticket-keys', randomBytes(48).toString('base64'))
  const second = await createRealm(test)
  second.write('ca.pem', realm.authority.pem)
  const sharing = { ticketKeys: join(realm.folder, 'ticket-keys') }
  const own = { certificates: [await second.certificate('own', { names: [HOST] }, realm.authority)].map(({ certFile: cert, keyFile: key }) => ({ cert, key })) }
  const one = await serve(test, {}, sharing)
  const sessions = await sessionsOf(test, one, stays)
  const like = await serve(test, {}, { ...sharing, ...own }, second)
  test.strictSame(await answers(like, stays, sessions), ['200 resumed', '200 resumed'])
  await like.stop()
  const stricter = await serve(test, { allow: ['DNS:office-1.example'] }, { ...sharing, ...own }, second)
  test.strictSame(await answers(stricter, stays, sessions), ['200', '200'], 'other rules')
  await stricter.stop()
  const alone = await serve(test, {}, own, second)
  test.strictSame(await answers(alone, stays, sessions), ['200', '200'], 'random keys')
})

const BROKEN: [file: string, what: string, text: string][] = [
  ['offices.pem', 'empty', ''], ['offices.pem', 'no certificate', 'nothing\n'], ['offices.pem', 'half a certificate', offices.pem.slice(0, 200)], ['offices.pem', 'garbage in PEM', offices.pem.replace(/\n[A-Za-z0-9+/]/, '\n!')],
  ['offices.crl', 'empty', ''], ['offices.crl', 'no list', 'nothing\n'], ['offices.crl', 'half a list', '-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n'],
]

const REFUSED = 'reload refused: the old configuration stays in force'

void t.test('a broken or empty trust file changes nothing, lets nobody in, and is told', async (test) => {
  await trustAll()
  const gate = await serve(test)
  replace('offices.crl', await offices.revoke([goes.cert]))
  await generation(gate, 2)
  const sound = { 'offices.pem': offices.pem, 'offices.crl': await offices.revoke([goes.cert]) } as Record<string, string>
  for (const [file, what, text] of BROKEN) {
    const told = gate.lines(REFUSED).length
    const failures = await gate.metric('tidegate_config_reloads_total', { result: 'failure' })
    replace(file, text)
    await until(async () => await gate.metric('tidegate_config_reloads_total', { result: 'failure' }) > failures, `${file} ${what} to be told`)
    test.strictSame(await Promise.all([ask(gate, stays), ask(gate, goes), ask(gate, foreign), ask(gate, undefined)]), ['200', 'closed', 'closed', 'closed'], `${file} ${what}`)
    const path = file === 'offices.pem' ? 'tls.clients.ca' : 'tls.clients.crl'
    await until(() => gate.lines(REFUSED).length > told, 'the line')
    test.match(gate.lines(REFUSED).at(-1), { level: 'error', faults: [{ path }] }, `${file} ${what}`)
    replace(file, sound[file] ?? '')
    await until(async () => await gate.metric('tidegate_config_last_reload_successful') === 1, 'the sound file')
  }
})

/** A request whose reply has begun and does not end until `finish` is called. */
async function busy(test: Test, gate: GateProcess): Promise<{ open: Client; finish: () => void }> {
  const finish = Promise.withResolvers<undefined>()
  upstream.script(async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab')
    await finish.promise
    await turn.write('cd')
  })
  const open = await dial(test, gate, shows(goes))
  const head = `GET /slow HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
  open.expect(head)
  await open.send(head)
  await open.head()
  upstream.script(ok)
  return { open, finish: () => finish.resolve(undefined) }
}

void t.test('connections that are open at the change: idle ones end, a reply under way ends whole and then its connection, those without a certificate stay', async (test) => {
  await trustAll()
  const gate = await serve(test, { verify: 'optional' })
  const idle = await dial(test, gate, shows(goes))
  test.equal((await idle.ask('GET /before')).status, 200)
  const nobody = await dial(test, gate)
  test.equal((await nobody.ask('GET /before')).status, 200)
  const { open, finish } = await busy(test, gate)
  replace('offices.crl', await offices.revoke([goes.cert]))
  await generation(gate, 2)
  await idle.ended()
  await pause(50)
  test.equal(open.ending, undefined, 'the reply is not cut')
  finish()
  const reply = await open.reply()
  test.equal(reply.body.toString(), 'abcd')
  await open.ended()
  test.equal((await nobody.ask('GET /after')).status, 200)
})
