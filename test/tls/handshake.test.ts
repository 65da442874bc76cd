// The table of failed handshakes: what Node leaves behind, and the reason. Real handshakes: journeys/tls-policy.test.ts.
import t from 'tap'
import type { Reason } from '../../src/refusal.ts'
import type { ClientHello } from '../../src/tls/client-hello.ts'
import { handshakeRefusal } from '../../src/tls/handshake.ts'

const hello = (suites: number[], groups: number[], version = 0x0303): ClientHello => ({ version, suites, groups, keyShares: [], signatures: [], serverName: undefined })

const ROWS: [code: string | undefined, authorizationError: string | undefined, hello: ClientHello | undefined, reason: Reason][] = [
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', undefined, hello([0x0035], [], 0x0302), 'tls-version'],
  ['ERR_SSL_VERSION_TOO_LOW', undefined, undefined, 'tls-version'],
  ['ERR_SSL_INAPPROPRIATE_FALLBACK', undefined, hello([0xc02b], [23]), 'tls-version'],
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, hello([0x0035], [23]), 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, undefined, 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS', undefined, hello([0xc02b], [23]), 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM', undefined, hello([0x1301], [29], 0x0304), 'tls-no-shared-suite'],
  // TLS 1.2 calls a missing group a missing suite.
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, hello([0xc02b], [25]), 'tls-no-shared-group'],
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, hello([0xc02b], [0x11ec]), 'tls-no-shared-group'],
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, hello([0xc02b], [23]), 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, hello([0xc02b], []), 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SHARED_CIPHER', undefined, hello([0x0035], [25]), 'tls-no-shared-suite'],
  ['ERR_SSL_NO_SUITABLE_KEY_SHARE', undefined, hello([0x1301], [25], 0x0304), 'tls-no-shared-group'],
  ['ERR_SSL_NO_SUITABLE_GROUPS', undefined, undefined, 'tls-no-shared-group'],
  ['ERR_SSL_NO_SHARED_GROUP', undefined, undefined, 'tls-no-shared-group'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', undefined, undefined, 'tls-malformed'],
  ['ERR_SSL_UNEXPECTED_MESSAGE', undefined, undefined, 'tls-malformed'],
  ['ERR_SSL_BAD_EXTENSION', undefined, undefined, 'tls-malformed'],
  ['ERR_SSL_LENGTH_MISMATCH', undefined, undefined, 'tls-malformed'],
  ['ERR_SSL_BAD_KEY_SHARE', undefined, undefined, 'tls-malformed'],
  ['ERR_SSL_SOMETHING_NEW', undefined, undefined, 'tls-malformed'],
  [undefined, undefined, undefined, 'tls-malformed'],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', undefined, undefined, 'tls-timeout'],
  ['ECONNRESET', undefined, undefined, 'tls-aborted'],
  ['EPIPE', undefined, undefined, 'tls-aborted'],
  ['ETIMEDOUT', undefined, undefined, 'tls-aborted'],
  // The client's own alert.
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', undefined, undefined, 'tls-aborted'],
  ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN', undefined, undefined, 'tls-aborted'],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', undefined, undefined, 'tls-aborted'],
  // Client certificates.
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', undefined, undefined, 'client-cert-missing'],
  ['ERR_SSL_EE_KEY_TOO_SMALL', undefined, undefined, 'client-cert-weak'],
  ['ERR_SSL_CA_MD_TOO_WEAK', undefined, undefined, 'client-cert-weak'],
  ['ERR_SSL_UNKNOWN_CERTIFICATE_TYPE', undefined, undefined, 'client-cert-weak'],
  ['ECONNRESET', 'CERT_HAS_EXPIRED', undefined, 'client-cert-expired'],
  ['ECONNRESET', 'CERT_NOT_YET_VALID', undefined, 'client-cert-expired'],
  ['ECONNRESET', 'CERT_REVOKED', undefined, 'client-cert-revoked'],
  ['ECONNRESET', 'CRL_HAS_EXPIRED', undefined, 'client-cert-revoked'],
  ['ECONNRESET', 'INVALID_PURPOSE', undefined, 'client-cert-purpose'],
  ['ECONNRESET', 'EE_KEY_TOO_SMALL', undefined, 'client-cert-weak'],
  ['ECONNRESET', 'CA_MD_TOO_WEAK', undefined, 'client-cert-weak'],
  ['ECONNRESET', 'SELF_SIGNED_CERT_IN_CHAIN', undefined, 'client-cert-untrusted'],
  ['ECONNRESET', 'DEPTH_ZERO_SELF_SIGNED_CERT', undefined, 'client-cert-untrusted'],
  ['ECONNRESET', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', undefined, 'client-cert-untrusted'],
  ['ECONNRESET', 'UNABLE_TO_GET_CRL', undefined, 'client-cert-untrusted'],
  ['ECONNRESET', 'SOMETHING_NEW', undefined, 'client-cert-untrusted'],
  ['ECONNRESET', 'UNSPECIFIED', undefined, 'client-cert-untrusted'],
  ['ERR_SSL_PROVIDER_SIGNATURE_FAILURE', 'CERT_SIGNATURE_FAILURE', undefined, 'client-cert-untrusted'],
  ['ERR_SSL_PROVIDER_SIGNATURE_FAILURE', undefined, undefined, 'client-cert-untrusted'],
  ['ERR_SSL_WRONG_PUBLIC_KEY_TYPE', undefined, undefined, 'client-cert-untrusted'],
  ['ERR_SSL_UNKNOWN_PROTOCOL', undefined, undefined, 'tls-version'],
]

void t.test('a failed handshake has one reason', async (test) => {
  for (const [code, authorizationError, offered, reason] of ROWS) {
    test.equal(handshakeRefusal({ code, authorizationError, chainFault: undefined, hello: offered }), reason, `${code} ${authorizationError ?? ''} ${JSON.stringify(offered?.groups ?? '')}`)
  }
})

void t.test('a weak certificate is told as such only where OpenSSL\'s own verdict has no name', async (test) => {
  for (const [authorizationError, reason] of [['UNSPECIFIED', 'client-cert-weak'], ['CERT_REVOKED', 'client-cert-revoked'], ['DEPTH_ZERO_SELF_SIGNED_CERT', 'client-cert-untrusted']] as const) {
    test.equal(handshakeRefusal({ code: 'ECONNRESET', authorizationError, chainFault: 'weak', hello: undefined }), reason)
  }
  test.equal(handshakeRefusal({ code: 'ECONNRESET', authorizationError: undefined, chainFault: 'weak', hello: undefined }), 'tls-aborted')
  for (const authorizationError of ['UNSPECIFIED', 'CERT_REVOKED', undefined]) {
    test.equal(handshakeRefusal({ code: undefined, authorizationError, chainFault: 'leaf-undecodable', hello: undefined }), 'client-cert-weak')
    test.equal(handshakeRefusal({ code: undefined, authorizationError, chainFault: 'undecodable', hello: undefined }), 'client-cert-untrusted')
  }
})
