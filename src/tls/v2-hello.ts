// The hello in the framing of SSL 2, as Java 6 and OpenSSL 0.9.8 send it while they offer TLS 1.0 in it (RFC 5246 appendix
// E.2). It is always refused, since it cannot name a signature by SHA-256; but what it offers is told like any other.
import type { ClientHello } from './client-hello.ts'

/** Two bytes of length with the highest bit set, then the type of a hello. */
const HEADER = 2
const CLIENT_HELLO = 1
/** Type, version, three lengths. */
const FIXED = 9

/** Returns whether these bytes begin a hello in that framing; takes three of them at least. */
export function isV2Framed(bytes: Buffer): boolean {
  return ((bytes[0] ?? 0) & 0x80) !== 0 && bytes[2] === CLIENT_HELLO
}

/** Reads it: suites of SSL 2's own, which begin with another byte than 0, are left out. */
export function readV2Hello(bytes: Buffer): ClientHello | 'more' | 'malformed' {
  const length = bytes.readUInt16BE(0) & 0x7fff
  if (length < FIXED) return 'malformed'
  if (bytes.length < HEADER + length) return 'more'
  const body = bytes.subarray(HEADER, HEADER + length)
  const end = FIXED + body.readUInt16BE(3)
  if (end > length || (end - FIXED) % 3 !== 0) return 'malformed'
  const suites: number[] = []
  for (let at = FIXED; at < end; at += 3) if (body[at] === 0) suites.push(body.readUInt16BE(at + 1))
  return { version: body.readUInt16BE(1), suites, groups: [], keyShares: [], signatures: [], serverName: undefined }
}
