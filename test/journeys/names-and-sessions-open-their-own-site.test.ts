// Which site a connection opens: odd server names, names in odd spelling, sessions of another site, and open sites beside
// guarded ones (security.md T6, N1, N3, N5).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority, type Issued } from '../support/authority.ts'
import { far, startGate, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { ok, startUpstream } from '../support/upstream.ts'
import { within } from '../support/until.ts'
import { answerTo } from '../tls/answer.ts'
import { hello, opensslMissing } from '../tls/hello.ts'

const HOST = storageHost('blob')
const QUEUE = storageHost('queue')
const GUARDED = 'payroll.localhost'
const OPEN = 'open.localhost'
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const offices = await createAuthority({ name: 'Offices' })
const named = await offices.issue({ names: ['office-1.example'], clientAuth: true })
const other = await offices.issue({ names: ['office-2.example'], clientAuth: true })
realm.write('offices.pem', offices.pem)
const certificates = [
  await realm.certificate('storage', { names: [HOST, QUEUE, OPEN] }),
  await realm.certificate('guarded', { names: [GUARDED], key: 'rsa2048' }),
].map(({ certFile: cert, keyFile: key }) => ({ cert, key }))
const api = (name: string, host: string, rules: object = {}): object => ({ name, host, upstream: far(realm, upstreamHost('blob'), upstream.port), ...rules })
const gate = await startGate(t, realm, {
  storage: { blob: upstream.port, queue: upstream.port },
  apis: [api('payroll', GUARDED, { clients: { verify: 'required', allow: ['DNS:office-1.example'] } }), api('open', OPEN)],
  tls: { certificates, clients: { verify: 'none', ca: 'offices.pem' } },
})

/** Status, and the reason of a refusal, of one request. */
async function ask(test: Test, host: string, options: ConnectionOptions, where: GateHere = gate): Promise<string> {
  const client = await dial(test, where, { checkServerIdentity: () => undefined, ...options })
  const reply = await client.ask('GET /c/b', [`Host: ${host}`])
  client.close()
  return [String(reply.status), reply.header('x-tidegate-reason')].filter((part) => part !== undefined).join(' ')
}

const shows = (who: Issued | undefined): ConnectionOptions => (who === undefined ? {} : { cert: who.cert, key: who.key })

/** A session of this name, and whether it can be resumed under it. */
async function sessionOf(test: Test, servername: string, maxVersion: typeof VERSIONS[number], who?: Issued): Promise<Buffer> {
  const client = await dial(test, gate, { servername, maxVersion, checkServerIdentity: () => undefined, ...shows(who) })
  // Tickets of TLS 1.3 come before the reply.
  await client.ask('GET /c/b', [`Host: ${servername}`])
  const session = client.socket.getSession() ?? Buffer.alloc(0)
  client.close()
  const again = await dial(test, gate, { servername, maxVersion, session, checkServerIdentity: () => undefined, ...shows(who) })
  test.ok(again.socket.isSessionReused(), `${maxVersion} ${servername} resumes`)
  again.close()
  return session
}

/** The request of a client that takes any server name: openssl's. */
async function byOpenssl(name: string, host: string): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-servername', name, '-quiet'])
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  child.stdin.write(`GET /c/b HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  await within(once(child, 'close'), 'the end of openssl')
  return said.slice(9, 12)
}

void t.test('unknown, odd and numeric server names: the default certificate and then 421, nothing is sent upstream', { skip: opensslMissing }, async (test) => {
  const requests = upstream.seen.length
  for (const name of ['127.0.0.1', '[::1]', '::1', '192.0.2.1', 'nobody.example', 'a..b', '-', 'xn--a', '*.localhost', 'localhost', `x${HOST}`, HOST.slice(0, -1), `${HOST}x`]) {
    test.equal(await byOpenssl(name, HOST), '421', `${name}, our Host`)
    test.match(await byOpenssl(name, name), /^4(?:21|00)$/, `${name}, the same Host`)
  }
  test.equal(upstream.seen.length, requests)
})

void t.test('server names that are none: an alert, or a hello and no more', async (test) => {
  const offer = { suites: [0x1301], versions: [0x0304], groups: [0x001d], keyShares: [0x001d], signatures: [0x0403, 0x0804] }
  for (const name of ['a\0b', `${HOST}\0`, 'x'.repeat(256), 'x'.repeat(4000)]) test.equal((await answerTo(test, gate.port, hello({ ...offer, serverName: name }))).alert, '2/112', 'unrecognized_name')
  for (const name of ['', '.', ' ', 'ä', '\r\n', '"', '%00', `${HOST}/`]) {
    const { alert, serverHello } = await answerTo(test, gate.port, hello({ ...offer, serverName: name }))
    test.ok(serverHello !== undefined || (alert ?? '').startsWith('2/'), JSON.stringify(name))
  }
})

void t.test('names compare without case, with a port, and with one trailing dot, on either side', async (test) => {
  const upper = HOST.toUpperCase()
  for (const [servername, host] of [[upper, HOST], [HOST, upper], [HOST, `${HOST}:443`], [HOST, `${upper}:8443`], [HOST, `${HOST}.`], [HOST, `${HOST}.:443`], [`${HOST}.`, HOST], [`${HOST}.`, `${HOST}.`], ['', upper], ['', `${HOST}.`]] as const) {
    test.equal(await ask(test, host, { servername }), '200', `${servername}, ${host}`)
  }
  const requests = upstream.seen.length
  for (const host of [`${HOST}..`, `.${HOST}`, `${HOST}:`, `${HOST}:x`, `${HOST}:70000`, `${HOST} `, `${HOST}, ${HOST}`, `x@${HOST}`, `${HOST}/`, `${HOST}%2e`]) {
    test.match(await ask(test, host, { servername: HOST }), /^(?:4\d\d |200$)/, host)
  }
  for (const { headers } of upstream.seen.slice(requests)) test.match(headers.find(([name]) => /^host$/i.test(name))?.[1], /^tideoffice\.blob\.upstream\.example/, 'whatever the Host, ours is sent upstream')
})

void t.test('a session resumes under its own name only, and a ticket lives for a day at most', { skip: opensslMissing }, async (test) => {
  for (const maxVersion of VERSIONS) {
    const session = await sessionOf(test, HOST, maxVersion)
    for (const servername of [QUEUE, OPEN, GUARDED, 'nobody.example', '']) {
      const client = await dial(test, gate, { servername, maxVersion, session, checkServerIdentity: () => undefined })
      test.notOk(client.socket.isSessionReused(), `${maxVersion} ${servername}`)
      client.close()
    }
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-servername', HOST, maxVersion === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'])
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
    child.stdin.write(`GET /c/b HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
    await within(once(child, 'close'), 'the end of openssl')
    const hints = [...said.matchAll(/ticket lifetime hint: (\d+)/g)].map(([, seconds]) => Number(seconds))
    test.ok(hints.length > 0 && hints.every((seconds) => seconds > 0 && seconds <= 86_400), hints.join(' '))
  }
})

void t.test('neither a session nor the server name of an open site opens a guarded one', async (test) => {
  for (const maxVersion of VERSIONS) {
    for (const who of [undefined, other]) {
      const session = await sessionOf(test, OPEN, maxVersion, who)
      const requests = upstream.seen.length
      test.equal(await ask(test, GUARDED, { servername: GUARDED, maxVersion, session, ...shows(who) }), '403 client-not-allowed', 'the session of the open site')
      test.equal(await ask(test, GUARDED, { servername: OPEN, maxVersion, session, ...shows(who) }), '421 host-not-sni', 'resumed under its own name')
      test.equal(await ask(test, GUARDED, { servername: OPEN, maxVersion, ...shows(who) }), '421 host-not-sni', 'the name of the open site')
      test.equal(await ask(test, GUARDED, { servername: '', maxVersion, ...shows(who) }), '403 client-not-allowed', 'no server name')
      test.equal(await ask(test, GUARDED, { servername: 'nobody.example', maxVersion, ...shows(who) }), '421 host-not-sni', 'a name of nobody')
      test.equal(upstream.seen.length, requests, 'nothing is sent upstream')
    }
    const session = await sessionOf(test, OPEN, maxVersion, named)
    test.equal(await ask(test, GUARDED, { servername: OPEN, maxVersion, session, ...shows(named) }), '421 host-not-sni', 'even of one who may')
    test.equal(await ask(test, GUARDED, { servername: GUARDED, maxVersion, ...shows(named) }), '200')
    test.equal(await ask(test, OPEN, { servername: OPEN, maxVersion }), '200')
    const own = await sessionOf(test, GUARDED, maxVersion, named)
    test.equal(await ask(test, GUARDED, { servername: GUARDED, maxVersion, session: own }), '200', 'its own session keeps who showed the certificate')
  }
})
