// The decision as a whole: keys, the keyless policy, addresses, outcomes, and what a refusal says.
import { createSecretKey } from 'node:crypto'
import t from 'tap'
import type { Reason } from '../../src/refusal.ts'
import { createKeptResults, type SasFacts, type SasPolicy } from '../../src/sas/admission.ts'
import { DelegationKeys, type SigningKeys } from '../../src/sas/signing-keys.ts'
import { refusalOf } from '../support/verdict.ts'
import { DELEGATION, KEY2, NOW, SKEY1, SKEY2, UDK, accountParams, admit, blobParams, delegationParams, issued } from './ground.ts'
import { pairsOf, secondAccepts } from './second.ts'

const HOUR = 3_600_000
const SERVICE = issued(blobParams())
const NO_KEYS: SigningKeys = { account: [], delegation: new DelegationKeys() }

void t.test('either key of the account verifies, and the same signs', async (test) => {
  for (const [key, slot] of [[undefined, 'key1'], [KEY2, 'key2']] as const) {
    const verdict = admit({ query: issued(blobParams(), {}, key) })
    test.match(verdict, { kind: 'service', outcome: 'tightened', slot, expiresOn: NOW + 18 * HOUR })
    test.strictSame(pairsOf(verdict?.query ?? ''), pairsOf(issued(blobParams(), {}, key).replace('&sig', '&spr=https&sig')).map(([name, value]) =>
      [name, name === 'sig' ? new URLSearchParams(issued(blobParams({ spr: 'https' }), {}, key)).get('sig') : value]))
  }
  test.equal(refusalOf(() => admit({ query: issued(blobParams(), {}, Buffer.alloc(64, 9)) }))?.reason, 'sas-signature')
})

void t.test('spr=https is sent upstream byte for byte', async (test) => {
  const query = `comp=x&&${issued(blobParams({ spr: 'https' }))}&timeout=%zz&`
  test.strictSame(admit({ query }), { kind: 'service', outcome: 'unchanged', query, slot: 'key1', expiresOn: NOW + 18 * HOUR, httpsOnly: true, grants: { permissions: 'r', services: null, resourceTypes: null } })
})

void t.test('without the key', async (test) => {
  const https = issued(blobParams({ spr: 'https' })), both = issued(blobParams({ spr: 'https,http' }))
  const account = issued(accountParams({ spr: 'https' })), delegated = issued(delegationParams({ spr: 'https' }), {}, UDK)
  const rows: readonly (readonly [SasPolicy['withoutKey'], query: string, passes: boolean])[] = [
    ['refuse', https, false], ['refuse', SERVICE, false], ['refuse', account, false], ['refuse', delegated, false],
    ['pass-if-https', https, true], ['pass-if-https', account, true], ['pass-if-https', delegated, true], ['pass-if-https', both, false], ['pass-if-https', SERVICE, false],
    ['pass', https, true], ['pass', both, true], ['pass', SERVICE, true], ['pass', delegated, true],
  ]
  for (const [withoutKey, query, passes] of rows) {
    const attempt = (): unknown => admit({ query }, { keys: NO_KEYS, withoutKey })
    if (passes) test.match(attempt(), { outcome: 'passed-unverified', query, slot: null, expiresOn: NOW + 18 * HOUR })
    else test.match(refusalOf(attempt), { reason: 'sas-no-key', detail: { kind: String }, tells: { AuthenticationErrorDetail: 'this gateway cannot verify the SAS' } })
  }
  test.equal(admit({ query: issued([...blobParams({ se: 'never' })]) }, { keys: NO_KEYS, withoutKey: 'pass' })?.expiresOn, null)
})

void t.test('one kind of key says nothing of the other', async (test) => {
  const ownKeys: SigningKeys = { account: [{ slot: 'key1', key: SKEY1 }], delegation: new DelegationKeys() }
  test.equal(refusalOf(() => admit({ query: issued(delegationParams()) }, { keys: ownKeys }))?.reason, 'sas-no-key', 'signed with the account key')
  const delegationOnly: SigningKeys = { account: [], delegation: new DelegationKeys([DELEGATION]) }
  test.equal(refusalOf(() => admit({ query: issued(blobParams(), {}, UDK) }, { keys: delegationOnly }))?.reason, 'sas-no-key')
  test.match(admit({ query: issued(delegationParams(), {}, UDK) }, { keys: delegationOnly }), { kind: 'user-delegation', slot: 'delegation', outcome: 'tightened' })
  test.equal(refusalOf(() => admit({ query: issued(delegationParams()) }))?.reason, 'sas-signature', 'found, and not its signature')
  test.equal(refusalOf(() => admit({ query: issued(delegationParams({ skv: '2025-11-05' }), {}, UDK) }))?.reason, 'sas-no-key', 'another key by one text')
})

void t.test('a bad signature is not told from a withdrawn key, nor is the text told', async (test) => {
  const refusal = refusalOf(() => admit({ query: SERVICE, decodedPath: '/ledgers/other' }))
  test.match(refusal, { reason: 'sas-signature', detail: { kind: 'service' }, tells: { AuthenticationErrorDetail: 'Signature did not match.' } })
  test.notMatch(JSON.stringify([refusal?.detail, refusal?.tells]), /ledgers/)
})

const time = (offset: number): string => new Date(NOW + offset).toISOString()
const told = (text: string): object => ({ AuthenticationErrorDetail: text })

void t.test('the times of a token', async (test) => {
  const rows: readonly (readonly [what: string, st: string | undefined, se: string, Reason | undefined, tells?: object])[] = [
    ['no start', undefined, time(1), undefined],
    ['ends now', undefined, time(0), 'sas-expired', told('Signed expiry time [Tue, 24 Nov 2026 12:00:00 GMT] has to be after signed start time [Tue, 24 Nov 2026 12:00:00 GMT]')],
    ['ended', time(-2 * HOUR), time(-HOUR), 'sas-expired', told('Signature not valid in the specified time frame: Start [Tue, 24 Nov 2026 10:00:00 GMT] - Expiry [Tue, 24 Nov 2026 11:00:00 GMT] - Current [Tue, 24 Nov 2026 12:00:00 GMT]')],
    ['no skew for the end', undefined, time(-1), 'sas-expired'],
    ['less than a millisecond left', undefined, '2026-11-24T12:00:00.0009Z', 'sas-expired'],
    ['starts within the skew', time(300_000), time(HOUR), undefined],
    ['starts after the skew', time(300_001), time(HOUR), 'sas-not-yet', told('Signature not valid in the specified time frame: Start [Tue, 24 Nov 2026 12:05:00 GMT] - Expiry [Tue, 24 Nov 2026 13:00:00 GMT] - Current [Tue, 24 Nov 2026 12:00:00 GMT]')],
    ['ends before it starts', time(200_000), time(100_000), 'sas-expired', told('Signed expiry time [Tue, 24 Nov 2026 12:01:40 GMT] has to be after signed start time [Tue, 24 Nov 2026 12:03:20 GMT]')],
    ['a date', '2026-11-24', '2026-11-25', undefined],
    ['an offset', '2026-11-24T14:00+02:00', '2026-11-24T06:00:01-06:00', undefined],
    ['an offset with a raw plus is a blank', '2026-11-24T14:00 02:00', time(HOUR), 'sas-signature', told('Signature fields not well formed.')],
    ['no time', undefined, 'tomorrow', 'sas-signature'],
    ['no real day', undefined, '2026-11-31T00:00:00Z', 'sas-signature'],
  ]
  for (const [what, st, se, reason, tells = {}] of rows) {
    const attempt = (): unknown => admit({ query: issued(blobParams({ st, se })) })
    if (reason === undefined) test.match(attempt(), { outcome: 'tightened' }, what)
    else test.match(refusalOf(attempt), { reason, tells, detail: { kind: 'service' } }, what)
  }
})

void t.test('a stored access policy may hold the times and permissions', async (test) => {
  const empty = { sp: undefined, st: undefined, se: undefined }
  test.match(admit({ query: issued(blobParams({ ...empty, si: 'a +/policy' })) }), { outcome: 'tightened', expiresOn: null })
  const early = refusalOf(() => admit({ query: issued(blobParams({ ...empty, st: '2026-11-25', si: 'p' })) }))
  test.match(early, { reason: 'sas-not-yet', tells: { AuthenticationErrorDetail: 'Signature not valid in the specified time frame: Start [Wed, 25 Nov 2026 00:00:00 GMT] - Current [Tue, 24 Nov 2026 12:00:00 GMT]' } })
  test.equal(refusalOf(() => admit({ query: issued(blobParams({ ...empty, se: '2026-11-24', si: 'p' })) }))?.reason, 'sas-expired')
})

const from = (sip: string, clientAddress: string): unknown => admit({ query: issued(blobParams({ sip })), clientAddress })

void t.test('the address of the client', async (test) => {
  const inside: readonly (readonly [sip: string, address: string])[] = [
    ['203.0.113.65', '203.0.113.65'], ['203.0.113.65', '::ffff:203.0.113.65'], ['203.0.113.65', '::FFFF:cb00:7141'],
    ['203.0.113.60-203.0.113.70', '203.0.113.60'], ['203.0.113.60-203.0.113.70', '203.0.113.70'], ['9.0.0.0-10.0.0.0', '9.200.0.1'], ['', '2001:db8::1'],
  ]
  const outside: typeof inside = [
    ['203.0.113.65', '203.0.113.66'], ['203.0.113.60-203.0.113.70', '203.0.113.71'], ['203.0.113.60-203.0.113.70', '203.0.113.59'], ['9.0.0.0-10.0.0.0', '10.0.0.1'],
    ['203.0.113.65', '2001:db8::1'], ['0.0.0.0-255.255.255.255', '2001:db8::1'], ['0.0.0.0-255.255.255.255', 'fe80::1%eth0'], ['0.0.0.0-255.255.255.255', ''],
  ]
  const unreadable = ['203.0.113.0/24', '203.0.113.65,203.0.113.66', '2001:db8::1', '203.0.113.70-203.0.113.60', '203.0.113', '203.0.113.065', ' 203.0.113.65', '203.0.113.65-', '1.2.3.4-1.2.3.5-1.2.3.6']
  for (const [sip, address] of inside) test.match(from(sip, address), { outcome: 'tightened' }, `${sip} holds ${address}`)
  for (const [sip, address] of outside) test.match(refusalOf(() => from(sip, address)), { reason: 'sas-source-ip', detail: { kind: 'service' } }, `${sip} does not hold ${address}`)
  for (const sip of unreadable) test.match(refusalOf(() => from(sip, '203.0.113.65')), { reason: 'sas-malformed', detail: { kind: 'service' }, tells: { QueryParameterName: 'sip' } }, sip)
})

void t.test('what goes upstream says of addresses what the policy wants', async (test) => {
  const query = issued(blobParams({ sip: '203.0.113.65', spr: 'https' }))
  const rows: readonly (readonly [Pick<SasPolicy, 'sip' | 'egress'>, outcome: string, sip: string | null])[] = [
    [{ sip: 'keep' }, 'unchanged', '203.0.113.65'],
    [{ sip: 'remove' }, 'tightened', null],
    [{ sip: 'egress', egress: '198.51.100.1-198.51.100.2' }, 'tightened', '198.51.100.1-198.51.100.2'],
    [{ sip: 'egress', egress: '203.0.113.65' }, 'unchanged', '203.0.113.65'],
  ]
  for (const [policy, outcome, sip] of rows) {
    const verdict = admit({ query }, policy)
    test.equal(verdict?.outcome, outcome)
    test.equal(new URLSearchParams(verdict?.query).get('sip'), sip)
    test.equal(new URLSearchParams(verdict?.query).get('sig'), new URLSearchParams(issued(blobParams({ spr: 'https', sip: sip ?? undefined }))).get('sig'))
  }
  const none = admit({ query: SERVICE }, { sip: 'egress', egress: '198.51.100.1' })
  test.equal(new URLSearchParams(none?.query).get('sip'), null, 'never added')
})

void t.test('a newer version is tried with the newest layout', async (test) => {
  test.match(admit({ query: issued(blobParams({ sv: '2031-01-01' })) }), { outcome: 'tightened' })
  test.equal(refusalOf(() => admit({ query: SERVICE.replace('2025-05-05', '2031-01-01') }))?.reason, 'sas-signature')
  test.equal(refusalOf(() => admit({ query: SERVICE.replace('2025-05-05', '2031-01-01') }, { withoutKey: 'pass' }))?.reason, 'sas-signature', 'the keyless policy is for a missing key')
})

void t.test('a policy is per account', async (test) => {
  const facts: Partial<SasFacts> = { query: issued(accountParams()) }
  test.equal(refusalOf(() => admit(facts, { account: 'other' }))?.reason, 'sas-signature')
  test.equal(refusalOf(() => admit(facts, { keys: { account: [{ slot: 'key1', key: createSecretKey(KEY2) }], delegation: new DelegationKeys() } }))?.reason, 'sas-signature')
})

void t.test('one account\'s key verifies, another account\'s signs what goes upstream', async (test) => {
  const upstream = { account: 'realone', key: SKEY2 } as const
  for (const spr of ['https', 'https,http', undefined]) {
    for (const query of [issued(blobParams({ spr })), issued(accountParams({ spr }))]) {
      const kept = createKeptResults(10)
      const [verdict, again] = [admit({ query }, { upstream }, kept), admit({ query }, { upstream }, kept)]
      test.strictSame(again, verdict, 'a kept result comes to the same')
      test.equal(verdict?.outcome, spr === 'https' ? 'unchanged' : 'tightened')
      test.equal(verdict?.slot, 'key1')
      test.not(verdict?.query, query)
      test.ok(secondAccepts({ service: 'blob', account: 'realone', path: '/ledgers/2026/q4.csv' }, verdict?.query ?? '', [KEY2]), String(spr))
    }
  }
})
