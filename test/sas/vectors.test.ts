// The 89 vectors of spec/sas-vectors.json, each made by a real SDK, through the whole decision.
import t from 'tap'
import { admitSas, createKeptResults } from '../../src/sas/admission.ts'
import { readingsOf } from '../../src/sas/canonical-resource.ts'
import { readQuery } from '../../src/sas/query.ts'
import { readSas } from '../../src/sas/token.ts'
import { textOf } from '../../src/sas/verify.ts'
import { refusalOf } from '../support/verdict.ts'
import { VECTORS, type Vector, factsOfVector, policyOfVector } from './ground.ts'
import { pairsOf } from './second.ts'

t.equal(VECTORS.length, 89)

for (const vector of VECTORS) {
  const { name, kind, expectedAfterTighten: expected, expectedWhenSipRemoved: removed } = vector
  const facts = factsOfVector(vector)
  // Two vectors allow one address or range, two another.
  const clientAddress = vector.url.includes('sip=198.51.100.7') ? '198.51.100.7' : '203.0.113.65'
  const judge = (sip: 'keep' | 'remove') => admitSas({ ...facts, clientAddress }, policyOfVector(vector, { sip }), createKeptResults(5))

  void t.test(name, async (test) => {
    if (expected.action === 'refuse') {
      const refusal = refusalOf(() => judge('keep'))
      test.match(refusal, { reason: 'sas-version', detail: { kind }, row: { status: expected.status, azure: expected.errorCode } })
      return
    }
    test.equal(textFor(vector, facts.query), vector.stringToSign, 'the string to sign as it came')
    const verdict = judge('keep')
    test.match(verdict, { kind, outcome: expected.action === 'unchanged' ? 'unchanged' : 'tightened', slot: kind === 'user-delegation' ? 'delegation' : 'key1' })
    test.strictSame(heldBy(vector, verdict?.query ?? ''), heldBy(vector, expected.query))
    test.match(heldBy(vector, verdict?.query ?? ''), { text: expected.stringToSign, sig: expected.sig, protocols: ['https'] })
    if (expected.action === 'unchanged') test.equal(verdict?.query, facts.query, 'byte for byte')

    const without = judge('remove')?.query ?? ''
    test.strictSame(heldBy(vector, without), heldBy(vector, (removed ?? expected).query))
    if (removed !== undefined) test.match(heldBy(vector, without), { text: removed.stringToSign, sig: removed.sig })
  })
}

/** What a query holds, whatever the order and the escapes, and what would be signed for it. */
function heldBy(vector: Vector, query: string): { pairs: string[]; text: string; sig: string | null; protocols: string[] } {
  const values = new URLSearchParams(query)
  return { pairs: pairsOf(query).map((pair) => pair.join('=')).toSorted(), text: textFor(vector, query), sig: values.get('sig'), protocols: values.getAll('spr') }
}

/** The string to sign in the first reading, in the vector's place. */
function textFor(vector: Vector, query: string): string {
  const facts = factsOfVector(vector)
  const { service, decodedPath } = facts
  const token = readSas(readQuery(query), service)
  const [reading = { resource: '', snapshot: '' }] = readingsOf(token, decodedPath, service, vector.account)
  return textOf(token, reading, { account: vector.account, header: (name) => facts.header(name) })
}

