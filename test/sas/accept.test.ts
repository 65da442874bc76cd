// storage.sas.accept: how long a token may live, whether it must be revocable, and what mode report leaves alone.
import t from 'tap'
import { createKeptResults, type SasPolicy } from '../../src/sas/admission.ts'
import type { Reason } from '../../src/refusal.ts'
import { DelegationKeys } from '../../src/sas/signing-keys.ts'
import { refusalOf } from '../support/verdict.ts'
import { NOW, UDK, accountParams, admit, blobParams, delegationParams, issued } from './ground.ts'

const HOUR = 3_600_000
const at = (offset: number): string => new Date(NOW + offset).toISOString()
const limit = (maxLifetime: number): Partial<SasPolicy> => ({ accept: { maxLifetime, requireIdentifier: false, mode: 'refuse' } })
const named: Partial<SasPolicy> = { accept: { requireIdentifier: true, mode: 'refuse' } }

void t.test('the lifetime goes from st, else from now, to se', async (test) => {
  const rows: readonly (readonly [what: string, Readonly<Record<string, string | undefined>>, Reason | undefined])[] = [
    ['as long as allowed', { st: at(-HOUR), se: at(HOUR) }, undefined],
    ['a millisecond more', { st: at(-HOUR), se: at(HOUR + 1) }, 'sas-lifetime'],
    ['without a start, from now', { st: undefined, se: at(2 * HOUR) }, undefined],
    ['without a start, longer from now', { st: undefined, se: at(2 * HOUR + 1000) }, 'sas-lifetime'],
    ['without an end', { st: undefined, se: undefined, si: 'readers' }, undefined],
    ['expired and too long: the time comes first', { st: at(-9 * HOUR), se: at(-HOUR) }, 'sas-expired'],
    ['for another address and too long: the address comes first', { se: at(9 * HOUR), sip: '192.0.2.1' }, 'sas-source-ip'],
  ]
  for (const [what, change, reason] of rows) {
    const attempt = (): unknown => admit({ query: issued(blobParams(change)) }, limit(2 * HOUR))
    if (reason === undefined) test.match(attempt(), { outcome: 'tightened' }, what)
    else test.equal(refusalOf(attempt)?.reason, reason, what)
  }
})

void t.test('the same bytes are judged anew each time: a token without a start becomes short enough', async (test) => {
  const kept = createKeptResults(10)
  const query = issued(blobParams({ st: undefined, se: at(3 * HOUR) }))
  const policy = limit(2 * HOUR)
  test.match(refusalOf(() => admit({ query }, policy, kept)), { reason: 'sas-lifetime', detail: { kind: 'service', why: 'lifetime' } })
  test.match(admit({ query, now: NOW + HOUR }, policy, kept), { outcome: 'tightened' })
  test.equal(refusalOf(() => admit({ query }, policy, kept))?.reason, 'sas-lifetime')
})

void t.test('requireIdentifier is for service and account SAS', async (test) => {
  test.match(refusalOf(() => admit({ query: issued(blobParams()) }, named)), { reason: 'sas-lifetime', detail: { why: 'identifier' } })
  test.match(refusalOf(() => admit({ query: issued(blobParams({ si: '' })) }, named)), { reason: 'sas-lifetime' }, 'an empty one is none')
  test.match(refusalOf(() => admit({ query: issued(accountParams()) }, named)), { reason: 'sas-lifetime' })
  test.match(admit({ query: issued(blobParams({ si: 'readers' })) }, named), { outcome: 'tightened' })
  test.match(admit({ query: issued(delegationParams(), {}, UDK) }, named), { outcome: 'tightened' })
})

void t.test('a token that no key verifies is judged too', async (test) => {
  const keyless = { keys: { account: [], delegation: new DelegationKeys() }, withoutKey: 'pass' } as const
  test.equal(refusalOf(() => admit({ query: issued(blobParams({ st: undefined, se: at(9 * HOUR) })) }, { ...keyless, ...limit(HOUR) }))?.reason, 'sas-lifetime')
  test.match(admit({ query: issued(blobParams({ st: undefined, se: at(HOUR) })) }, { ...keyless, ...limit(HOUR) }), { outcome: 'passed-unverified' })
  test.equal(refusalOf(() => admit({ query: issued(blobParams({ se: 'never' })) }, { ...keyless, ...limit(HOUR) }))?.reason, 'sas-lifetime', 'a time that bounds nothing')
})

void t.test('report carries it and says so', async (test) => {
  const report: Partial<SasPolicy> = { accept: { maxLifetime: HOUR, requireIdentifier: true, mode: 'report' } }
  const kept = createKeptResults(10)
  const query = issued(blobParams())
  for (const _ of [1, 2]) test.match(admit({ query }, report, kept), { outcome: 'tightened', wouldRefuse: 'sas-lifetime' })
  test.notOk(admit({ query: issued(blobParams({ st: at(0), se: at(HOUR), si: 'readers' })) }, report)?.wouldRefuse)
})
