// Private ways (contract section 11.1): which addresses of an upstream may be dialled. The judgement falls on the very
// address that the socket is given, at each connection, so a name whose answer changes between look-up and use cannot slip
// through.
import { BlockList, isIP, isIPv6 } from 'node:net'

/** `private`, or addresses and ranges of the configuration. */
export type Via = 'private' | readonly string[]

/** RFC 1918 and RFC 4193. Loopback and link-local addresses are not private. */
export const PRIVATE_RANGES: readonly string[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']

/** The error code of a connection that was not tried because no address was inside. */
export const NOT_PRIVATE = 'NOT_PRIVATE'

/** Addresses of one answer that the error names; more would only make its line long. */
const NAMED = 8

/** No address of the upstream is inside its `via`. No socket was opened. */
export class NotPrivate extends Error {
  readonly code = NOT_PRIVATE
  /** What the name led to, joined with commas. */
  readonly address: string

  constructor(addresses: readonly string[]) {
    const address = addresses.slice(0, NAMED).join(', ')
    super(`${address} is outside of via`)
    this.name = 'NotPrivate'
    this.address = address
  }
}

/** Tells whether an address may be dialled. */
export type Inside = (address: string) => boolean

/** Returns the judge of a `via`. An IPv4 address in IPv6 notation is judged as the IPv4 address that the system dials. */
export function insideOf(via: Via): Inside {
  const list = new BlockList()
  for (const range of via === 'private' ? PRIVATE_RANGES : via) addRange(list, range)
  return (address) => {
    const [bare = ''] = address.split('%')
    return isIP(bare) !== 0 && list.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4')
  }
}

function addRange(list: BlockList, range: string): void {
  const [address = '', bits] = range.split('/')
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  if (bits === undefined) list.addAddress(address, family)
  else list.addSubnet(address, Number(bits), family)
}

interface Address {
  readonly address: string
  readonly family: number
}

type Answered = (error: Error | null, addresses: Address[]) => void
/** `dns.lookup`, asked for all addresses. */
export type LookUpAll = (host: string, options: object & { readonly all: true }, done: Answered) => void
type Told = (error: NodeJS.ErrnoException | null, address: string | Address[], family?: number) => void
export type LookUp = (host: string, options: object & { readonly all?: boolean | undefined }, done: Told) => void

/**
 * Returns a `lookup` for `net.connect` that hands on only the addresses inside, so no other is ever dialled. Where none is
 * inside, the connection fails with NotPrivate.
 */
export function lookUpInside(inside: Inside, lookUpAll: LookUpAll): LookUp {
  return (host, options, done) => lookUpAll(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return done(error, [])
    const [first, ...more] = addresses.filter(({ address }) => inside(address))
    if (first === undefined) return done(new NotPrivate(addresses.map(({ address }) => address)), [])
    if (options.all === true) done(null, [first, ...more])
    else done(null, first.address, first.family)
  })
}
