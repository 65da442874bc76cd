// The arithmetic against a second implementation that knows no numbers: an address is its bits as text, and two networks
// overlap where one's bits begin with the other's.
import { BlockList, isIPv6 } from 'node:net'
import t from 'tap'
import { addressText, contains, networksOf, networkText, overlap, readRange, type Range } from '../../src/network/ranges.ts'

const rangeOf = (text: string): Range => {
  const range = readRange(text)
  if (range === undefined) throw new Error(text)
  return range
}

/** A generator of numbers that is the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor(state / 2_147_483_648 * below)
  }
}

interface Sample { readonly text: string; readonly bits: string }

/** A network of few different bits, so that many overlap. */
function sample(next: (below: number) => number, six: boolean): Sample {
  const bytes = Array.from({ length: six ? 16 : 4 }, (_, i) => (i === 0 ? [10, 0x20][next(2)] : [0, 0, 1, 128, 255][next(5)]) ?? 0)
  const length = next((six ? 128 : 32) + 1)
  const address = six ? Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) * 256 + (bytes[i * 2 + 1] ?? 0)).toString(16)).join(':') : bytes.join('.')
  return { text: `${address}/${length}`, bits: bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('').slice(0, length) }
}

void t.test('overlap and contains agree with prefixes of bits, in both families', async (test) => {
  const next = numbers(17)
  let overlapping = 0
  for (let i = 0; i < 4000; i++) {
    const six = i % 2 === 0
    const [a, b] = [sample(next, six), sample(next, six)]
    const [one, other] = [rangeOf(a.text), rangeOf(b.text)]
    const expected = a.bits.startsWith(b.bits) || b.bits.startsWith(a.bits)
    if (expected) overlapping++
    if (overlap(one, other) !== expected || overlap(other, one) !== expected) test.fail(`overlap of ${a.text} and ${b.text}`)
    if (contains(one, other) !== b.bits.startsWith(a.bits)) test.fail(`${a.text} contains ${b.text}`)
  }
  test.ok(overlapping > 300 && overlapping < 3700, `${overlapping} of 4000 overlap`)
})

void t.test('first and last address agree with BlockList of Node', async (test) => {
  const next = numbers(4)
  for (let i = 0; i < 400; i++) {
    const { text } = sample(next, i % 2 === 0)
    const { first, last, bits } = rangeOf(text)
    const [address = '', length] = text.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    const list = new BlockList()
    list.addSubnet(address, Number(length), family)
    const holds = (value: bigint): boolean => list.check(addressText(value, bits), family)
    const most = (1n << BigInt(bits)) - 1n
    const right = holds(first) && holds(last) && (first === 0n || !holds(first - 1n)) && (last === most || !holds(last + 1n))
    if (!right) test.fail(text)
  }
})

void t.test('families have nothing in common, but for IPv4 in IPv6 notation', async (test) => {
  test.notOk(overlap(rangeOf('0.0.0.0/0'), rangeOf('::/0')))
  test.ok(overlap(rangeOf('10.0.0.0/8'), rangeOf('::ffff:10.1.2.3')))
  test.ok(overlap(rangeOf('::ffff:10.0.0.0/104'), rangeOf('10.255.255.255')))
  test.notOk(overlap(rangeOf('::ffff:10.0.0.0/104'), rangeOf('11.0.0.0')))
})

void t.test('what is read, and what is not', async (test) => {
  test.match(rangeOf('10.0.0.5/24'), { bits: 32, first: 0x0a000000n, last: 0x0a0000ffn })
  test.match(rangeOf('10.0.0.5-10.0.0.9'), { first: 0x0a000005n, last: 0x0a000009n })
  test.match(rangeOf('2001:db8::/127'), { bits: 128, first: 0x20010db8n << 96n, last: (0x20010db8n << 96n) + 1n })
  test.match(rangeOf('64:ff9b::1.2.3.4'), { bits: 128, first: (0x64ff9bn << 96n) + 0x01020304n })
  for (const text of ['', '10', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', '::/129', '10.0.0.9-10.0.0.5', '10.0.0.1-::1', '1-2-3', 'fe80::1%eth0', '010.0.0.1', '::ffff:10.0.0.0/64', 'name']) test.equal(readRange(text), undefined, text)
})

const written = (text: string): string[] => networksOf(rangeOf(text))

void t.test('a range as networks: the fewest, and nothing more', async (test) => {
  test.strictSame(written('203.0.113.7'), ['203.0.113.7/32'])
  test.strictSame(written('203.0.113.7-203.0.113.16'), ['203.0.113.7/32', '203.0.113.8/29', '203.0.113.16/32'])
  test.strictSame(written('0.0.0.0-255.255.255.255'), ['0.0.0.0/0'])
  test.strictSame(written('2001:db8::1-2001:db8::2'), ['2001:db8::1/128', '2001:db8::2/128'])
  test.equal(networkText('10.11.5.9/16'), '10.11.0.0/16')
})
