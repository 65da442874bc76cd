// The file of revoked tokens, and what its rules take away from a token.
import { createHash } from 'node:crypto'
import t from 'tap'
import { DelegationKeys } from '../../src/sas/signing-keys.ts'
import { createKeptResults } from '../../src/sas/admission.ts'
import { deniedBy, isPolicyName, parseDenied, parseRule, ruleText, signatureDigest, type DeniedTokens } from '../../src/sas/denied.ts'
import { refusalOf } from '../support/verdict.ts'
import { ACCOUNT, DELEGATION, UDK, accountParams, admit, blobParams, delegationParams, issued } from './ground.ts'

const sigOf = (query: string): string => new URLSearchParams(query).get('sig') ?? ''
const digestOf = (query: string): string => createHash('sha256').update(Buffer.from(sigOf(query), 'base64')).digest('hex')
const rules = (text: string): DeniedTokens => {
  const parsed = parseDenied(Buffer.from(text))
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

void t.test('one rule on a line, comments, blank lines, either line end', async (test) => {
  const denied = rules(`\ufeff# revoked on Friday\r\n\nsig ${'AB'.repeat(32)}  # the report job\r\nsi tideoffice my policy\n\tudk  OID-1\t2026-11-24T00:00:00Z\nsi tideoffice a#b`)
  test.strictSame([...denied.signatures], ['ab'.repeat(32)])
  test.strictSame([...denied.policies], ['tideoffice my policy', 'tideoffice a#b'])
  test.equal(denied.delegationKeys.size, 1)
  test.match(rules(''), { signatures: new Set() })
})

void t.test('what is no rule is told by its line alone', async (test) => {
  for (const line of ['sig abcd', 'sig', `sig ${'ab'.repeat(32)} more`, 'si tideoffice', 'si TIDE name', 'si ab name', 'udk oid', 'udk oid yesterday', 'deny x', 'https://a.blob.example/c?sig=S', `si tideoffice ${'n'.repeat(65)}`]) {
    test.equal(parseDenied(Buffer.from(`# first\n${line}\n`)), 'line 2 is no rule', line)
  }
  for (const name of ['', ' a', 'a ', 'a #b', '#a', 'a\tb', 'n'.repeat(65)]) test.equal(isPolicyName(name), false, JSON.stringify(name))
  test.equal(ruleText(parseRule('si tideoffice office-readers') ?? { kind: 'sig', digest: '' }), 'si tideoffice office-readers')
})

void t.test('a signature, a policy and a delegation key are revoked; nothing else is', async (test) => {
  const query = issued(blobParams()), other = issued(blobParams({ sp: 'rw' }))
  test.match(refusalOf(() => admit({ query }, { denied: rules(`sig ${digestOf(query)}`) })), { reason: 'sas-denied', detail: { kind: 'service', rule: 'sig' }, tells: { AuthenticationErrorDetail: String } })
  test.match(admit({ query: other }, { denied: rules(`sig ${digestOf(query)}`) }), { outcome: 'tightened' })
  const named = issued(blobParams({ si: 'readers' }))
  test.equal(refusalOf(() => admit({ query: named }, { denied: rules(`si ${ACCOUNT} readers`) }))?.reason, 'sas-denied')
  for (const text of [`si ${ACCOUNT} reader`, 'si othershop readers', `si ${ACCOUNT} Readers`]) test.match(admit({ query: named }, { denied: rules(text) }), { outcome: 'tightened' }, text)
  const delegated = issued(delegationParams(), {}, UDK)
  for (const text of [`udk oid ${DELEGATION.signedStartsOn}`, 'udk OID 2026-11-24T00:00:00.000Z', 'udk oid 2026-11-24']) {
    test.equal(refusalOf(() => admit({ query: delegated }, { denied: rules(text) }))?.reason, 'sas-denied', text)
  }
  test.match(admit({ query: delegated }, { denied: rules('udk oid 2026-11-25T00:00:00Z') }), { outcome: 'tightened' })
})

void t.test('a forged token is not called revoked; an expired one is', async (test) => {
  const denied = rules(`si ${ACCOUNT} readers`)
  test.equal(refusalOf(() => admit({ query: issued(blobParams({ si: 'readers' }), {}, Buffer.alloc(64, 9)) }, { denied }))?.reason, 'sas-signature')
  test.equal(refusalOf(() => admit({ query: issued(blobParams({ si: 'readers', se: '2026-11-24T11:00:00Z' })) }, { denied }))?.reason, 'sas-denied')
})

void t.test('without a key a token is revoked all the same', async (test) => {
  const keys = { account: [], delegation: new DelegationKeys() }
  const query = issued(accountParams())
  for (const withoutKey of ['pass', 'pass-if-https', 'refuse'] as const) {
    test.equal(refusalOf(() => admit({ query }, { keys, withoutKey, denied: rules(`sig ${digestOf(query)}`) }))?.reason, 'sas-denied', withoutKey)
  }
})

void t.test('a kept result does not outlive the token', async (test) => {
  const kept = createKeptResults(10)
  const query = issued(blobParams())
  test.match(admit({ query }, {}, kept), { outcome: 'tightened' })
  test.equal(refusalOf(() => admit({ query }, { denied: rules(`sig ${signatureDigest(sigOf(query))}`) }, kept))?.reason, 'sas-denied')
  test.equal(deniedBy({ sig: sigOf(query) } as never, [ACCOUNT], rules('')), undefined)
})
