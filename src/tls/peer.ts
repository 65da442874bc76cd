// What a client certificate says of who shows it, after its verification, and who may pass by it. Identity comes from the
// subject alternative name alone, whole and exact; never from the common name (security.md M3).
import type { X509Certificate } from 'node:crypto'
import { refuse } from '../refusal.ts'
import { alternativeNamesText } from './alternative-names.ts'
import { weakKey, weakSignature } from './credential.ts'

/** A verified client certificate. */
export interface PeerIdentity {
  /** `URI:...` and `DNS:...`, as they stand in the certificate. */
  readonly names: readonly string[]
  /** Of the leaf, base64, as RFC 9440 section 2.1 carries it. */
  readonly der: string
  /** ms since the epoch. */
  readonly validUntil: number
}

/** Who may pass on a name. */
export interface PeerRules {
  readonly verify: 'none' | 'optional' | 'required'
  /** Only these names; undefined admits any certificate that verified. */
  readonly allow: readonly string[] | undefined
}

// A value with odd characters stands in quotes, escaped as JSON.
const ALTERNATIVE_NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g

/** Reads the identity of a certificate. */
export function peerIdentity(certificate: X509Certificate): PeerIdentity {
  const names: string[] = []
  for (const [, kind, value = ''] of alternativeNamesText(certificate).matchAll(ALTERNATIVE_NAME)) {
    if (kind === 'URI' || kind === 'DNS') names.push(`${kind}:${value.startsWith('"') ? unquoted(value) : value}`)
  }
  return Object.freeze({ names: Object.freeze(names), der: certificate.raw.toString('base64'), validUntil: certificate.validToDate.getTime() })
}

/** A name that cannot be read is ignored. */
function unquoted(value: string): string {
  try {
    return String(JSON.parse(value))
  } catch {
    return ''
  }
}

/** Links of a chain that are looked at: more than any sound one has. */
const CHAIN_LIMIT = 8

/**
 * What is wrong with the certificates that a client showed: a key or a signature too weak for us, or a public key that
 * cannot be decoded (unknown algorithm, unknown curve, a point off its curve), in the leaf or elsewhere.
 */
export type ChainFault = 'weak' | 'leaf-undecodable' | 'undecodable'

/** Returns what is wrong with a certificate as it was shown, or with one on its way to a root; undefined for a sound chain. */
export function chainFault(shown: X509Certificate): ChainFault | undefined {
  let certificate: X509Certificate | undefined = shown
  for (let i = 0; certificate !== undefined && i < CHAIN_LIMIT; i++) {
    const fault = faultOf(certificate)
    if (fault === 'undecodable') return i === 0 ? 'leaf-undecodable' : 'undecodable'
    if (fault !== undefined) return fault
    certificate = certificate.issuerCertificate
  }
  return undefined
}

/** Node throws for a public key that OpenSSL cannot decode: the peer chose those bytes (security.md F1). */
function faultOf(certificate: X509Certificate): 'weak' | 'undecodable' | undefined {
  try {
    // Nobody looks at the signature of a root.
    const weak = weakKey(certificate) !== undefined || (certificate.subject !== certificate.issuer && weakSignature(certificate) !== undefined)
    return weak ? 'weak' : undefined
  } catch {
    return 'undecodable'
  }
}

/**
 * Refuses with `client-not-allowed` whoever the rules do not name; a list admits only what it names. `now` in ms since the
 * epoch: a certificate may end while its connection is open, or between a session and its resumption.
 */
export function authorizePeer({ verify, allow }: PeerRules, peer: PeerIdentity | undefined, now: number): void {
  if (verify === 'none') return
  if (peer !== undefined && now > peer.validUntil) refuse('client-not-allowed', { why: 'expired' })
  if (peer === undefined && (verify === 'required' || allow !== undefined)) refuse('client-not-allowed', { why: 'no certificate' })
  if (peer !== undefined && allow !== undefined && !peer.names.some((name) => allow.includes(name))) refuse('client-not-allowed', { why: 'not on the list', names: peer.names.slice(0, 4) })
}
