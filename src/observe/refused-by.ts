// Which address ranges are refused, and why: by range and reason, with counts and when last. It answers "whom do I call".
// Ranges and not addresses, since an office is a range; the log has the single address.
import { isIPv4, isIPv6 } from 'node:net'
import type { Reason } from '../refusal.ts'

/** What one range was refused for. */
export interface RefusedCount {
  /** A /24, a /48, or `unknown`. */
  readonly range: string
  readonly reason: Reason
  readonly count: number
  /** Milliseconds since the epoch. */
  readonly lastSeen: number
}

type Counting = { -readonly [K in keyof RefusedCount]: RefusedCount[K] }

/** Beyond this many the longest unseen goes: clients must not fill our memory. */
const LIMIT = 1000

/** The counts of one worker; the longest unseen is the first of the map. */
export class RefusedBy {
  readonly #counts = new Map<string, Counting>()

  /** Counts one refusal of a client address. `now` in milliseconds since the epoch. */
  note(client: string, reason: Reason, now: number): void {
    const range = rangeOf(client)
    const key = `${range} ${reason}`
    const count = this.#counts.get(key) ?? { range, reason, count: 0, lastSeen: now }
    this.#counts.delete(key)
    this.#counts.set(key, count)
    count.count++
    count.lastSeen = now
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > LIMIT && oldest !== undefined) this.#counts.delete(oldest)
  }

  /** All counts, those with most refusals first. */
  list(): RefusedCount[] {
    return [...this.#counts.values()].toSorted(mostFirst)
  }
}

/** Several workers' counts as one list, most refusals first and no longer than one of them may be. */
export function mergeRefused(lists: readonly (readonly RefusedCount[])[]): RefusedCount[] {
  const merged = new Map<string, RefusedCount>()
  for (const count of lists.flat()) {
    const key = `${count.range} ${count.reason}`
    const known = merged.get(key)
    merged.set(key, known === undefined ? count : { ...count, count: known.count + count.count, lastSeen: Math.max(known.lastSeen, count.lastSeen) })
  }
  return [...merged.values()].toSorted(mostFirst).slice(0, LIMIT)
}

function mostFirst(a: RefusedCount, b: RefusedCount): number {
  return b.count - a.count || b.lastSeen - a.lastSeen
}

const MAPPED = /^::ffff:(?=\d+\.)/i

/** The range that an address is counted under: /24 of IPv4, /48 of IPv6 (what a site is given, RFC 6177); `unknown` for what is no address. */
export function rangeOf(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(MAPPED, '')
  if (isIPv4(plain)) return `${plain.slice(0, plain.lastIndexOf('.'))}.0/24`
  if (!isIPv6(plain)) return 'unknown'
  const [head = '', tail] = plain.split('::')
  const [first, last] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':')))
  // With `::` the zeros stand where they are left out; three groups are all that counts.
  const groups = [...(first ?? []), ...Array.from({ length: tail === undefined ? 0 : Math.max(0, 8 - (first?.length ?? 0) - (last?.length ?? 0)) }, () => '0'), ...(last ?? [])]
  const site = groups.slice(0, 3).map((group) => Number.parseInt(group, 16).toString(16)).join(':').replace(/(?:^0|:0)*$/, '')
  return `${site}::/48`
}
