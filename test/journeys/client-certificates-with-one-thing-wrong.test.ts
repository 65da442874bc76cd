// Client certificates that are sound but for one thing: each is refused and counted with its reason, in both versions,
// where certificates are required and where they are optional; no byte of an application goes either way (security.md M1 to M4).
import { connect, type ConnectionOptions } from 'node:tls'
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { odd, type Hand } from '../support/odd-certificates.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { revocationList } from '../support/revocation.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const HOST = storageHost('blob')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

const NAME = 'Offices'
const offices = await odd({ name: NAME, authority: true })
const middle = await odd({ name: 'Middle', by: offices, authority: true })
const revokedMiddle = await odd({ name: 'Revoked', by: offices, authority: true })
const narrow = await odd({ name: 'Narrow', by: offices, authority: true, permitted: 'office.example' })
const flat = await odd({ name: 'Flat', by: offices, authority: 0 })
const deep = await odd({ name: 'Deep', by: flat, authority: true })
const weakMiddle = await odd({ name: 'Weak', by: offices, authority: true, key: 'rsa1024' })
const sha1Middle = await odd({ name: 'SHA-1', by: offices, authority: true, hash: 'SHA-1' })
const leaf = await odd({ name: 'office', by: offices })
const revoked = await odd({ name: 'revoked', by: offices })
const stranger = await odd({ name: 'Strangers', authority: true })
const namesake = await odd({ name: NAME, authority: true, bare: true })

type Shown = Pick<ConnectionOptions, 'cert' | 'key'>
/** The leaf first; its key. */
const shown = (...chain: Hand[]): Shown => ({ cert: chain.map(({ pem }) => pem).join(''), key: chain[0]?.key ?? '' })
const hour = (hours: number): Date => new Date(Date.now() + hours * 3_600_000)

const SOUND: Record<string, Shown> = {
  'of the authority itself': shown(leaf),
  'below an intermediate': shown(await odd({ name: 'x', by: middle }), middle),
  'inside name constraints': shown(await odd({ name: 'x', by: narrow, alternative: [{ type: 'dns', value: 'a.office.example' }] }), narrow),
  'as deep as allowed': shown(await odd({ name: 'x', by: flat }), flat),
  'RSA of 2048 bits': shown(await odd({ name: 'x', by: offices, key: 'rsa2048' })),
}
const WRONG: [what: string, shown: Shown | undefined, reason: string][] = [
  ['foreign', shown(await odd({ name: 'x', by: stranger })), 'client-cert-untrusted'],
  ['foreign, with its authority', shown(await odd({ name: 'x', by: stranger }), stranger), 'client-cert-untrusted'],
  ['expired', shown(await odd({ name: 'x', by: offices, notBefore: hour(-48), notAfter: hour(-1) })), 'client-cert-expired'],
  ['early', shown(await odd({ name: 'x', by: offices, notBefore: hour(1), notAfter: hour(48) })), 'client-cert-expired'],
  ['revoked', shown(revoked), 'client-cert-revoked'],
  ['below a revoked intermediate', shown(await odd({ name: 'x', by: revokedMiddle }), revokedMiddle), 'client-cert-revoked'],
  ['for servers', shown(await odd({ name: 'x', by: offices, purpose: 'server' })), 'client-cert-purpose'],
  ['a weak key', shown(await odd({ name: 'x', by: offices, key: 'rsa1024' })), 'client-cert-weak'],
  ['below a weak key', shown(await odd({ name: 'x', by: weakMiddle }), weakMiddle), 'client-cert-weak'],
  ['SHA-1', shown(await odd({ name: 'x', by: offices, hash: 'SHA-1' })), 'client-cert-weak'],
  ['below SHA-1', shown(await odd({ name: 'x', by: sha1Middle }), sha1Middle), 'client-cert-weak'],
  ['outside name constraints', shown(await odd({ name: 'x', by: narrow }), narrow), 'client-cert-untrusted'],
  ['too deep', shown(await odd({ name: 'x', by: deep }), deep, flat), 'client-cert-untrusted'],
  ['issued by a leaf', shown(await odd({ name: 'x', by: leaf }), leaf), 'client-cert-untrusted'],
  ['below an intermediate that is not shown', shown(await odd({ name: 'x', by: middle })), 'client-cert-untrusted'],
  ['signed by itself', shown(await odd({ name: 'x' })), 'client-cert-untrusted'],
]
const NAMESAKES: [what: string, shown: Shown][] = [
  ['signed by itself', shown(await odd({ name: NAME }))],
  ['signed by itself, without key identifiers', shown(await odd({ name: NAME, bare: true }))],
  ['signed by itself, RSA', shown(await odd({ name: NAME, bare: true, key: 'rsa2048' }))],
  ['foreign', shown(await odd({ name: NAME, by: stranger }))],
  ['issued by a namesake', shown(await odd({ name: 'x', by: namesake, bare: true }))],
  ['issued by a namesake that is shown', shown(await odd({ name: 'x', by: namesake, bare: true }), namesake)],
]

realm.write('offices.pem', offices.pem)
const authorities = [offices, middle, revokedMiddle, narrow, flat, deep, weakMiddle, sha1Middle]
const lists = await Promise.all(authorities.map((by) => revocationList(by, by === offices ? [revoked, revokedMiddle] : [])))
realm.write('offices.crl', lists.join(''))

/** What a client gets that shows this; the client itself takes any strength. */
function attempt(port: number, shows: Shown | undefined, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, servername: HOST, ca: realm.authority.pem, maxVersion, ciphers: 'DEFAULT:@SECLEVEL=0', ...shows })
    socket.write(`GET /x HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text.slice(0, 12)))
  })
}

for (const verify of ['required', 'optional'] as const) {
  for (const crl of [true, false]) {
    const how = `${verify}, ${crl ? 'with' : 'without'} revocation lists`
    void t.test(`${how}: what is sound passes, all else is closed without a byte, each counted once with its reason`, async (test) => {
      const gate = await startGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify, ca: 'offices.pem', ...(crl ? { crl: 'offices.crl' } : {}) } } })
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const [what, sound] of Object.entries(SOUND)) test.equal(await attempt(gate.port, sound, maxVersion), 'HTTP/1.1 200', `${maxVersion} ${what}`)
        const requests = upstream.seen.length
        const rows = [...WRONG.filter(([, , reason]) => crl || reason !== 'client-cert-revoked'), ...NAMESAKES.map(([what, it]) => [`the authority's name, ${what}`, it, 'client-cert-untrusted'] as const)]
        if (verify === 'required') rows.push(['none', undefined, 'client-cert-missing'])
        for (const [what, it, reason] of rows) {
          const lines = gate.lines('refused').length
          test.equal(await attempt(gate.port, it, maxVersion), '', `${maxVersion} ${what}: not a byte`)
          await until(() => gate.lines('refused').length > lines, 'the line')
          test.match(gate.lines('refused').slice(lines), [{ stage: 'handshake', reason, client: '127.0.0.1', offered: maxVersion.toLowerCase().replace('v', ''), serverName: HOST, suites: Array, groups: Array, code: String }], `${maxVersion} ${what}`)
        }
        test.equal(upstream.seen.length, requests, 'nothing went up')
      }
      test.equal(await gate.metric('tidegate_refusals_total'), gate.lines('refused').length, 'each counted once')
      test.equal(await gate.metric('tidegate_refusals_total', { stage: 'http' }), 0)
    })
  }
}

void t.test('800 certificates in a chain: refused, and the next client is served', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify: 'optional', ca: 'offices.pem' } } })
  const { cert, key } = shown(leaf, ...Array.from({ length: 799 }, () => middle))
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const refused = await gate.metric('tidegate_refusals_total', { stage: 'handshake' })
    test.equal(await attempt(gate.port, { cert, key }, maxVersion), '')
    await until(async () => await gate.metric('tidegate_refusals_total', { stage: 'handshake' }) === refused + 1, 'the refusal')
    test.equal((await askOnce(test, gate, 'GET /x')).status, 200)
  }
})

const ALLOWED = 'spiffe://tide/office-1'
const PRETENDERS: [what: string, wish: Parameters<typeof odd>[0]][] = [
  ['the common name', { name: `URI:${ALLOWED}`, by: offices }],
  ['a longer name', { name: 'x', by: offices, alternative: [{ type: 'url', value: `${ALLOWED}1` }] }],
  ['a shorter name', { name: 'x', by: offices, alternative: [{ type: 'url', value: ALLOWED.slice(0, -1) }] }],
  ['another case', { name: 'x', by: offices, alternative: [{ type: 'url', value: ALLOWED.toUpperCase() }] }],
  ['as a DNS name', { name: 'x', by: offices, alternative: [{ type: 'dns', value: ALLOWED }] }],
  ['as an address for mail', { name: 'x', by: offices, alternative: [{ type: 'email', value: ALLOWED }] }],
  ['written into another name', { name: 'x', by: offices, alternative: [{ type: 'dns', value: `a.example, URI:${ALLOWED}` }] }],
  ['the start of another name', { name: 'x', by: offices, alternative: [{ type: 'url', value: `${ALLOWED}\u0000.evil.example` }] }],
]

void t.test('identity comes from the SAN alone, whole and exact', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify: 'required', ca: 'offices.pem', allow: [`URI:${ALLOWED}`] } } })
  const own = await odd({ name: 'x', by: offices, alternative: [{ type: 'dns', value: 'a.example' }, { type: 'url', value: ALLOWED }] })
  test.equal(await attempt(gate.port, shown(own), 'TLSv1.3'), 'HTTP/1.1 200')
  const requests = upstream.seen.length
  for (const [what, wish] of PRETENDERS) test.equal(await attempt(gate.port, shown(await odd(wish)), 'TLSv1.3'), 'HTTP/1.1 403', what)
  test.equal(upstream.seen.length, requests)
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'client-not-allowed' }), PRETENDERS.length)
})

void t.test('a certificate that ends while its connection is open, or before its session is resumed, passes no more', async (test) => {
  let ahead = 0
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify: 'required', ca: 'offices.pem' } }, clock: () => Date.now() + ahead })
  const brief = shown(await odd({ name: 'x', by: offices, notAfter: hour(1) }))
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    ahead = 0
    const open = await dial(test, gate, { ...brief, maxVersion })
    test.equal((await open.ask('GET /x')).status, 200)
    const session = open.socket.getSession() ?? Buffer.alloc(0)
    ahead = 3 * 3_600_000
    const late = await open.ask('GET /x')
    test.match([late.status, late.header('x-tidegate-reason')], [403, 'client-not-allowed'], maxVersion)
    const resumed = await dial(test, gate, { ...brief, maxVersion, session })
    test.ok(resumed.socket.isSessionReused())
    test.equal((await resumed.ask('GET /x')).status, 403)
  }
  test.match(gate.lines('request').at(-1), { refusal: { why: 'expired' } })
})

void t.test('a bundle may hold several authorities, and lists of some alone refuse the others', async (test) => {
  realm.write('bundle.pem', offices.pem + stranger.pem)
  const [own, theirs] = [shown(leaf), shown(await odd({ name: 'x', by: stranger }))]
  const both = await startGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify: 'required', ca: 'bundle.pem' } } })
  for (const it of [own, theirs]) test.equal(await attempt(both.port, it, 'TLSv1.3'), 'HTTP/1.1 200')
  const listed = await startGate(test, realm, { storage: { blob: upstream.port }, tls: { clients: { verify: 'required', ca: 'bundle.pem', crl: 'offices.crl' } } })
  test.equal(await attempt(listed.port, own, 'TLSv1.3'), 'HTTP/1.1 200')
  test.equal(await attempt(listed.port, theirs, 'TLSv1.3'), '', 'with lists every authority needs one')
})
