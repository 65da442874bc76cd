// Headers and parameters that a user delegation SAS signs by name (spec/sas.md 13).
import t from 'tap'
import type { Reason } from '../../src/refusal.ts'
import { refusalOf } from '../support/verdict.ts'
import { UDK, admit, delegationParams, issued } from './ground.ts'
import { pairsOf, secondAccepts } from './second.ts'

const HEADERS: Readonly<Record<string, string>> = { 'x-ms-range': 'bytes=0-1023', 'x-ms-version': '2026-04-06' }
const WHERE = { service: 'blob', account: 'tideoffice', path: '/ledgers/2026/q4.csv', headers: HEADERS } as const
const header = (name: string): string | undefined => HEADERS[name]

function query(change: Record<string, string | undefined>): string {
  return issued(delegationParams(change), { headers: HEADERS }, UDK)
}

void t.test('signed again from the new query', async (test) => {
  const rows: readonly Record<string, string>[] = [
    { srh: 'x-ms-range' }, { srh: 'x-ms-version,x-ms-range' }, { srq: 'comp', comp: 'a b+c' }, { srq: 'spr,sks', spr: 'https,http' }, { srq: 'spr', spr: '' },
    { srh: 'x-ms-range', srq: 'timeout,sv,comp', comp: 'list', timeout: '' }, { srh: '', srq: '' },
  ]
  for (const change of rows) {
    const verdict = admit({ query: query(change), header })
    test.equal(verdict?.outcome, 'tightened', JSON.stringify(change))
    test.ok(secondAccepts(WHERE, verdict?.query ?? '', [UDK]))
  }
})

void t.test('what cannot be read or is not there', async (test) => {
  const rows: readonly (readonly [Record<string, string>, Reason])[] = [
    [{ srh: 'x-ms-missing' }, 'sas-signature'], [{ srq: 'comp' }, 'sas-signature'], [{ srq: 'spr' }, 'sas-signature'], [{ srq: 'Comp', comp: 'x' }, 'sas-signature'],
    [{ srh: 'x-ms-range,' }, 'sas-malformed'], [{ srq: ',comp', comp: 'x' }, 'sas-malformed'], [{ srh: 'a b' }, 'sas-malformed'], [{ srh: 'x:y' }, 'sas-malformed'], [{ srq: 'sig' }, 'sas-malformed'],
    [{ srq: 'comp', comp: 'a\nb' }, 'sas-signature'],
  ]
  for (const [change, reason] of rows) {
    const refusal = refusalOf(() => admit({ query: query(change), header }))
    test.match(refusal, { reason, detail: { kind: 'user-delegation' } }, JSON.stringify(change))
  }
  test.equal(refusalOf(() => admit({ query: `${query({ srq: 'comp', comp: 'x' })}&comp=y`, header }))?.reason, 'sas-signature', 'a listed parameter twice')
  test.equal(refusalOf(() => admit({ query: `comp=%ff&${query({ srq: 'comp' })}`, header }))?.reason, 'sas-signature', 'a listed parameter that is malformed')
})

void t.test('a changed header or parameter is another text', async (test) => {
  const both = query({ srh: 'x-ms-range', srq: 'comp', comp: 'list' })
  test.equal(refusalOf(() => admit({ query: both, header: () => 'bytes=0-' }))?.reason, 'sas-signature')
  test.equal(refusalOf(() => admit({ query: both.replace('comp=list', 'comp=other'), header }))?.reason, 'sas-signature')
})

void t.test('a listed sip stays, or is replaced with its second mention', async (test) => {
  const withSip = query({ sip: '203.0.113.65', srq: 'sip' })
  for (const [policy, sip] of [[{ sip: 'remove' }, '203.0.113.65'], [{ sip: 'egress', egress: '198.51.100.1' }, '198.51.100.1']] as const) {
    const verdict = admit({ query: withSip, header }, policy)
    test.equal(new Map(pairsOf(verdict?.query ?? '')).get('sip'), sip)
    test.ok(secondAccepts(WHERE, verdict?.query ?? '', [UDK]))
  }
})
