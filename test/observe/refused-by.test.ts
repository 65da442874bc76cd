// Which address ranges are refused, and why: counted by range and reason, within bounds.
import t from 'tap'
import { RefusedBy, mergeRefused, rangeOf, type RefusedCount } from '../../src/observe/refused-by.ts'

const nth = (i: number): string => `10.${Math.floor(i / 256)}.${i % 256}.1`
const count = (change: Partial<RefusedCount> = {}): RefusedCount => ({ range: '192.0.2.0/24', reason: 'tls-version', count: 1, lastSeen: 1, ...change })

void t.test('an address counts for its /24 or /48, whatever its form', async (test) => {
  const ranges: readonly (readonly [address: string, range: string])[] = [
    ['192.0.2.7', '192.0.2.0/24'],
    ['255.255.255.255', '255.255.255.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:0DB8:0001::9', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8::/48'],
    ['2001::1', '2001::/48'],
    ['::1', '::/48'],
    ['::', '::/48'],
    ['0:0:7::1', '0:0:7::/48'],
    ['1:2:3:4:5:6:7::', '1:2:3::/48'],
    ['64:ff9b::192.0.2.7', '64:ff9b::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
    ['', 'unknown'],
    ['<b>', 'unknown'],
    ['1.2.3', 'unknown'],
  ]
  for (const [address, range] of ranges) test.equal(rangeOf(address), range, address)
})

void t.test('counted apart by range and reason, most first', async (test) => {
  const refused = new RefusedBy()
  refused.note('192.0.2.1', 'tls-version', 1)
  refused.note('192.0.2.200', 'tls-version', 5)
  refused.note('192.0.2.1', 'plaintext-http', 6)
  refused.note('198.51.100.1', 'tls-version', 7)
  test.strictSame(refused.list(), [count({ count: 2, lastSeen: 5 }), count({ range: '198.51.100.0/24', lastSeen: 7 }), count({ reason: 'plaintext-http', lastSeen: 6 })])
})

void t.test('a thousand at most: the longest unseen goes', async (test) => {
  const refused = new RefusedBy()
  for (let i = 0; i < 1000; i++) refused.note(nth(i), 'tls-version', i)
  refused.note(nth(0), 'tls-version', 1000)
  refused.note(nth(1000), 'tls-version', 1001)
  refused.note(nth(1), 'tls-version', 1002)
  test.equal(refused.list().length, 1000)
  test.strictSame(refused.list()[0], count({ range: '10.0.0.0/24', count: 2, lastSeen: 1000 }))
  test.equal(refused.list().find(({ range }) => range === '10.0.1.0/24')?.count, 1, 'it was forgotten and begins anew')
})

void t.test('several workers\' counts are added up, and what was given is not changed', async (test) => {
  const given = count({ lastSeen: 9 })
  test.strictSame(mergeRefused([[given], [], [count({ count: 3, lastSeen: 2 }), count({ reason: 'tls-aborted' })]]), [count({ count: 4, lastSeen: 9 }), count({ reason: 'tls-aborted' })])
  test.strictSame(given, count({ lastSeen: 9 }))
  test.strictSame(mergeRefused([]), [])
})
