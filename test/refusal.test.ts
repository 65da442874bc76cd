// The one table, held against a copy of contract section 8 that is typed here, the docs, and /metrics.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createTrafficMetrics } from '../src/observe/metrics.ts'
import { REASONS, REFUSALS, Refusal, refuse } from '../src/refusal.ts'
import { refusalOf } from './support/verdict.ts'

/** Contract section 8: stage, status, reasons. */
const CONTRACT: [stage: string, status: number | null, reasons: string][] = [
  ['door', 400, 'plaintext-http'],
  ['door', null, 'plaintext-other hello-timeout proxy-header-missing proxy-header-invalid proxy-header-untrusted address-not-allowed too-many-connections too-many-handshakes'],
  ['handshake', null, 'tls-version tls-no-shared-suite tls-no-shared-group tls-malformed tls-timeout tls-aborted client-cert-missing client-cert-untrusted client-cert-expired client-cert-revoked client-cert-purpose client-cert-weak'],
  ['http', 421, 'host-unknown host-not-sni'],
  ['http', 400, 'http-malformed target-ambiguous'],
  ['http', 404, 'path-unknown'],
  ['http', 411, 'length-required'],
  ['http', 508, 'loop'],
  ['http', 431, 'headers-too-large'],
  ['http', 408, 'headers-timeout'],
  ['http', null, 'body-too-slow'],
  ['http', 405, 'method-refused'],
  ['http', 417, 'expectation-failed'],
  ['http', 403, 'client-not-allowed'],
  ['sas', 400, 'sas-malformed sas-duplicate sas-mixed sas-protocol-value'],
  ['sas', 403, 'sas-version sas-no-key sas-signature sas-not-yet sas-expired sas-source-ip sas-resource sas-lifetime sas-denied'],
  ['storage', 400, 'copy-source-plaintext copy-source-unknown batch-malformed'],
  ['storage', 403, 'shared-key-signature not-permitted'],
  ['storage', 400, 'cse-refused'],
  ['storage', 422, 'cse-unreadable'],
  ['storage', 503, 'cse-unavailable'],
  ['smb', null, 'smb-smb1 smb-dialect smb-no-encryption-offered smb-no-encryption-agreed smb-clear-command smb-guest smb-framing smb-order smb-timeout smb-limit smb-upstream'],
  ['us', 503, 'draining overloaded'],
  ['upstream', 502, 'upstream-unreachable upstream-certificate upstream-reset'],
  ['upstream', 502, 'upstream-not-private'],
  ['upstream', 504, 'upstream-timeout'],
  ['us', 500, 'unexpected'],
]

/** Contract section 5 and spec/sas.md 15.2: storage codes. */
const CODES: Record<string, string> = {
  AccountRequiresHttps: 'plaintext-http',
  InvalidUri: 'host-unknown host-not-sni target-ambiguous path-unknown loop',
  InvalidHeaderValue: 'http-malformed headers-too-large expectation-failed',
  UnsupportedHttpVerb: 'method-refused',
  OperationTimedOut: 'headers-timeout upstream-timeout',
  MissingContentLengthHeader: 'length-required',
  InternalError: 'unexpected upstream-unreachable upstream-certificate upstream-reset upstream-not-private',
  ServerBusy: 'draining overloaded cse-unavailable',
  AuthorizationFailure: 'client-not-allowed',
  AuthorizationPermissionMismatch: 'not-permitted',
  AuthorizationSourceIPMismatch: 'sas-source-ip',
  AuthenticationFailed: 'shared-key-signature sas-version sas-no-key sas-signature sas-not-yet sas-expired sas-resource sas-lifetime sas-denied',
  CannotVerifyCopySource: 'copy-source-plaintext copy-source-unknown',
  InvalidInput: 'batch-malformed cse-refused cse-unreadable',
  InvalidQueryParameterValue: 'sas-malformed sas-duplicate sas-mixed sas-protocol-value',
}

const rows = CONTRACT.flatMap(([stage, status, reasons]) => reasons.split(' ').map((reason) => ({ reason, stage, status })))

void t.test('the table is that of the contract, reason for reason', async (test) => {
  test.strictSame(REASONS.toSorted(), rows.map(({ reason }) => reason).toSorted())
  for (const { reason, stage, status } of rows) test.match(REFUSALS[reason as keyof typeof REFUSALS], { stage, status }, reason)
})

void t.test('storage codes', async (test) => {
  const expected = Object.entries(CODES).flatMap(([code, reasons]) => reasons.split(' ').map((reason) => `${reason} ${code}`)).toSorted()
  test.strictSame(REASONS.filter((reason) => REFUSALS[reason].azure !== null).map((reason) => `${reason} ${REFUSALS[reason].azure}`).toSorted(), expected)
})

void t.test('rows are whole, fixed, and fit together', async (test) => {
  const unsafe = new Set(['plaintext-http', 'http-malformed', 'headers-too-large', 'headers-timeout', 'body-too-slow', 'draining', 'overloaded'])
  for (const reason of REASONS) {
    const row = REFUSALS[reason]
    test.match(reason, /^[a-z0-9]+(-[a-z0-9]+)+$|^loop$|^draining$|^overloaded$|^unexpected$/, reason)
    test.ok(Object.isFrozen(row))
    test.match(row.says, /^[A-Z][\x20-\x7e]+\.$/, 'a sentence in ASCII')
    test.equal(row.azure === null, row.status === null)
    if (row.status === null || unsafe.has(reason)) test.ok(row.closes, `${reason} closes`)
    // Only where one of us must act; a client alone can never cause a line of that level.
    if (row.level === 'error') test.not(row.blame, 'client', reason)
    if (row.stage === 'sas' || row.stage === 'storage') test.ok((row.status ?? 0) < 500 || reason === 'cse-unavailable', `${reason}: SDKs retry a 5xx`)
  }
  test.ok(Object.isFrozen(REFUSALS))
})

void t.test('docs/refusals.md has a section for each reason, and no other', async (test) => {
  const page = readFileSync(join(import.meta.dirname, '../docs/refusals.md'), 'utf8')
  test.strictSame([...page.matchAll(/^## `([^`]+)`/gm)].map(([, reason = '']) => reason).toSorted(), REASONS.toSorted())
})

void t.test('/metrics names each reason with its stage from the start, at zero', async (test) => {
  const text = await createTrafficMetrics().registry.metrics()
  for (const { reason, stage } of rows) test.ok(text.includes(`\ntidegate_refusals_total{stage="${stage}",reason="${reason}"} 0\n`), reason)
  test.equal(text.match(/^tidegate_refusals_total\{/gm)?.length, rows.length)
})

void t.test('a Refusal is a verdict: a reason, what the log may know, what the client may know, no stack', async (test) => {
  const cause = new Error('of it')
  const refusal = new Refusal('sas-expired', { expiresOn: 1 }, { QueryParameterName: 'se' }, cause)
  test.match(refusal, { name: 'Refusal', message: 'sas-expired', reason: 'sas-expired', detail: { expiresOn: 1 }, tells: { QueryParameterName: 'se' }, cause })
  test.equal(refusal.row, REFUSALS['sas-expired'])
  test.equal(refusal.stack?.includes('\n'), false)
  test.ok(new Error('another').stack?.includes('\n'), 'other errors keep theirs')
  test.notOk('cause' in new Refusal('loop'))
  test.match(refusalOf(() => refuse('loop', { a: 1 })), { reason: 'loop', detail: { a: 1 }, tells: {} })
})
