// The TLS policy: one table for both sides (contract section 3). The lists follow from these rules, most important first:
//
// 1. Forward secrecy always: only ECDHE in TLS 1.2 (TLS 1.3 has nothing else), so that a stolen key opens no recording.
// 2. AEAD only: CBC suites fell to Lucky Thirteen and its kin (RFC 7457).
// 3. TLS 1.2 at least (RFC 8996 retires 1.0 and 1.1); no renegotiation (Node allows it by default: security.md 3.1),
//    no compression (CRIME).
// 4. Post-quantum key exchange first: what is recorded today stays closed later (X25519MLKEM768).
// 5. Signatures of SHA-256 at least, keys of RSA 2048 or P-256 at least; ECDSA before RSA since it costs us less.
// 6. AES-128 before AES-256 before ChaCha20: equal in strength here, in the order of their cost on our machines.
import { constants } from 'node:crypto'

export type ProtocolVersion = 'TLSv1.2' | 'TLSv1.3'

export interface CipherSuite {
  readonly id: number
  /** IANA's name; the one in metrics and logs. */
  readonly iana: string
  /** OpenSSL's name; the one in cipher strings. */
  readonly openssl: string
  readonly version: ProtocolVersion
}

export const CIPHER_SUITES: readonly CipherSuite[] = [
  { id: 0x1301, iana: 'TLS_AES_128_GCM_SHA256', openssl: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1.3' },
  { id: 0x1302, iana: 'TLS_AES_256_GCM_SHA384', openssl: 'TLS_AES_256_GCM_SHA384', version: 'TLSv1.3' },
  { id: 0x1303, iana: 'TLS_CHACHA20_POLY1305_SHA256', openssl: 'TLS_CHACHA20_POLY1305_SHA256', version: 'TLSv1.3' },
  { id: 0xc02b, iana: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', openssl: 'ECDHE-ECDSA-AES128-GCM-SHA256', version: 'TLSv1.2' },
  { id: 0xc02f, iana: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', openssl: 'ECDHE-RSA-AES128-GCM-SHA256', version: 'TLSv1.2' },
  { id: 0xc02c, iana: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', openssl: 'ECDHE-ECDSA-AES256-GCM-SHA384', version: 'TLSv1.2' },
  { id: 0xc030, iana: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', openssl: 'ECDHE-RSA-AES256-GCM-SHA384', version: 'TLSv1.2' },
  { id: 0xcca9, iana: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', openssl: 'ECDHE-ECDSA-CHACHA20-POLY1305', version: 'TLSv1.2' },
  { id: 0xcca8, iana: 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', openssl: 'ECDHE-RSA-CHACHA20-POLY1305', version: 'TLSv1.2' },
]

export interface NamedGroup {
  readonly id: number
  readonly iana: string
  readonly openssl: string
  /** Not before TLS 1.3. */
  readonly only13: boolean
  /** What is recorded today stays closed to a quantum computer. */
  readonly postQuantum: boolean
}

/** In our order of preference. */
export const NAMED_GROUPS: readonly NamedGroup[] = [
  { id: 0x11ec, iana: 'X25519MLKEM768', openssl: 'X25519MLKEM768', only13: true, postQuantum: true },
  { id: 0x001d, iana: 'x25519', openssl: 'X25519', only13: false, postQuantum: false },
  { id: 0x0017, iana: 'secp256r1', openssl: 'P-256', only13: false, postQuantum: false },
  { id: 0x0018, iana: 'secp384r1', openssl: 'P-384', only13: false, postQuantum: false },
]

/** The IANA names of those that are post-quantum. */
export const POST_QUANTUM_GROUPS: ReadonlySet<string> = new Set(NAMED_GROUPS.filter(({ postQuantum }) => postQuantum).map(({ iana }) => iana))

const SIGNATURE_ALGORITHMS = [
  'ecdsa_secp256r1_sha256', 'ecdsa_secp384r1_sha384', 'ecdsa_secp521r1_sha512',
  'rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512',
  'rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512',
]

// SECLEVEL=2 stands last so that no later string lowers it; it rules keys and hashes of every chain (security.md 3.4).
const CIPHERS = `${CIPHER_SUITES.map((suite) => suite.openssl).join(':')}:@SECLEVEL=2`
const GROUPS = NAMED_GROUPS.map((group) => group.openssl).join(':')
const NO_RENEGOTIATION = constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION

/** `intermediate` is TLS 1.2 and 1.3, `modern` is 1.3 alone. */
export type Profile = 'intermediate' | 'modern'

/** What both sides share, as node:tls takes it. */
const COMMON = {
  maxVersion: 'TLSv1.3',
  ciphers: CIPHERS,
  ecdhCurve: GROUPS,
  sigalgs: SIGNATURE_ALGORITHMS.join(':'),
  secureOptions: NO_RENEGOTIATION,
} as const

/** Options for the side that clients see. HTTP/1.1 only: HTTP/2 is not offered (security.md D5). */
export function serverOptions(profile: Profile) {
  return {
    ...COMMON,
    minVersion: profile === 'modern' ? 'TLSv1.3' : 'TLSv1.2',
    // Our order rules, so that the group of a handshake follows from the hello (groupFor).
    honorCipherOrder: true,
    ALPNProtocols: ['http/1.1'],
    sessionIdContext: 'tidegate',
    sessionTimeout: 24 * 3600,
  } as const
}

/** Options for connections to upstreams: always 1.2 and 1.3, always verified. */
export function clientOptions() {
  return { ...COMMON, minVersion: 'TLSv1.2', rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] } as const
}

const SUITE_BY_OPENSSL = new Map(CIPHER_SUITES.map((suite) => [suite.openssl, suite]))

/** IANA's name for the suite of a finished handshake; `other` cannot happen under this policy. */
export function suiteName(openssl: string): string {
  return SUITE_BY_OPENSSL.get(openssl)?.iana ?? 'other'
}

/** What of a ClientHello decides the group. */
export interface OfferedGroups {
  readonly groups: readonly number[]
  readonly keyShares: readonly number[]
}

/**
 * The group that OpenSSL takes for this hello, which Node does not tell a server: in TLS 1.3 our first group that came
 * with a key share, else our first that was offered at all (after a HelloRetryRequest); in TLS 1.2 our first offered one.
 */
export function groupFor(hello: OfferedGroups, version: string): string {
  const shared = (ids: readonly number[]) => NAMED_GROUPS.find((group) => ids.includes(group.id) && (version === 'TLSv1.3' || !group.only13))
  const group = (version === 'TLSv1.3' ? shared(hello.keyShares) : undefined) ?? shared(hello.groups)
  return group?.iana ?? 'other'
}

/** Returns whether any of our groups of TLS 1.2 was offered: tells `tls-no-shared-group` from `tls-no-shared-suite` there. */
export function sharesGroup(groups: readonly number[]): boolean {
  return NAMED_GROUPS.some((group) => !group.only13 && groups.includes(group.id))
}

/** Returns whether any of our suites was offered. */
export function sharesSuite(suites: readonly number[]): boolean {
  return CIPHER_SUITES.some((suite) => suites.includes(suite.id))
}

/** By OpenSSL's name of a curve: the scheme that a certificate on it signs with in TLS 1.3, and the group that TLS 1.2 asks for. */
const EC_CURVES: ReadonlyMap<string, { readonly scheme: number; readonly group: number }> = new Map([
  ['prime256v1', { scheme: 0x0403, group: 0x0017 }], ['secp384r1', { scheme: 0x0503, group: 0x0018 }], ['secp521r1', { scheme: 0x0603, group: 0x0019 }],
])

/** What of a ClientHello decides whether an EC certificate can be shown. */
export interface OfferedSignatures {
  readonly version: number
  readonly suites: readonly number[]
  readonly groups: readonly number[]
  readonly signatures: readonly number[]
}

/**
 * Returns whether a client takes an EC certificate on `curve`. TLS 1.3 ties the scheme to the curve (RFC 8446 section 4.2.3); TLS
 * 1.2 asks for a suite with ECDSA, and for the curve among the groups (RFC 8422 section 5.1).
 */
export function takesEcdsa({ version, suites, groups, signatures }: OfferedSignatures, curve: string): boolean {
  const needs = EC_CURVES.get(curve)
  if (needs === undefined) return false
  if (version >= 0x0304) return signatures.includes(needs.scheme)
  const suite = CIPHER_SUITES.some(({ id, iana }) => iana.includes('_ECDSA_') && suites.includes(id))
  return suite && (groups.length === 0 || groups.includes(needs.group)) && [...EC_CURVES.values()].some(({ scheme }) => signatures.includes(scheme))
}
