// Tells what a connection speaks from its first bytes.
import { PROXY_V1, PROXY_V2 } from './proxy-header.ts'

export type FirstBytes = 'tls' | 'http' | 'smb' | 'ssh' | 'rdp' | 'proxy-header' | 'other' | 'more'

const SSH = Buffer.from('SSH-')
const SMB1 = Buffer.from([0xff, 0x53, 0x4d, 0x42])
const SMB2 = Buffer.from([0xfe, 0x53, 0x4d, 0x42])
/** Longer than any method in IANA's registry. */
const METHOD_LIMIT = 24

/** Classifies the first bytes; `more` when they could still become several things. Takes at least one byte. */
export function classify(bytes: Buffer): FirstBytes {
  const first = bytes[0] ?? 0
  if (first === 0x16) return 'tls'
  if (first === 0x80 || first === 0x81) return sslv2Hello(bytes)
  if (isLetter(first)) return word(bytes)
  if (first === 0x0d) return prefix(bytes, PROXY_V2, 'proxy-header')
  if (first === 0x00) return smb(bytes)
  if (first === 0x03) return bytes.length < 2 ? 'more' : bytes[1] === 0 ? 'rdp' : 'other'
  return 'other'
}

/** An SSL 2 framed hello goes to TLS, which answers it with the alert that it deserves. */
function sslv2Hello(bytes: Buffer): FirstBytes {
  return bytes.length < 3 ? 'more' : bytes[2] === 1 ? 'tls' : 'other'
}

/** Methods are case-sensitive tokens (RFC 9110 section 9.1): one in small letters is HTTP all the same. */
function word(bytes: Buffer): FirstBytes {
  for (const [known, name] of [[PROXY_V1, 'proxy-header'], [SSH, 'ssh']] as const) {
    const verdict = prefix(bytes, known, name)
    if (verdict === name) return name
    if (verdict === 'more') return 'more'
  }
  for (let i = 1; i < bytes.length && i < METHOD_LIMIT; i++) {
    const byte = bytes[i] as number
    if (byte === 0x20) return 'http'
    if (!isLetter(byte) && byte !== 0x2d) return 'other'
  }
  return bytes.length < METHOD_LIMIT ? 'more' : 'other'
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
}

/** `name` if the bytes begin with `known`, `more` if they are a part of it, else `other`. */
function prefix(bytes: Buffer, known: Buffer, name: FirstBytes): FirstBytes {
  const length = Math.min(bytes.length, known.length)
  if (bytes.compare(known, 0, length, 0, length) !== 0) return 'other'
  return length === known.length ? name : 'more'
}

/** A NetBIOS session header and then SMB's signature. */
function smb(bytes: Buffer): FirstBytes {
  if (bytes.length < 8) return 'more'
  const signature = bytes.subarray(4, 8)
  return signature.equals(SMB1) || signature.equals(SMB2) ? 'smb' : 'other'
}
