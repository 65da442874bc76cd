// From codes to kinds and reasons. Real faults are met in pool.test.ts; here is every code that Node may give.
import t from 'tap'
import { UpstreamFailure, connectFailure, exchangeFailure, upstreamRefusal } from '../../src/upstream/failure.ts'

const coded = (code: unknown): Error => Object.assign(new Error('with a secret'), { code })

void t.test('faults while connecting', async (test) => {
  const rows: [kind: string, codes: string[]][] = [
    ['unreachable', ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL', 'EMFILE', 'CONNECT_TIMEOUT', 'EPIPE']],
    ['certificate', [
      'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_GET_CRL', 'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID', 'CERT_REVOKED', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE', 'CERT_CHAIN_TOO_LONG', 'CRL_HAS_EXPIRED', 'ERROR_IN_CERT_NOT_AFTER_FIELD', 'INVALID_CA', 'INVALID_PURPOSE', 'HOSTNAME_MISMATCH',
      'PATH_LENGTH_EXCEEDED', 'EE_KEY_TOO_SMALL', 'CA_MD_TOO_WEAK', 'ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_CERT_ALTNAME_FORMAT', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
      'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_DH_KEY_TOO_SMALL', 'EPROTO',
    ]],
  ]
  for (const [kind, codes] of rows) for (const code of codes) test.match(connectFailure(coded(code)), { kind, code }, code)
})

void t.test('what has no code is unreachable, and keeps its cause', async (test) => {
  for (const error of [new Error('x'), coded(5), null, undefined, 'text']) test.match(connectFailure(error), { kind: 'unreachable', code: 'UNKNOWN', cause: error })
})

void t.test('faults on a connection that was up are resets; what is sorted stays', async (test) => {
  for (const code of ['ECONNRESET', 'EPIPE', 'ERR_SSL_BAD_RECORD_TYPE', 'ETIMEDOUT']) test.match(exchangeFailure(coded(code)), { kind: 'reset', code }, code)
  const known = new UpstreamFailure('timeout', 'NO_REPLY')
  test.equal(exchangeFailure(known), known)
  test.match(exchangeFailure(undefined), { kind: 'reset', code: 'UNKNOWN' })
})

void t.test('each kind has its reason, and the error\'s own words stay with the cause', async (test) => {
  const rows = [['unreachable', 'upstream-unreachable', 502], ['certificate', 'upstream-certificate', 502], ['reset', 'upstream-reset', 502], ['timeout', 'upstream-timeout', 504], ['not-private', 'upstream-not-private', 502]] as const
  for (const [kind, reason, status] of rows) {
    const failure = new UpstreamFailure(kind, 'CODE', coded('CODE'))
    const refusal = upstreamRefusal(failure, 'tideoffice.blob')
    test.match(refusal, { reason, detail: { upstream: 'tideoffice.blob', code: 'CODE' }, cause: failure })
    test.equal(refusal.row.status, status)
    test.strictSame(refusal.tells, {})
    test.notMatch(failure.message + JSON.stringify(refusal.detail), /secret/)
  }
})
