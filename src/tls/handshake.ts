// Names the reason of a failed handshake from stable codes, never from message text.
import type { Reason } from '../refusal.ts'
import { sharesGroup, sharesSuite } from './policy.ts'
import type { ClientHello } from './client-hello.ts'
import type { ChainFault } from './peer.ts'

/** What node:tls leaves behind when a handshake fails. */
export interface HandshakeFailure {
  /** `error.code`, e.g. ERR_SSL_NO_SHARED_CIPHER. */
  readonly code: string | undefined
  /** `socket.authorizationError` as a code; undefined where no client certificate was judged. */
  readonly authorizationError: string | undefined
  /** What is wrong with the certificates that the client showed, if anything is. */
  readonly chainFault: ChainFault | undefined
  readonly hello: ClientHello | undefined
}

const BY_CODE = new Map<string, Reason>([
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'tls-version'],
  ['ERR_SSL_VERSION_TOO_LOW', 'tls-version'],
  // SSL 2.
  ['ERR_SSL_UNKNOWN_PROTOCOL', 'tls-version'],
  ['ERR_SSL_INAPPROPRIATE_FALLBACK', 'tls-version'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls-malformed'],
  ['ERR_SSL_NO_SHARED_CIPHER', 'tls-no-shared-suite'],
  // Before TLS 1.3 the signature was a part of the suite; our certificate's kind is what such a client lacks.
  ['ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS', 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM', 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SUITABLE_KEY_SHARE', 'tls-no-shared-group'],
  ['ERR_SSL_NO_SHARED_GROUP', 'tls-no-shared-group'],
  ['ERR_SSL_NO_SUITABLE_GROUPS', 'tls-no-shared-group'],
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'client-cert-missing'],
  ['ERR_SSL_EE_KEY_TOO_SMALL', 'client-cert-weak'],
  ['ERR_SSL_CA_KEY_TOO_SMALL', 'client-cert-weak'],
  ['ERR_SSL_CA_MD_TOO_WEAK', 'client-cert-weak'],
  // A leaf whose key OpenSSL cannot decode, and so cannot use to check the client's signature: TLS 1.2, and TLS 1.3.
  ['ERR_SSL_UNKNOWN_CERTIFICATE_TYPE', 'client-cert-weak'],
  // What OpenSSL left in its queue while it looked for the issuer of a certificate that bears an authority's name (security.md 3.5).
  ['ERR_SSL_PROVIDER_SIGNATURE_FAILURE', 'client-cert-untrusted'],
  ['ERR_SSL_WRONG_PUBLIC_KEY_TYPE', 'client-cert-untrusted'],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'tls-timeout'],
])

const BY_AUTHORIZATION = new Map<string, Reason>([
  ['CERT_HAS_EXPIRED', 'client-cert-expired'],
  ['CERT_NOT_YET_VALID', 'client-cert-expired'],
  ['CERT_REVOKED', 'client-cert-revoked'],
  ['CRL_HAS_EXPIRED', 'client-cert-revoked'],
  ['INVALID_PURPOSE', 'client-cert-purpose'],
  ['EE_KEY_TOO_SMALL', 'client-cert-weak'],
  ['CA_KEY_TOO_SMALL', 'client-cert-weak'],
  ['CA_MD_TOO_WEAK', 'client-cert-weak'],
])

/** What Node says where it has no name for OpenSSL's code: weak keys and hashes, name constraints, an issuer that is no authority. */
const UNNAMED = 'UNSPECIFIED'

const GONE = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'])

/** The reason of a failed handshake. */
export function handshakeRefusal(failure: HandshakeFailure): Reason {
  const { code = '', authorizationError, chainFault, hello } = failure
  if (chainFault === 'leaf-undecodable') return 'client-cert-weak'
  if (chainFault === 'undecodable') return 'client-cert-untrusted'
  if (authorizationError === UNNAMED && chainFault === 'weak') return 'client-cert-weak'
  if (authorizationError !== undefined) return BY_AUTHORIZATION.get(authorizationError) ?? 'client-cert-untrusted'
  const named = BY_CODE.get(code)
  if (named === 'tls-no-shared-suite') return withoutGroup(hello) ? 'tls-no-shared-group' : named
  if (named !== undefined) return named
  // The client's own alert: it refused our certificate or gave up.
  if (GONE.has(code) || code.includes('_ALERT_')) return 'tls-aborted'
  return 'tls-malformed'
}

/** In TLS 1.2 OpenSSL calls a missing group a missing suite: with no shared curve no ECDHE suite can be used. */
function withoutGroup(hello: ClientHello | undefined): boolean {
  return hello !== undefined && hello.groups.length > 0 && sharesSuite(hello.suites) && !sharesGroup(hello.groups)
}
