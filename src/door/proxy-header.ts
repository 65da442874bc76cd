// Reads a PROXY protocol header, version 1 or 2 (haproxy's proxy-protocol.txt). Whether its sender may give one is the
// door's to decide; here it is only read, strictly and within bounds.
import { isIP } from 'node:net'

/** Who a balancer says came to it; undefined where it speaks for itself (LOCAL, UNKNOWN, no internet address). */
export interface ProxiedClient {
  readonly address: string
  readonly port: number
}

export interface ProxyHeader {
  readonly client: ProxiedClient | undefined
  /** The Private Link id that Azure adds; absent where the header has none. */
  readonly link?: number
  /** Bytes of the header; what follows is the connection itself. */
  readonly length: number
}

/** `more`: not whole yet; `absent`: these bytes do not begin a header; `invalid`: they do, and are none. */
export type ProxyHeaderState = ProxyHeader | 'more' | 'absent' | 'invalid'

/** What a header of each version begins with. */
export const PROXY_V1 = Buffer.from('PROXY ')
export const PROXY_V2 = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
const V1_LIMIT = 107
const V2_FIXED = 16
/** Addresses and TLVs of version 2; Azure's Private Link adds some 20 bytes. */
const V2_LIMIT = 4096

/** Reads the header at the start of `bytes`. */
export function parseProxyHeader(bytes: Buffer): ProxyHeaderState {
  if (begins(bytes, PROXY_V2)) return parseV2(bytes)
  if (begins(bytes, PROXY_V1)) return parseV1(bytes)
  return 'absent'
}

/** Returns whether the bytes are the start of `signature` or begin with it. */
function begins(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.compare(signature, 0, length, 0, length) === 0
}

function parseV1(bytes: Buffer): ProxyHeaderState {
  const end = bytes.indexOf('\r\n')
  if (end < 0) return bytes.length < V1_LIMIT ? 'more' : 'invalid'
  if (end + 2 > V1_LIMIT) return 'invalid'
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...rest] = bytes.toString('latin1', 0, end).split(' ')
  const length = end + 2
  if (family === 'UNKNOWN') return { client: undefined, length }
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : -1
  if (rest.length > 0 || !isAddress(source, version) || !isAddress(destination, version)) return 'invalid'
  if (!isPort(sourcePort) || !isPort(destinationPort)) return 'invalid'
  return { client: { address: source, port: Number(sourcePort) }, length }
}

/** A zone (`fe80::1%eth0`) means something on the balancer alone. */
function isAddress(text: string, version: number): boolean {
  return isIP(text) === version && !text.includes('%')
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535
}

const LOCAL = 0x20
const PROXY = 0x21
/** Bytes of both addresses and ports, by address family and transport. */
const FAMILIES: ReadonlyMap<number, { readonly address: 4 | 16; readonly total: number }> = new Map([
  [0x11, { address: 4, total: 12 }], [0x12, { address: 4, total: 12 }],
  [0x21, { address: 16, total: 36 }], [0x22, { address: 16, total: 36 }],
])

function parseV2(bytes: Buffer): ProxyHeaderState {
  if (bytes.length < V2_FIXED) return 'more'
  const command = bytes.readUInt8(12)
  const family = bytes.readUInt8(13)
  const size = bytes.readUInt16BE(14)
  if ((command !== LOCAL && command !== PROXY) || size > V2_LIMIT) return 'invalid'
  if (bytes.length < V2_FIXED + size) return 'more'
  const length = V2_FIXED + size
  if (command === LOCAL) return { client: undefined, length }
  const addresses = FAMILIES.get(family)
  // AF_UNSPEC and sockets without an internet address: the balancer cannot say who came.
  if (addresses === undefined) return family === 0x00 || family === 0x31 || family === 0x32 ? { client: undefined, length } : 'invalid'
  const tlvs = size < addresses.total ? undefined : readTlvs(bytes.subarray(V2_FIXED + addresses.total, length))
  const link = tlvs === undefined ? 'invalid' : readLink(tlvs)
  if (link === 'invalid') return 'invalid'
  const at = V2_FIXED
  const address = addresses.address === 4 ? bytes.subarray(at, at + 4).join('.') : ipv6(bytes.subarray(at, at + 16))
  const client = { address, port: bytes.readUInt16BE(at + addresses.address * 2) }
  return link === undefined ? { client, length } : { client, link, length }
}

interface Tlv {
  readonly type: number
  readonly value: Buffer
}

/** Returns the TLVs after the addresses; undefined where their lengths do not add up. */
function readTlvs(bytes: Buffer): Tlv[] | undefined {
  const tlvs: Tlv[] = []
  let at = 0
  while (at + 3 <= bytes.length) {
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    tlvs.push({ type: bytes.readUInt8(at), value: bytes.subarray(at + 3, end) })
    at = end
  }
  return at === bytes.length ? tlvs : undefined
}

/** PP2_TYPE_AZURE: a subtype byte, then what the subtype says. */
const AZURE = 0xee
/** PP2_SUBTYPE_AZURE_PRIVATEENDPOINT_LINKID: four bytes, little endian. */
const LINK_ID = 0x01
const LINK_LENGTH = 5

/**
 * Returns the Private Link id, if the header has one. Other subtypes are not ids and are ignored. Two ids, or one of another
 * length, are `invalid`: a balancer that can be made to add a second id must not let the client choose who it is.
 */
function readLink(tlvs: readonly Tlv[]): number | 'invalid' | undefined {
  const azure = tlvs.filter(({ type }) => type === AZURE)
  if (azure.some(({ value }) => value.length === 0)) return 'invalid'
  const [id, ...more] = azure.filter(({ value }) => value[0] === LINK_ID)
  if (id === undefined) return undefined
  return more.length > 0 || id.value.length !== LINK_LENGTH ? 'invalid' : id.value.readUInt32LE(1)
}

/** As RFC 5952 writes it, by way of the URL parser. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new URL(`https://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
