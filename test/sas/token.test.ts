// Steps 2 to 6 of spec/sas.md 1, and 7: what is refused before any key is looked for. Each row is also tried without a key
// and with the most generous policy, which must change nothing.
import t from 'tap'
import { type SasFacts, hasSignature } from '../../src/sas/admission.ts'
import type { Reason } from '../../src/refusal.ts'
import { DelegationKeys } from '../../src/sas/signing-keys.ts'
import { refusalOf } from '../support/verdict.ts'
import { accountParams, admit, blobParams, delegationParams, issued } from './ground.ts'

const SERVICE = issued(blobParams())
const ACCOUNT_SAS = issued(accountParams())
const DELEGATED = issued(delegationParams())
const MALFORMED_FIELDS = 'Signature fields not well formed.'

type Row = readonly [what: string, query: string, reason: Reason, tells: object, facts?: Partial<SasFacts>]
const parameter = (name: string): object => ({ QueryParameterName: name, Reason: String })
const detail = (text: string): object => ({ AuthenticationErrorDetail: text })
const dated = (sv: string | undefined, more: Record<string, string> = {}): string => issued(blobParams({ sv, ...more }))

const ROWS: readonly Row[] = [
  ['a SAS name twice', `${SERVICE}&sv=2025-05-05`, 'sas-duplicate', parameter('sv')],
  ['twice, once in upper case', `${SERVICE}&SIG=x`, 'sas-duplicate', parameter('sig')],
  ['twice, once percent-encoded', `%73p=r&${SERVICE}`, 'sas-duplicate', parameter('sp')],
  ['twice with nothing in it', `spr&spr&${SERVICE}`, 'sas-duplicate', parameter('spr')],
  ['upper case', SERVICE.replace('sv=', 'SV='), 'sas-malformed', parameter('sv')],
  ['upper case, percent-encoded', SERVICE.replace('sig=', 's%49g='), 'sas-malformed', parameter('sig')],
  ['mixed case of a name that is absent otherwise', `${SERVICE}&Spr=https`, 'sas-malformed', parameter('spr')],
  ['a malformed escape', `${SERVICE}&rscd=%zz`, 'sas-malformed', parameter('rscd')],
  ['an escape cut off', `${SERVICE}&rscd=50%`, 'sas-malformed', parameter('rscd')],
  ['not UTF-8', `${SERVICE}&rscd=%ff`, 'sas-malformed', parameter('rscd')],
  ['overlong UTF-8', `${SERVICE}&rscd=%c0%af`, 'sas-malformed', parameter('rscd')],

  ['a NUL in a value', `${SERVICE}&rscd=a%00`, 'sas-malformed', parameter('rscd')],
  ['a malformed escape in any name', `${SERVICE}&%zz=1`, 'sas-malformed', { Reason: String }],
  ['a NUL in any name', `${SERVICE}&x%00=1`, 'sas-malformed', { Reason: String }],

  ['account with sr', `${ACCOUNT_SAS}&sr=b`, 'sas-mixed', parameter('sr')],
  ['account with si', `${ACCOUNT_SAS}&si=p`, 'sas-mixed', parameter('si')],
  ['account with tn', `${ACCOUNT_SAS}&tn=t`, 'sas-mixed', parameter('tn')],
  ['account with a delegation key', `${ACCOUNT_SAS}&ske=x`, 'sas-mixed', parameter('ske')],
  ['srt alone with sr', `${SERVICE}&srt=o`, 'sas-mixed', parameter('sr')],
  ['si with a delegation key', `${DELEGATED}&si=p`, 'sas-mixed', parameter('si')],
  ['si with one text of a delegation key', `${SERVICE}&si=p&skv=x`, 'sas-mixed', parameter('si')],
  ['a delegation key of five texts', issued(delegationParams({ sks: undefined })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['a delegation key with an empty text', issued(delegationParams({ skoid: '' })), 'sas-signature', detail(MALFORMED_FIELDS)],

  ['sv is no date', dated('2025-5-5'), 'sas-malformed', parameter('sv')],
  ['sv is no real date', dated('2025-02-29'), 'sas-malformed', parameter('sv')],
  ['sv in month 13', dated('2025-13-01'), 'sas-malformed', parameter('sv')],
  ['sv with a blank', dated('2025-05-05 '), 'sas-malformed', parameter('sv')],
  ['sv is empty', dated(''), 'sas-malformed', parameter('sv')],
  ['no sv', dated(undefined), 'sas-version', detail('sv has no signed protocol; ask for a SAS of 2015-04-05 or later')],
  ['the last sv without a protocol', dated('2015-04-04'), 'sas-version', detail('sv has no signed protocol; ask for a SAS of 2015-04-05 or later')],
  ['an old sv with a bad signature', 'sv=2015-02-21&sr=b&sp=r&se=2026-11-25&sig=', 'sas-version', {}],
  ['an account SAS before there were any', issued(accountParams({ sv: '2015-02-21' })), 'sas-version', {}],
  ['a user delegation SAS before there were any', issued(delegationParams({ sv: '2018-03-28' })), 'sas-version', {}],
  ['the same for queues', issued(delegationParams({ sv: '2025-05-05' })), 'sas-version', {}, { service: 'queue' }],
  ['the same for files', issued(delegationParams({ sv: '2025-05-05' })), 'sas-version', {}, { service: 'file' }],
  ['a user delegation SAS for tables', issued(delegationParams()), 'sas-version', {}, { service: 'table' }],

  ...['http', 'HTTPS', 'https ', 'http,https', 'https, http', 'https,http,https', 'https%0A'].map((spr): Row =>
    [`spr is ${spr}`, `${SERVICE}&spr=${spr}`, 'sas-protocol-value', parameter('spr')]),

  ['sig is empty', SERVICE.replace(/sig=.*/, 'sig='), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['sig has no value', SERVICE.replace(/sig=.*/, 'sig'), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['sig without padding', SERVICE.replace(/%3D$/, ''), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['sig in the url-safe alphabet', SERVICE.replace(/sig=.*/, `sig=${'-_'.repeat(21)}A%3D`), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['sig with a raw plus', SERVICE.replace(/sig=.*/, `sig=+${'A'.repeat(42)}%3D`), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['sig of 33 bytes', SERVICE.replace(/sig=.*/, `sig=${'A'.repeat(44)}`), 'sas-signature', detail(MALFORMED_FIELDS)],

  ['no sp', issued(blobParams({ sp: undefined })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['sp is empty', issued(blobParams({ sp: '' })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['no se', issued(blobParams({ se: undefined })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['an empty si in the place of se', issued(blobParams({ se: undefined, si: '' })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['account without srt', issued(accountParams({ srt: undefined })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['account without ss', issued(accountParams({ ss: undefined })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['delegation without se', issued(delegationParams({ se: undefined })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['a line feed in a value', issued(blobParams({ rscd: 'a\nb' })), 'sas-signature', detail(MALFORMED_FIELDS)],

  ['ses before its version', dated('2020-10-02', { ses: 'scope' }), 'sas-signature', detail(MALFORMED_FIELDS)],
  ['ses before its version, account', issued(accountParams({ sv: '2020-10-02', ses: 'scope' })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ...['saoid', 'suoid', 'scid', 'skdutid', 'sduoid', 'srh', 'srq'].flatMap((name): Row[] => [
    [`${name} on a service SAS`, issued(blobParams({ sv: '2026-04-06', [name]: 'x' })), 'sas-signature', detail(MALFORMED_FIELDS)],
    [`${name} on an account SAS`, issued(accountParams({ sv: '2026-04-06', [name]: 'x' })), 'sas-signature', detail(MALFORMED_FIELDS)],
  ]),
  ...([['saoid', '2019-12-12'], ['suoid', '2019-12-12'], ['scid', '2019-12-12'], ['ses', '2020-10-02'], ['skdutid', '2025-05-05'], ['sduoid', '2025-05-05'], ['srh', '2026-02-06'], ['srq', '2026-02-06']] as const).map(([name, sv]): Row =>
    [`${name} on a user delegation SAS before its version`, issued(delegationParams({ sv, [name]: 'x' })), 'sas-signature', detail(MALFORMED_FIELDS)]),
]

const UNKNOWN_KIND: readonly Reason[] = ['sas-duplicate', 'sas-mixed']

for (const [what, query, reason, tells, facts = {}] of ROWS) {
  void t.test(`${reason}: ${what}`, async (test) => {
    const refusal = refusalOf(() => admit({ query, ...facts }))
    test.match(refusal, { reason, tells })
    test.strictSame(Object.keys(refusal?.tells ?? {}).length, Object.keys(tells).length === 0 ? 1 : Object.keys(tells).length, 'tells no more')
    if (UNKNOWN_KIND.includes(reason)) test.notOk(refusal?.detail['kind'], 'no kind yet')
    if (refusal?.row.status === 403) test.match(refusal.detail, { kind: /^(account|service|user-delegation)$/ })
    const keyless = refusalOf(() => admit({ query, ...facts }, { keys: { account: [], delegation: new DelegationKeys() }, withoutKey: 'pass' }))
    test.equal(keyless?.reason, reason, 'also where there is no key')
  })
}

void t.test('a query without sig is no SAS request, yet its SAS names are read', async (test) => {
  for (const query of ['', 'comp=list', 'restype=container&comp=list', 'sv=2025-05-05', 'sp=r&se=1', 'signature=x', 'comp=%zz', 'x=sig', '&&', '=']) test.equal(admit({ query }), undefined, query)
  test.equal(refusalOf(() => admit({ query: 'comp=list&se=1&se=2' }))?.reason, 'sas-duplicate')
  test.equal(refusalOf(() => admit({ query: 'comp=list&SE=1' }))?.reason, 'sas-malformed')
})

void t.test('hasSignature sees the name in any spelling and nothing else', async (test) => {
  for (const query of ['sig=', 'sig', 'a=b&sig=x', 'SIG=x', '%73ig=x', 's%69%67', 'a&%53%49%47=1']) test.equal(hasSignature(query), true, query)
  for (const query of ['', 'signature=x', 'a=sig', 'xsig=1', 'sig%3D=1', 'si%67n=1']) test.equal(hasSignature(query), false, query)
})

void t.test('what is misplaced but harmless is sent upstream as it is', async (test) => {
  const harmless: readonly (readonly [string, Partial<SasFacts>])[] = [
    [issued(blobParams({ sdd: '2' })), {}],
    [issued([...blobParams({ sr: 'q' }), ['rscd', 'x']], { service: 'queue', path: '/orders/messages' }), { service: 'queue', decodedPath: '/orders/messages' }],
    [issued([...blobParams({ sr: undefined }), ['tn', 'T'], ['rsct', 'x']], { service: 'table', path: '/T' }), { service: 'table', decodedPath: '/T' }],
  ]
  for (const [query, facts] of harmless) {
    const verdict = admit({ query, ...facts })
    test.equal(verdict?.outcome, 'tightened')
    for (const part of query.split('&')) if (!part.startsWith('sig=')) test.ok(verdict?.query.split('&').includes(part), part)
  }
})
