// Arithmetic with addresses and ranges, IPv4 and IPv6: what overlaps, what contains what, and how a range is written in
// networks.
import { isIP } from 'node:net'

/** A run of addresses of one family. An IPv4 address in IPv6 notation is IPv4. */
export interface Range {
  readonly bits: 32 | 128
  readonly first: bigint
  readonly last: bigint
}

/** Reads `ADDRESS`, `ADDRESS/LENGTH` or `LOW-HIGH`. Returns undefined for any other text. Bits beyond the length are ignored. */
export function readRange(text: string): Range | undefined {
  const [low = '', high, ...more] = text.split('-')
  if (high === undefined) return readNetwork(text)
  const [from, to] = [readAddress(low), readAddress(high)]
  if (more.length > 0 || from === undefined || to === undefined || from.bits !== to.bits || from.value > to.value) return undefined
  return { bits: from.bits, first: from.value, last: to.value }
}

function readNetwork(text: string): Range | undefined {
  const [address = '', length, ...more] = text.split('/')
  const read = readAddress(address)
  if (read === undefined || more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const given = length === undefined ? read.written : Number(length)
  const prefix = given - (read.written - read.bits)
  if (given > read.written || prefix < 0) return undefined
  const rest = (1n << BigInt(read.bits - prefix)) - 1n
  return { bits: read.bits, first: read.value & ~rest, last: read.value | rest }
}

interface Address {
  readonly bits: 32 | 128
  readonly value: bigint
  /** Bits of the notation: 128 for an IPv4 address that is written as an IPv6 one. */
  readonly written: 32 | 128
}

const MAPPED = 0xffffn

function readAddress(text: string): Address | undefined {
  const family = text.includes('%') ? 0 : isIP(text)
  if (family === 4) return { bits: 32, value: fromOctets(text), written: 32 }
  if (family !== 6) return undefined
  const value = fromGroups(text)
  return value >> 32n === MAPPED ? { bits: 32, value: value & 0xffff_ffffn, written: 128 } : { bits: 128, value, written: 128 }
}

const fromOctets = (text: string): bigint => text.split('.').reduce((sum, octet) => sum << 8n | BigInt(octet), 0n)

function fromGroups(text: string): bigint {
  const dotted = /[^:]*\.[^:]*$/.exec(text)?.[0]
  const hex = dotted === undefined ? text : `${text.slice(0, -dotted.length)}${(fromOctets(dotted) >> 16n).toString(16)}:${(fromOctets(dotted) & 0xffffn).toString(16)}`
  const [head = '', tail] = hex.split('::')
  const before = groupsIn(head)
  const after = tail === undefined ? [] : groupsIn(tail)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0n)
  return [...before, ...zeros, ...after].reduce((sum, group) => sum << 16n | group, 0n)
}

const groupsIn = (text: string): bigint[] => text === '' ? [] : text.split(':').map((group) => BigInt(`0x${group}`))

/** Tells whether two ranges have an address in common. */
export function overlap(one: Range, other: Range): boolean {
  return one.bits === other.bits && one.first <= other.last && other.first <= one.last
}

/** Tells whether every address of `inner` is in `outer`. */
export function contains(outer: Range, inner: Range): boolean {
  return outer.bits === inner.bits && outer.first <= inner.first && inner.last <= outer.last
}

/** Returns the network that a text such as `10.0.0.5/24` means, as it is written without host bits: `10.0.0.0/24`. */
export function networkText(text: string): string {
  const range = readRange(text)
  return range === undefined ? text : networksOf(range).join(', ')
}

/** Returns the fewest networks that make up a range, as `ADDRESS/LENGTH`. */
export function networksOf({ bits, first, last }: Range): string[] {
  const networks: string[] = []
  let at = first
  while (at <= last) {
    let free = at === 0n ? bits : trailingZeros(at)
    while (at + (1n << BigInt(free)) - 1n > last) free--
    networks.push(`${addressText(at, bits)}/${bits - free}`)
    at += 1n << BigInt(free)
  }
  return networks
}

function trailingZeros(value: bigint): number {
  let zeros = 0
  while ((value >> BigInt(zeros) & 1n) === 0n) zeros++
  return zeros
}

/** Returns an address as people write it; IPv6 as RFC 5952 says. */
export function addressText(value: bigint, bits: 32 | 128): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => value >> shift & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => (value >> BigInt(112 - i * 16) & 0xffffn).toString(16))
  return new URL(`https://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
