// Which addresses count as one client. A network gives one customer a whole IPv6 /64, so limits by address take that as one;
// else a single machine could stand for 2^64 clients (contract section 3.9).

const MAPPED = /^(?:0*:)*:?(?:0+:)*ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i
const GROUPS = 8

/** Returns what counts by address go by: an IPv4 address as it is, mapped ones too, and the /64 of an IPv6 address. */
export function countedAddress(address: string): string {
  if (!address.includes(':')) return address
  const mapped = MAPPED.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  return `${groupsOf(address.split('%', 1)[0] ?? '').slice(0, 4).map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':')}::/64`
}

/** The eight groups of an address; the last two may stand as an IPv4 address, which is of no account here. */
function groupsOf(address: string): string[] {
  const [left = '', right] = address.split('::')
  const [before, after] = [split(left), split(right ?? '')]
  if (right === undefined) return before
  const last = after.at(-1)?.includes('.') === true ? 1 : 0
  return [...before, ...Array.from({ length: Math.max(0, GROUPS - before.length - after.length - last) }, () => '0'), ...after]
}

const split = (part: string): string[] => (part === '' ? [] : part.split(':'))
