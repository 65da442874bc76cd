// The addresses that a token allows (`sip`, spec/sas.md 10): one IPv4 address or two with a dash, inclusive.
import { BlockList, isIP } from 'node:net'

/** Undefined where the text cannot be read: no CIDR, no list, no IPv6, low not above high. */
export function parseIpRange(text: string): BlockList | undefined {
  const dash = text.indexOf('-')
  const low = dash < 0 ? text : text.slice(0, dash)
  const high = dash < 0 ? text : text.slice(dash + 1)
  if (isIP(low) !== 4 || isIP(high) !== 4 || numberOf(low) > numberOf(high)) return undefined
  const range = new BlockList()
  range.addRange(low, high, 'ipv4')
  return range
}

/** An IPv4-mapped IPv6 address counts as its IPv4 address, in whatever spelling; any other IPv6 address is outside. */
export function rangeHolds(range: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && range.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0)
}
