// Who still hands out tokens that would work over plain http: counted by account, kind, key and client, within bounds.
import t from 'tap'
import { Issuers, mergeIssuers, type IssuerCount } from '../../src/observe/issuers.ts'

const count = (change: Partial<IssuerCount> = {}): IssuerCount => ({ account: 'a', kind: 'service', slot: 'key1', client: '192.0.2.1', open: 1, httpsOnly: 0, lastSeen: 1, ...change })

void t.test('counted apart by account, kind, key and client', async (test) => {
  const issuers = new Issuers()
  issuers.note('a', 'service', 'key1', '192.0.2.1', false, 1)
  issuers.note('a', 'service', 'key1', '192.0.2.1', true, 5)
  issuers.note('a', 'service', 'key1', '192.0.2.1', false, 3)
  for (const [account, kind, slot, client] of [['b', 'service', 'key1', '192.0.2.1'], ['a', 'account', 'key1', '192.0.2.1'], ['a', 'service', 'key2', '192.0.2.1'], ['a', 'service', null, '192.0.2.1'], ['a', 'service', 'key1', '192.0.2.2']] as const) issuers.note(account, kind, slot, client, true, 9)
  const [first, ...rest] = issuers.list()
  test.strictSame(first, count({ open: 2, httpsOnly: 1, lastSeen: 3 }))
  test.equal(rest.length, 5)
  for (const own of rest) test.match(own, { open: 0, httpsOnly: 1, lastSeen: 9 })
})

void t.test('those with most open tokens come first', async (test) => {
  const issuers = new Issuers()
  for (const [client, times] of [['one', 1], ['three', 3], ['two', 2]] as const) for (let i = 0; i < times; i += 1) issuers.note('a', 'account', 'key1', client, false, i)
  test.strictSame(issuers.list().map(({ client }) => client), ['three', 'two', 'one'])
})

void t.test('a thousand at most: the longest unseen go', async (test) => {
  const issuers = new Issuers()
  for (let i = 0; i < 1000; i += 1) issuers.note('a', 'service', 'key1', `client-${i}`, false, i)
  issuers.note('a', 'service', 'key1', 'client-0', true, 5000)
  issuers.note('a', 'service', 'key1', 'new', false, 5001)
  const clients = new Set(issuers.list().map(({ client }) => client))
  test.ok(clients.size <= 1000 && clients.size > 800, String(clients.size))
  test.ok(clients.has('new') && clients.has('client-0'))
  test.notOk(clients.has('client-1'), 'the one that was not seen for longest')
})

void t.test('several workers\' counts are added up', async (test) => {
  const merged = mergeIssuers([[count({ lastSeen: 7 }), count({ client: 'x', open: 9 })], [], [count({ open: 2, httpsOnly: 3 })], [count({ slot: null, open: 0 })]])
  test.strictSame(merged, [count({ client: 'x', open: 9 }), count({ open: 3, httpsOnly: 3, lastSeen: 7 }), count({ slot: null, open: 0 })])
  test.strictSame(mergeIssuers([]), [])
})

void t.test('a thousand at most of several workers too, those with most open tokens', async (test) => {
  const lists = [1, 2].map((worker) => Array.from({ length: 800 }, (_, i) => count({ client: `${worker} ${i}`, open: i })))
  const merged = mergeIssuers(lists)
  test.equal(merged.length, 1000)
  test.ok(merged.every(({ open }) => open >= 300))
})

void t.test('what was given is not changed by adding up', async (test) => {
  const given = count()
  mergeIssuers([[given], [count()]])
  test.strictSame(given, count())
})
