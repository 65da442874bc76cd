// What inspect says of every vector, of tokens that are refused, and that no signature ever comes out.
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import t from 'tap'
import { type InspectGround, type InspectPlace, type SasReport, inspectUrl } from '../../../src/sas/inspect/inspect.ts'
import { spanText } from '../../../src/sas/inspect/review.ts'
import { isRefused, linesFor } from '../../../src/sas/inspect/text.ts'
import { signaturesIn } from '../../../src/sas/inspect/url.ts'
import type { SasPolicy } from '../../../src/sas/admission.ts'
import { KEY2, NOW, UDK, VECTORS, accountParams, blobParams, delegationParams, issued, paramsOf, policyOf, policyOfVector } from '../ground.ts'

const DAY = 86_400_000
const HOST = 'https://tideoffice.blob.storage.tide.example'
const BLOB_URL = `${HOST}/ledgers/2026/q4.csv?`

/** One account whose blob service is found at every host. */
function groundOf(place: Partial<InspectPlace> = {}, change: Partial<InspectGround> = {}): InspectGround {
  return { now: NOW, maxLifetime: DAY, find: () => ({ policy: policyOf(), service: 'blob', pathPrefix: '', ...place }), ...change }
}

const blind = (now = NOW): InspectGround => ({ now, maxLifetime: 7 * DAY, find: undefined })
const inspect = (url: string, ground = groundOf()): SasReport => inspectUrl(url, ground) as SasReport
const withPolicy = (change: Partial<SasPolicy>): InspectGround => groundOf({ policy: policyOf(change) })

/** The URL alone does not have the headers that these sign. */
const SIGNS_HEADERS = new Set(['udk-blob-2026-04-06-srh', 'udk-blob-2026-04-06-srh-srq'])

for (const vector of VECTORS) {
  void t.test(`vector ${vector.name}`, async (test) => {
    const { url, kind, service, endpointStyle, expectedAfterTighten: { action } } = vector
    const place: InspectPlace = { policy: policyOfVector(vector), service, pathPrefix: endpointStyle === 'path' ? '/tideoffice' : '' }
    const report = inspect(url, groundOf(place))
    const outcome = { resign: 'tightened', unchanged: 'unchanged', refuse: 'refused' }[action]
    test.match(report, { account: 'tideoffice', service, token: { kind } })
    if (url.startsWith('http:')) test.match(report.gateway, { outcome: 'refused', reason: 'plaintext-http', why: ['the URL says http, which is refused whatever it carries', new RegExp(`^with https: ${outcome}`)] })
    else if (SIGNS_HEADERS.has(vector.name)) test.match(report, { gateway: { outcome: 'refused', reason: 'sas-signature' }, signature: 'unknown' })
    else test.match(report.gateway, { outcome, reason: action === 'refuse' ? 'sas-version' : null })
    if (action !== 'refuse' && !SIGNS_HEADERS.has(vector.name)) test.match(report, { signature: 'right', key: kind === 'user-delegation' ? 'delegation' : 'key1' })
    test.equal(report.outside?.plainHttp, action !== 'unchanged')

    const without = inspect(url, blind())
    test.match(without, { account: 'tideoffice', service, token: { kind, resource: report.token?.resource }, signature: 'unknown', key: null })
    test.equal(isRefused(without), action === 'refuse' || url.startsWith('http:'), 'the text alone forces it')
    for (const one of [report, without]) {
      const said = JSON.stringify(one) + linesFor(one, NOW).join('\n')
      for (const signature of [vector.sig, encodeURIComponent(vector.sig)]) test.notOk(said.includes(signature))
    }
  })
}

void t.test('what the gateway would do, and why', async (test) => {
  const rows: [what: string, report: SasReport, outcome: string, reason: string | null, why: RegExp][] = [
    ['as it is', inspect(BLOB_URL + issued(blobParams({ spr: 'https' }))), 'unchanged', null, /signed with key1: it is sent upstream byte for byte/],
    ['the second key', inspect(BLOB_URL + issued(blobParams({ spr: 'https' }), {}, KEY2)), 'unchanged', null, /signed with key2/],
    ['plain http allowed', inspect(BLOB_URL + issued(blobParams())), 'tightened', null, /allows plain http: it is sent upstream signed again with key1, https only/],
    ['addresses removed', inspect(BLOB_URL + issued(blobParams({ spr: 'https', sip: '10.0.0.1-10.0.0.9' })), withPolicy({ sip: 'remove' })), 'tightened', null, /sent upstream as absent \(storage\.sas\.sip: remove\).*only for clients in its address range/s],
    ['addresses replaced', inspect(BLOB_URL + issued(blobParams({ sip: '10.0.0.1' })), withPolicy({ sip: 'egress', egress: '203.0.113.7' })), 'tightened', null, /checked here and sent upstream as 203\.0\.113\.7/],
    ['addresses kept', inspect(BLOB_URL + issued(blobParams({ spr: 'https', sip: '10.0.0.1' }))), 'unchanged', null, /only for clients in its address range/],
    ['signature', inspect(BLOB_URL + issued(blobParams(), {}, Buffer.alloc(64, 9))), 'refused', 'sas-signature', /^Signature did not match\.$/],
    ['expired', inspect(BLOB_URL + issued(blobParams({ se: '2026-11-24T11:00:00Z' }))), 'refused', 'sas-expired', /Expiry \[Tue, 24 Nov 2026 11:00:00 GMT\]/],
    ['not yet', inspect(BLOB_URL + issued(blobParams({ st: '2026-11-24T13:00:00Z' }))), 'refused', 'sas-not-yet', /Start \[Tue, 24 Nov 2026 13:00:00 GMT\]/],
    ['twice', inspect(`${BLOB_URL}${issued(blobParams())}&sp=rw`), 'refused', 'sas-duplicate', /^sp: The parameter occurs more than once\.$/],
    ['protocol', inspect(BLOB_URL + issued(blobParams({ spr: 'HTTPS' }))), 'refused', 'sas-protocol-value', /^spr: The value is neither/],
    ['mixed', inspect(BLOB_URL + issued(accountParams({ sr: 'b' }))), 'refused', 'sas-mixed', /^sr: /],
    ['resource', inspect(`${HOST}/?${issued(blobParams())}`), 'refused', 'sas-resource', /not allowed at this resource level/],
    ['no key', inspect(BLOB_URL + issued(blobParams({ spr: 'https' })), withPolicy({ keys: { ...policyOf().keys, account: [] } })), 'refused', 'sas-no-key', /cannot verify/],
    ['no delegation key', inspect(BLOB_URL + issued(delegationParams({ skoid: 'other' }), {}, UDK)), 'refused', 'sas-no-key', /may have learned/],
    ['passed', inspect(BLOB_URL + issued(blobParams({ spr: 'https' })), withPolicy({ withoutKey: 'pass-if-https', keys: { ...policyOf().keys, account: [] } })), 'passed-unverified', null, /withoutKey is pass-if-https/],
    ['no SAS', inspect(`${HOST}/ledgers?comp=list`), 'no-sas', null, /no SAS/],
    ['the path', inspect(`${HOST}/a/../b?${issued(blobParams())}`), 'refused', 'target-ambiguous', /more than one way.*dot segment/s],
    ['a long query', inspect(`${BLOB_URL}${'x'.repeat(9000)}`), 'refused', 'headers-too-large', /larger than/],
    ['plain http', inspect((BLOB_URL + issued(blobParams())).replace('https', 'http')), 'refused', 'plaintext-http', /with https: tightened/],
    ['nobody\'s name', inspect(BLOB_URL + issued(blobParams()), groundOf({}, { find: () => undefined })), 'refused', 'host-unknown', /no storage account/],
    ['an API', inspect(BLOB_URL + issued(blobParams()), groundOf({}, { find: () => 'api' })), 'no-sas', null, /an API/],
  ]
  for (const [what, { gateway }, outcome, reason, why] of rows) {
    test.strictSame([gateway.outcome, gateway.reason], [outcome, reason], what)
    test.match(gateway.why.join('\n'), why, what)
  }
})

void t.test('without a configuration the text alone refuses', async (test) => {
  const rows: [what: string, query: string, reason: string | null][] = [
    ['nothing wrong', issued(blobParams()), null],
    ['expired', issued(blobParams({ se: '2026-11-24T11:00:00Z' })), 'sas-expired'],
    ['not yet', issued(blobParams({ st: '2026-11-25T01:00:00Z' })), 'sas-not-yet'],
    ['no time', issued(blobParams({ se: 'soon' })), 'sas-signature'],
    ['address', issued(blobParams({ sip: '10.0.0.0/8' })), 'sas-malformed'],
    ['an address range is no refusal', issued(blobParams({ sip: '10.0.0.1' })), null],
    ['empty signature', issued(blobParams()).replace(/sig=.*/, 'sig='), 'sas-signature'],
    ['upper case', issued(blobParams()).replace('sp=', 'SP='), 'sas-malformed'],
    ['level', issued(blobParams({ sr: 'f' })), null],
    ['no sr and no tn: a queue', issued(blobParams({ sr: undefined })), null],
  ]
  for (const [what, query, reason] of rows) {
    const { gateway } = inspect(`https://127.0.0.1/tideoffice/ledgers/2026/q4.csv?${query}`, blind())
    test.strictSame([gateway.outcome, gateway.reason], [reason === null ? 'unknown' : 'refused', reason], what)
  }
  test.equal(inspect(`${HOST}/?${issued(blobParams())}`, blind()).gateway.reason, 'sas-resource')
  test.equal(inspect(`https://x.table.y/Other?${issued(paramsOf({ sv: '2025-05-05', tn: 'Ledger', se: '2026-11-25', sp: 'r' }), { service: 'table' })}`, blind()).gateway.reason, 'sas-resource')
})

const at = (url: string): string => {
  const { account, service, token } = inspect(url, blind())
  return `${account} ${service} ${token?.resource ?? 'none'}`
}

void t.test('account and service as the text has them', async (test) => {
  const query = issued(blobParams())
  const plain = issued(blobParams({ sr: undefined, sv: '2020-12-06' }))
  const table = issued(paramsOf({ sv: '2025-05-05', tn: 'Ledger', se: '2026-11-25', sp: 'r', spk: 'a', srk: '1', epk: 'm' }), { service: 'table' })
  test.equal(at(`https://acct.z6.blob.storage.azure.net/c/b?${query}`), 'acct blob blob c/b')
  test.equal(at(`https://acct-secondary.dfs.core.windows.net/c/b?${issued(blobParams({ sr: 'd', sdd: '1' }))}`), 'acct dfs directory c/b')
  test.equal(at(`https://127.0.0.1:10001/acct/orders/messages?${plain}`), 'acct queue queue orders')
  test.equal(at(`https://localhost/acct/orders?${plain}`), 'acct queue queue orders')
  test.equal(at(`https://[::1]:1/acct/drive/f?${issued(blobParams({ sr: 'f' }))}`), 'acct file file drive/f')
  test.equal(at(`https://proxy.example/x?${table}`), 'proxy table table Ledger, from partition a row 1, to partition m')
  test.equal(at(`https://10.0.0.1/acct?${issued(accountParams({ ss: 'qt' }))}`), 'acct queue the account\'s services queue, table; resource types service, container, object')
  test.equal(at(`https://acct.blob.x/c/b?snapshot=2026&${issued(blobParams({ sr: 'bs' }))}`), 'acct blob blob c/b, snapshot 2026')
})

const letters = (service: 'blob' | 'queue' | 'table', sp: string, params = blobParams({ sp, sr: service === 'blob' ? 'c' : undefined })): string[] =>
  inspect(`https://a.${service}.x/ledgers?${issued(params, { service, path: '/ledgers' })}`, blind()).token?.permissions.map(({ means }) => means) ?? []

void t.test('letters are explained by service', async (test) => {
  test.strictSame(letters('blob', 'rl'), ['read blobs and their properties', 'list blobs'])
  test.strictSame(letters('queue', 'rp'), ['read properties, peek at messages', 'take messages and delete them'])
  test.strictSame(letters('table', 'uz'), ['update entities', 'nothing that is known'])
  test.strictSame(letters('blob', '', accountParams({ sp: 'rwf' })), ['read', 'write', 'find blobs by tags'])
})

void t.test('what a reviewer would say', async (test) => {
  const warnings = (query: string, ground = groundOf()): string => inspect(BLOB_URL + query, ground).warnings.join('\n')
  const good = warnings(issued(blobParams({ spr: 'https', sip: '10.0.0.1', si: 'office' })))
  test.equal(good, '', 'nothing')
  const years = blobParams({ se: '2030-01-01', st: undefined, sp: 'rwd' })
  test.match(warnings(issued(years)), /allows plain http.*still valid for 3 years: hours are usual.*no start.*can change things: w \(.*\), d \(delete blobs\).*no address range.*no stored access policy/s)
  test.match(warnings(issued(blobParams({ se: '2026-11-30' }))), /^valid for 5 days/m)
  test.notMatch(warnings(issued(blobParams({ se: '2026-11-30' })), groundOf({}, { maxLifetime: 30 * DAY })), /^valid for/m)
  test.match(warnings(issued(accountParams({ ss: 'bqtf', sp: 'rwdlacup' }))), /it allows everything in the whole account\nall resource types.*an account SAS has no stored access policy/s)
  test.match(warnings(issued(accountParams({ srt: 'o' }))), /it is for the whole account/)
  test.match(warnings(issued(blobParams({ sr: 'c', se: undefined, sp: undefined, si: 'office read' }))), /when it ends only the stored access policy office read knows.*for a whole container/s)
  test.match(inspect((BLOB_URL + issued(blobParams())).replace('https', 'http')).warnings[0], /sends the token in clear/)
  test.match(warnings(issued(delegationParams({ spr: 'https' }), {}, UDK)), /^no address range: it works from anywhere$/, 'a user delegation SAS can be revoked')
})

const says = (query: string, ground = groundOf()): string | undefined => inspect(BLOB_URL + query, ground).outside?.says

void t.test('outside of the gateway', async (test) => {
  test.equal(says(issued(blobParams())), 'works over plain http, unless the account demands secure transfer, from any address, until 2026-11-25T06:00:00Z')
  test.equal(says(issued(blobParams({ spr: 'https', sip: '10.0.0.1' })), blind()), 'works over https only, from 10.0.0.1 only, until 2026-11-25T06:00:00Z, if its signature is right')
  test.equal(says(issued(blobParams({ si: 'x', se: undefined, sp: undefined }))), 'works over plain http, unless the account demands secure transfer, from any address, until its stored access policy ends it')
  test.equal(says(issued(blobParams({ se: '2026-11-24' }))), 'nothing any more: it has expired')
  test.equal(says(issued(blobParams(), {}, Buffer.alloc(64, 9))), 'nothing, unless a key that is not here made it')
})

void t.test('lines for people', async (test) => {
  const query = issued(delegationParams({ spr: 'https', sduoid: 'u', rscd: 'x', ses: 'branch', sp: 'rw' }), {}, UDK)
  test.equal(linesFor(inspect(BLOB_URL + query), NOW).join('\n').replace(/^.*\n/, ''), [
    '  kind       user-delegation SAS, version 2026-04-06',
    '  for        blob ledgers/2026/q4.csv (account tideoffice, service blob)',
    '  allows     r  read blobs and their properties',
    '             w  write blobs, their properties and metadata',
    '  valid      from 2026-11-24T06:00:00Z to 2026-11-25T06:00:00Z: ends in 18 hours',
    '  protocol   https only',
    '  addresses  any',
    '  also       replies say another Content-Disposition than what is stored',
    '             encryption scope branch',
    '             the user delegation key is of object oid, tenant tid, and ends 2026-11-30T00:00:00Z',
    '             only together with a bearer token of user u',
    '  signature  right, made with delegation',
    `  sha-256    ${createHash('sha256').update(Buffer.from(new URLSearchParams(query).get('sig') ?? '', 'base64')).digest('hex')}`,
    '  gateway    passes it as it is',
    '             https only already, and signed with delegation: it is sent upstream byte for byte',
    '  outside    works over https only, from any address, until 2026-11-25T06:00:00Z',
    '  warnings   it can change things: w (write blobs, their properties and metadata)',
    '             no address range: it works from anywhere',
  ].join('\n'))
  const policy = linesFor(inspect(BLOB_URL + issued(blobParams({ si: 'a\u202Eb', se: undefined, sp: undefined, st: '2026-11-25' }))), NOW).join('\n')
  test.match(policy, 'allows     what the stored access policy a\\u202eb says')
  test.match(policy, 'valid      from 2026-11-25T00:00:00Z, to when the stored access policy a\\u202eb says')
  test.match(linesFor(inspect(`${HOST}/ledgers?comp=list`), NOW).join('\n'), /^https:.*\n {2}gateway {4}has nothing to judge\n.*$/)
  test.strictSame([0, 61_000, 7_200_000, DAY * 800].map(spanText), ['0 seconds', '1 minute', '2 hours', '2 years'])
})

void t.test('what is no URL', async (test) => {
  for (const text of ['', 'sv=1&sig=x', '/c/b?sig=x', 'ftp://x/y', 'https:///x', 'https://user:pass@h/x', 'https://h x/', 'https://h:port/']) test.equal(inspectUrl(text, groundOf()), undefined, text)
})

const word = fc.string({ unit: fc.constantFrom(...'abzAZ09+/=%&?#"\\\'<> é-_.:;,'.split('')), maxLength: 10 })
const base64 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const spelled = fc.constantFrom((text: string) => encodeURIComponent(text), (text: string) => text, (text: string) => encodeURIComponent(encodeURIComponent(text)), (text: string) => text.replaceAll('=', '%3d'))
const named = fc.constantFrom('sig', 'SIG', '%73ig', 'x-ms-copy-source=https%3A%2F%2Fh%2Fc%3Fsig')
const place = fc.constantFrom('si', 'sp', 'sv', 'se', 'spr', 'sip', 'sr', 'tn', 'ss', 'srt', 'skoid', 'srh', 'snapshot', 'versionid', 'comp', 'x')

void t.test('no signature comes out, wherever it stands and however it is written', async () => {
  fc.assert(fc.property(base64, spelled, named, fc.array(fc.tuple(place, word)), fc.option(place), fc.boolean(), word, (signature, spell, name, others, again, known, tail) => {
    const parts = [...others.map(([key, value]) => `${key}=${encodeURIComponent(value)}`), `${name}=${spell(signature)}`, ...(again === null ? [] : [`${again}=${spell(signature)}`])]
    const url = `${HOST}/ledgers/sig=${encodeURIComponent(signature)}/${encodeURIComponent(tail)}?${issued(blobParams())}&${parts.join('&')}#sig=${signature}`
    const report = inspectUrl(url, known ? groundOf() : blind())
    if (report === undefined) return true
    const said = `${JSON.stringify(report)}\n${linesFor(report, NOW).join('\n')}`
    return [signature, encodeURIComponent(signature), encodeURIComponent(encodeURIComponent(signature))].every((spelling) => !said.includes(spelling))
  }), { numRuns: 2000 })
})

void t.test('signatures are found in every spelling', async (test) => {
  test.strictSame(signaturesIn('https://h/?sig=aaaaaaaa%2Bbbbbb%3D&x=sig%3Dcccccccccccccccc'), ['aaaaaaaa%2Bbbbbb%3D', 'cccccccccccccccc', 'aaaaaaaa+bbbbb='])
  test.strictSame(signaturesIn('sig=r'), [], 'a word is not hidden')
})
