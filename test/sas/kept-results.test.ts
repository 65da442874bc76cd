// What is remembered, and what is looked at anew at every request (spec/sas.md 8).
import { createSecretKey } from 'node:crypto'
import t from 'tap'
import { createKeptResults } from '../../src/sas/admission.ts'
import type { AccountKey } from '../../src/azure/shared-key.ts'
import { DelegationKeys, type SigningKeys } from '../../src/sas/signing-keys.ts'
import { refusalOf } from '../support/verdict.ts'
import { KEY1, KEY2, NOW, SKEY1, SKEY2, UDK, admit, blobParams, delegationParams, issued, paramsOf } from './ground.ts'
import { secondAccepts } from './second.ts'

void t.test('a second request comes to the same', async (test) => {
  for (const [query, header] of [[issued(blobParams()), () => undefined], [issued(blobParams({ spr: 'https' })), () => undefined], [issued(delegationParams({ srh: 'a' }), { headers: { a: '1' } }, UDK), () => '1']] as const) {
    const kept = createKeptResults(5)
    const first = admit({ query, header }, {}, kept)
    test.equal(kept.size, 1)
    test.strictSame(admit({ query, header }, {}, kept), first)
    test.equal(kept.size, 1)
  }
})

void t.test('a container token is kept once for all its blobs, with their own parameters', async (test) => {
  const kept = createKeptResults(5)
  const query = issued(blobParams({ sr: 'c' }))
  for (const [decodedPath, own] of [['/ledgers/a', 'comp=x'], ['/ledgers/b/c', 'timeout=5'], ['/ledgers/d', '']] as const) {
    const verdict = admit({ query: `${own}&${query}`, decodedPath }, {}, kept)
    test.ok(verdict?.query.startsWith(`${own}&`))
    test.ok(secondAccepts({ service: 'blob', account: 'tideoffice', path: decodedPath }, verdict?.query ?? '', [KEY1]))
  }
  test.equal(kept.size, 1)
  test.equal(refusalOf(() => admit({ query, decodedPath: '/other/a' }, {}, kept))?.reason, 'sas-signature')
})

void t.test('times, address and table are checked although the result is kept', async (test) => {
  const kept = createKeptResults(5)
  const query = issued(blobParams({ sip: '203.0.113.65' }))
  admit({ query }, {}, kept)
  test.equal(refusalOf(() => admit({ query, clientAddress: '203.0.113.66' }, {}, kept))?.reason, 'sas-source-ip')
  test.equal(refusalOf(() => admit({ query, now: NOW - 30 * 3_600_000 }, {}, kept))?.reason, 'sas-not-yet')
  test.equal(refusalOf(() => admit({ query, now: Date.parse('2026-11-25T06:00:00Z') }, {}, kept))?.reason, 'sas-expired')
  test.equal(kept.size, 0, 'forgotten at its end')

  const table = issued(paramsOf({ sv: '2019-02-02', se: '2026-11-25', sp: 'r', tn: 'Ledger' }), { service: 'table', path: '/Ledger' })
  admit({ service: 'table', decodedPath: '/Ledger()', query: table }, {}, kept)
  test.equal(refusalOf(() => admit({ service: 'table', decodedPath: '/Other()', query: table }, {}, kept))?.reason, 'sas-resource')
})

void t.test('a signature is no key to the results of other parameters', async (test) => {
  const kept = createKeptResults(50)
  const query = issued(blobParams({ sr: 'bs', snapshot: 'A' }))
  admit({ query }, {}, kept)
  for (const changed of [query.replace('snapshot=A', 'snapshot=B'), query.replace('sp=r', 'sp=rw'), query.replace('2026-11-25', '2027-11-25'), `${query}&si=p`, query.replace('sr=bs', 'sr=b')]) {
    test.equal(refusalOf(() => admit({ query: changed }, {}, kept))?.reason, 'sas-signature', changed)
  }
  const delegated = issued(delegationParams({ srq: 'comp', comp: 'list' }), {}, UDK)
  admit({ query: delegated }, {}, kept)
  test.equal(refusalOf(() => admit({ query: delegated.replace('comp=list', 'comp=delete') }, {}, kept))?.reason, 'sas-signature')
  const unsigned = issued(blobParams({ sr: 'b', snapshot: 'A' }))
  const first = admit({ query: unsigned }, {}, kept)
  test.equal(admit({ query: unsigned.replace('snapshot=A', 'snapshot=B') }, {}, kept)?.query, first?.query.replace('snapshot=A', 'snapshot=B'), 'sr=b signs none')
})

void t.test('a wrong signature is not served from the result of the right one', async (test) => {
  const kept = createKeptResults(50)
  const query = issued(blobParams())
  admit({ query }, {}, kept)
  for (const sig of [`${'A'.repeat(43)}=`, new URLSearchParams(issued(blobParams({ spr: 'https' }))).get('sig') ?? '']) {
    test.equal(refusalOf(() => admit({ query: query.replace(/sig=.*/, `sig=${encodeURIComponent(sig)}`) }, {}, kept))?.reason, 'sas-signature')
  }
  test.equal(kept.size, 1)
})

void t.test('other wishes about addresses are other results', async (test) => {
  const kept = createKeptResults(50)
  const query = issued(blobParams({ sip: '203.0.113.65' }))
  const results = ([{ sip: 'keep' }, { sip: 'remove' }, { sip: 'egress', egress: '9.9.9.9' }, { sip: 'egress', egress: '9.9.9.8' }] as const).map((policy) => admit({ query }, policy, kept)?.query)
  test.equal(new Set(results).size, 4)
  test.equal(kept.size, 4)
})

const only = (account: readonly AccountKey[]): { keys: SigningKeys } => ({ keys: { account, delegation: new DelegationKeys() } })

void t.test('a key that was withdrawn takes its results along', async (test) => {
  const kept = createKeptResults(50)
  const query = issued(blobParams(), {}, KEY2)
  test.equal(admit({ query }, {}, kept)?.slot, 'key2')
  test.equal(refusalOf(() => admit({ query }, only([{ slot: 'key1', key: SKEY1 }]), kept))?.reason, 'sas-signature')
  test.equal(kept.size, 0)
  test.equal(admit({ query }, only([{ slot: 'key1', key: SKEY2 }]), kept)?.slot, 'key1', 'rotated into the other place')
  test.equal(admit({ query }, only([{ slot: 'key2', key: createSecretKey(KEY2) }]), kept)?.slot, 'key2', 'read again')
})

void t.test('refusals are not kept, and the number is bounded', async (test) => {
  const kept = createKeptResults(2)
  refusalOf(() => admit({ query: issued(blobParams(), {}, UDK) }, {}, kept))
  refusalOf(() => admit({ query: issued(blobParams({ se: '2026-11-24' })) }, {}, kept))
  test.equal(kept.size, 0)
  for (const sp of ['r', 'w', 'd', 'rw']) admit({ query: issued(blobParams({ sp })) }, {}, kept)
  test.equal(kept.size, 2)
})
