// A client that comes back resumes: each time, though it uses a ticket once only, whichever worker or replica answers, and
// under every name that the gateway has a certificate for. Sessions end with the day of their keys.
import { randomBytes } from 'node:crypto'
import { connect, type ConnectionOptions } from 'node:tls'
import t from 'tap'
import { serveGate, startGate, type Gate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const TIMES = 40
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const second = await realm.certificate('second', { names: ['second.example'] })

interface Visit {
  readonly resumed: boolean
  /** The last session that this connection brought, if any. */
  readonly ticket: Buffer | undefined
  /** The ticket in force at the end of the handshake, in TLS 1.2. */
  readonly inForce: Buffer | undefined
}

/** One connection with one request. */
function visit({ port }: Gate, options: ConnectionOptions): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const { servername = storageHost('blob') } = options
    let [ticket, inForce, resumed]: [Buffer | undefined, Buffer | undefined, boolean] = [undefined, undefined, false]
    const socket = connect({ host: '127.0.0.1', port, servername, ca: realm.authority.pem, ...options })
    socket.write(`GET /x HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`)
    socket.on('session', (session: Buffer) => (ticket = session))
    socket.on('secureConnect', () => {
      resumed = socket.isSessionReused()
      inForce = socket.getTLSTicket()
    })
    socket.on('error', reject)
    socket.resume()
    socket.on('close', () => resolve({ resumed, ticket, inForce }))
  })
}

/** How many of the visits after the first were resumed, by a client that takes each ticket once and always the newest. */
async function returns(gates: readonly Gate[], options: ConnectionOptions): Promise<number> {
  let session: Buffer | undefined
  let resumed = 0
  for (let i = 0; i <= TIMES; i++) {
    const gate = gates[i % gates.length]
    if (gate === undefined) break
    const seen = await visit(gate, { ...options, ...(session === undefined ? {} : { session }) })
    if (seen.resumed) resumed++
    // A ticket of TLS 1.2 is used again.
    session = seen.ticket ?? (options.maxVersion === 'TLSv1.2' ? session : undefined)
  }
  return resumed
}

void t.test('whichever worker answers, each visit after the first', async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, workers: 2 })
  for (const maxVersion of VERSIONS) test.equal(await returns([gate], { maxVersion }), TIMES, maxVersion)
  test.equal(await gate.metric('tidegate_tls_handshakes_total', { resumed: 'yes' }), 2 * TIMES)
  test.equal(await gate.metric('tidegate_tls_handshakes_total', { resumed: 'no' }), 2)
})

void t.test('whichever replica answers, where they share the secret', async (test) => {
  const ticketKeys = realm.write('ticket-keys', randomBytes(64).toString('base64'))
  const wish = { storage: { blob: upstream.port }, tls: { ticketKeys } }
  const replicas = [await serveGate(test, realm, wish), await serveGate(test, realm, wish)]
  for (const maxVersion of VERSIONS) test.equal(await returns(replicas, { maxVersion }), TIMES, maxVersion)
  const strangers = [await serveGate(test, realm, { storage: { blob: upstream.port } }), ...replicas.slice(1)]
  test.equal(await returns(strangers, { maxVersion: 'TLSv1.3' }), 0, 'and not where they do not')
})

void t.test('under a name with a certificate of its own', async (test) => {
  const gate = await startGate(test, realm, {
    apis: [{ name: 'second', host: 'second.example', upstream: `https://127.0.0.1:${upstream.port}`, ca: realm.caFile }],
    tls: { certificates: [await realm.certificate('first', { names: [storageHost('blob')] }), second].map(({ certFile, keyFile }) => ({ cert: certFile, key: keyFile })) },
  })
  for (const maxVersion of VERSIONS) test.equal(await returns([gate], { maxVersion, servername: 'second.example' }), TIMES, maxVersion)
})

void t.test('not with a ticket of keys that are gone', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port } })
  for (const maxVersion of VERSIONS) {
    const { ticket } = await visit(gate, { maxVersion })
    if (ticket === undefined) throw new Error('no ticket')
    test.ok((await visit(gate, { maxVersion, session: ticket })).resumed, `${maxVersion}: good at first`)
    gate.parts.tickets.take(randomBytes(48))
    const after = await visit(gate, { maxVersion, session: ticket })
    test.notOk(after.resumed, `${maxVersion}: void with the next keys`)
    test.ok(after.ticket, 'but served, and given another')
  }
})

void t.test('tickets are renewed in TLS 1.3 only, however the clients mix', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port } })
  const first = await Promise.all(VERSIONS.map((maxVersion) => visit(gate, { maxVersion })))
  const again = await Promise.all(Array.from({ length: TIMES }, (_, i) => {
    const session = first[i % 2]?.ticket
    return visit(gate, { maxVersion: VERSIONS[i % 2] ?? 'TLSv1.3', ...(session === undefined ? {} : { session }) })
  }))
  const [old, renewed] = [again.filter((_, i) => i % 2 === 0), again.filter((_, i) => i % 2 === 1)]
  test.ok(again.every(({ resumed }) => resumed))
  test.ok(old.every(({ inForce }) => inForce !== undefined && first[0]?.inForce?.equals(inForce) === true), 'TLS 1.2: the same ticket, which clients of OpenSSL go on using')
  test.equal(renewed.filter(({ ticket }) => ticket !== undefined).length, TIMES / 2, 'TLS 1.3: another for each')
})
