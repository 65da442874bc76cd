// Who offers less than TLS 1.3: by address, within bounds, and added up over workers.
import t from 'tap'
import { Offers, mergeOffers, type ClientOffers } from '../../src/observe/offers.ts'

const note = (offered: string, serverName: string | null = 'a.example') => ({ offered, serverName })
const row = (change: Partial<ClientOffers> = {}): ClientOffers => ({ client: '192.0.2.1', offered: { 'tls1.2': 1 }, served: 0, negotiated: null, serverName: null, lastSeen: 1, ...change })

void t.test('an address stands there from its first hello below TLS 1.3', async (test) => {
  const offers = new Offers()
  offers.hello('192.0.2.1', note('tls1.3'), 1)
  offers.hello('192.0.2.1', note('none'), 1)
  test.strictSame(offers.list(), [])
  for (const [offered, now] of [['tls1.0', 2], ['tls1.3', 3], ['tls1.2', 4], ['tls1.0', 5], ['none', 6], ['tls1.3', 7]] as const) offers.hello('192.0.2.1', note(offered, `at-${now}.example`), now)
  test.strictSame(offers.list(), [row({ offered: { 'tls1.0': 2, 'tls1.3': 2, 'tls1.2': 1, none: 1 }, serverName: 'at-5.example', lastSeen: 5 })])
})

void t.test('handshakes below TLS 1.3 are counted, with the latest of them', async (test) => {
  const offers = new Offers()
  offers.completed('192.0.2.1', { version: 'TLSv1.2', suite: 'A', group: 'x25519' })
  offers.hello('192.0.2.1', note('tls1.2', null), 1)
  offers.completed('192.0.2.1', { version: 'TLSv1.2', suite: 'A', group: 'x25519' })
  offers.completed('192.0.2.1', { version: 'TLSv1.2', suite: 'B', group: 'secp256r1' })
  offers.completed('192.0.2.1', { version: 'TLSv1.3', suite: 'C', group: 'x25519' })
  test.strictSame(offers.list(), [row({ served: 2, negotiated: { version: 'TLSv1.2', suite: 'B', group: 'secp256r1' } })])
})

void t.test('a thousand at most: the longest unseen goes, whatever TLS 1.3 it offers', async (test) => {
  const offers = new Offers()
  for (let i = 0; i < 1000; i += 1) offers.hello(`client-${i}`, note('tls1.2'), i)
  offers.hello('client-0', note('ssl3'), 5000)
  offers.hello('client-1', note('tls1.3'), 5000)
  offers.hello('new', note('tls1.1'), 5001)
  const clients = offers.list().map(({ client }) => client)
  test.equal(clients.length, 1000)
  test.strictSame(clients.slice(0, 3), ['new', 'client-0', 'client-999'])
  test.notOk(clients.includes('client-1'))
})

void t.test('several workers\' rows are added up, the latest first, and bounded', async (test) => {
  const negotiated = { version: 'TLSv1.2', suite: 'A', group: 'x25519' }
  const merged = mergeOffers([[row({ lastSeen: 7, serverName: 'late.example' }), row({ client: 'x' })], [], [row({ offered: { 'tls1.2': 2, 'tls1.0': 3 }, served: 2, negotiated, serverName: 'early.example' })]])
  test.strictSame(merged, [row({ offered: { 'tls1.2': 3, 'tls1.0': 3 }, served: 2, negotiated, serverName: 'late.example', lastSeen: 7 }), row({ client: 'x' })])
  test.strictSame(mergeOffers([]), [])
  const many = (from: number): ClientOffers[] => Array.from({ length: 800 }, (_, i) => row({ client: `c${from + i}`, lastSeen: from + i }))
  test.strictSame(mergeOffers([many(0), many(800)]).map(({ lastSeen }) => lastSeen).slice(-2), [601, 600])
})

void t.test('what was given is not changed by adding up', async (test) => {
  const given = row()
  mergeOffers([[given], [row()]])
  test.strictSame(given, row())
})
