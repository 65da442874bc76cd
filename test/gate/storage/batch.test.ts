// Batches: what a body holds that a service could take for a request, and what becomes of each part.
import { createHash } from 'node:crypto'
import t from 'tap'
import { BATCH_LIMIT, isBatch, PARTS_LIMIT, requestLines } from '../../../src/azure/batch.ts'
import type { ServiceName } from '../../../src/azure/services.ts'
import { parseTarget } from '../../../src/azure/target.ts'
import { type BatchFacts, batchEdits, judgeBatch, streamOf } from '../../../src/gate/storage/batch.ts'
import { readRequestFields } from '../../../src/gate/headers.ts'
import type { Refusal } from '../../../src/refusal.ts'
import { createKeptResults } from '../../../src/sas/admission.ts'
import type { Site, StorageRoute } from '../../../src/upstream/routes.ts'
import { refusalOf } from '../../support/verdict.ts'
import { KEY1, KEY2, NOW, accountParams, blobParams, issued, policyOf } from '../../sas/ground.ts'
import { pairsOf, secondAccepts } from '../../sas/second.ts'

const BATCH = 'application/http'

function routeOf(service: ServiceName, account = 'tideoffice', pathPrefix = ''): StorageRoute {
  const origin = { name: `${account}.${service}`, host: `${account}.${service}.core.windows.net`, pathPrefix }
  return { kind: 'storage', account, service, sas: policyOf({ account }), learned: undefined, origin, numbers: {} } as never
}

function factsOf(service: ServiceName, pathPrefix = ''): BatchFacts {
  const sites = new Map<string, Site>([
    ['tideoffice.blob.gate.example', routeOf('blob', 'tideoffice', pathPrefix)], ['tideoffice.table.gate.example', routeOf('table', 'tideoffice', pathPrefix)],
    ['other.blob.gate.example', routeOf('blob', 'other')], ['api.gate.example', []],
  ])
  return { route: routeOf(service, 'tideoffice', pathPrefix), sites, kept: createKeptResults(100), address: '203.0.113.65', now: NOW }
}

/** A body as the SDKs write it. */
function bodyOf(...targets: readonly string[]): string {
  const parts = targets.map((target, i) => `--batch_1\r\nContent-Type: ${BATCH}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: ${i}\r\n\r\nDELETE ${target} HTTP/1.1\r\nx-ms-date: x\r\n\r\n`)
  return `${parts.join('')}--batch_1--\r\n`
}

const judge = (body: string, facts = factsOf('blob')) => judgeBatch(Buffer.from(body, 'latin1'), facts)
const is = (service: ServiceName, target: string, method = 'POST'): boolean => isBatch(service, method, parseTarget(target, ''))
const shape = (text: string): string => text.replaceAll(/^DELETE .*$/gm, 'DELETE')
const many = (count: number): string => bodyOf(...Array.from({ length: count }, (_, i) => `/c/${i}`))
const targetsOf = (body: Buffer): string[] => [...body.toString('latin1').matchAll(/^[A-Z]+ (\S+) HTTP/gm)].map(([, target = '']) => target)
const refused = (body: string, facts?: BatchFacts): Refusal | undefined => refusalOf(() => judge(body, facts))

const TOKEN = issued(blobParams())
const ACCOUNT_TOKEN = issued(accountParams({ sp: 'rwd' }))
const HTTPS_TOKEN = issued(blobParams({ spr: 'https' }))
const Q4 = '/ledgers/2026/q4.csv'

void t.test('which requests are batches', async (test) => {
  for (const target of ['/?comp=batch', '/c?restype=container&comp=batch', '/?%63omp=b%61tch', '/?COMP=Batch', '/?comp=list&comp=batch']) test.ok(is('blob', target) && is('dfs', target), target)
  for (const target of ['/$batch', '/%24batch', '/$Batch', '/$batch/', '/$batch?sv=1']) test.ok(is('table', target), target)
  for (const [service, target, method] of [['blob', '/?comp=batc'], ['blob', '/c/comp=batch'], ['blob', '/'], ['blob', '/?comp%zz=batch'], ['table', '/batch'], ['table', '/Ledger?comp=batch'], ['queue', '/?comp=batch'], ['file', '/?comp=batch'], ['blob', '/?comp=batch', 'PUT'], ['table', '/$batch', 'GET']] as const) {
    test.notOk(is(service, target, method), `${service} ${target}`)
  }
})

void t.test('a part\'s token is verified and tightened, each on its own; the rest keeps its bytes', async (test) => {
  const body = bodyOf(`${Q4}?${TOKEN}`, `/ledgers/x?snapshot=a&${ACCOUNT_TOKEN}`, `${Q4}?${HTTPS_TOKEN}`, '/ledgers/none')
  const judged = judge(body)
  test.equal(judged.edited, true)
  test.strictSame(judged.verdicts.map(({ outcome }) => outcome), ['tightened', 'tightened', 'unchanged'])
  const targets = targetsOf(judged.body)
  for (const [i, path] of [[0, Q4], [1, '/ledgers/x'], [2, Q4]] as const) {
    const [shown, query = ''] = (targets[i] ?? '').split('?')
    test.equal(shown, path)
    test.strictSame(pairsOf(query).filter(([name]) => name === 'spr'), [['spr', 'https']])
    test.ok(secondAccepts({ service: 'blob', account: 'tideoffice', path }, query, [KEY1, KEY2]), `the service takes part ${i}`)
  }
  test.equal(targets[2], `${Q4}?${HTTPS_TOKEN}`, 'https-only already: byte for byte')
  test.equal(targets[3], '/ledgers/none')
  test.equal(shape(judged.body.toString('latin1')), shape(body))
})

void t.test('nothing to edit: the very bytes', async (test) => {
  const body = Buffer.from(bodyOf('/ledgers/a', `${Q4}?${HTTPS_TOKEN}`, '/c/%C3%A9'))
  const judged = judgeBatch(body, factsOf('blob'))
  test.equal(judged.body, body)
  test.equal(judged.edited, false)
})

void t.test('bytes that are no text come through an edit as they were', async (test) => {
  const tail = Buffer.from([0xff, 0x00, 0xc3, 0x28, 0x80, 0x0d, 0x0a])
  const judged = judgeBatch(Buffer.concat([Buffer.from(bodyOf(`${Q4}?${TOKEN}`)), tail]), factsOf('blob'))
  test.ok(judged.edited && judged.body.subarray(-tail.length).equals(tail))
})

void t.test('a part with the gate\'s own name gets the service\'s, on the table as the SDK writes it', async (test) => {
  const front = 'https://tideoffice.table.core.windows.net'
  for (const name of ['https://tideoffice.table.gate.example', 'https://TIDEOFFICE.table.gate.example:8443', 'HTTPS://tideoffice.table.gate.example.', front]) {
    test.strictSame(targetsOf(judge(bodyOf(`${name}/Ledger(PartitionKey='a',RowKey='b%20c')`), factsOf('table')).body), [`${front}/Ledger(PartitionKey='a',RowKey='b%20c')`], name)
  }
  test.strictSame(targetsOf(judge(bodyOf('https://tideoffice.table.gate.example?x', 'Ledger', '/Ledger'), factsOf('table')).body), [`${front}/?x`, 'Ledger', '/Ledger'])
})

void t.test('before an emulator the account goes in front of the path', async (test) => {
  const facts = factsOf('table', '/tideoffice')
  const front = 'https://tideoffice.table.core.windows.net/tideoffice'
  test.strictSame(targetsOf(judge(bodyOf('https://tideoffice.table.gate.example/Ledger', '/Ledger', 'Ledger'), facts).body), [`${front}/Ledger`, '/tideoffice/Ledger', '/tideoffice/Ledger'])
})

void t.test('who else is named refuses the whole', async (test) => {
  for (const target of ['http://tideoffice.blob.gate.example/c/b', 'HTTP://tideoffice.blob.core.windows.net/c/b', 'https://evil.example/c/b', 'https://other.blob.gate.example/c/b', 'https://tideoffice.table.gate.example/c/b', 'https://api.gate.example/', 'https://user@tideoffice.blob.gate.example/c/b', 'https://tideoffice.blob.gate.example\\@evil/c', 'ftp://a/b', 'http:/a/b', 'javascript:x', 'https:///c/b', '//evil.example/c/b', '/a/../b', '/a/%2e%2e/b', '/a%zz', '/a%00', `/a?${'x'.repeat(8200)}`, 'https://tideoffice.blob.gate.example/c#d']) {
    test.match(refused(bodyOf('/ledgers/good', target)), { reason: 'batch-malformed' }, target.slice(0, 60))
  }
})

void t.test('one token that does not hold refuses the whole, with its own reason', async (test) => {
  for (const [query, reason] of [
    [`${TOKEN.slice(0, -8)}AAAA%3D`, 'sas-signature'], [`${TOKEN}&sp=rwd`, 'sas-duplicate'], [`${TOKEN}&SP=r`, 'sas-duplicate'], [TOKEN.replace('sp=', 'SP='), 'sas-malformed'],
    [issued(blobParams({ spr: 'http' })), 'sas-protocol-value'], [issued(blobParams({ st: undefined, se: '2026-11-01' })), 'sas-expired'], [issued(blobParams({ sip: '10.0.0.1' })), 'sas-source-ip'], [TOKEN.replace('sr=b', 'sr=d'), 'sas-resource'], [`${TOKEN}&ss=b`, 'sas-mixed'],
    ['sv=2014-02-14&sr=b&sp=r&se=2027-01-01&sig=x', 'sas-version'],
  ] as const) {
    test.match(refused(bodyOf(`${Q4}?${HTTPS_TOKEN}`, `${Q4}?${query}`)), { reason }, reason)
  }
  test.match(refused(bodyOf(`/ledgers/other?${TOKEN}`)), { reason: 'sas-signature' }, 'a token of another blob')
})

/** A request that a reader other than ours might find. */
const HIDDEN = `DELETE ${Q4}?${TOKEN} HTTP/1.1`

void t.test('a request line is found whatever stands around it', async (test) => {
  const clean = bodyOf('/ledgers/a')
  for (const [where, body] of Object.entries({
    'in the preamble': `${HIDDEN}\r\n${clean}`,
    'in the epilogue': `${clean}${HIDDEN}\r\n`,
    'at the very end': `${clean}${HIDDEN}`,
    'alone': HIDDEN,
    'after LF alone': clean.replaceAll('\r\n', '\n').replace('DELETE /ledgers/a HTTP/1.1', HIDDEN),
    'after CR alone': clean.replaceAll('\r\n', '\r').replace('DELETE /ledgers/a HTTP/1.1', HIDDEN),
    'under another boundary': clean.replaceAll('batch_1', 'other').replace('DELETE /ledgers/a HTTP/1.1', HIDDEN),
    'in a nested multipart': `--batch_1\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n${bodyOf(`${Q4}?${TOKEN}`).replaceAll('batch_1', 'in')}\r\n--batch_1--`,
    'with tabs': clean.replace('DELETE /ledgers/a HTTP/1.1', HIDDEN.replaceAll(' ', '\t')),
    'with HTTP/2': clean.replace('DELETE /ledgers/a HTTP/1.1', HIDDEN.replace('/1.1', '/2')),
    'as a second line of a part': clean.replace('DELETE /ledgers/a HTTP/1.1', `DELETE /ledgers/a HTTP/1.1\r\n${HIDDEN}`),
    'among text in XML': `${clean}<a>\r\n${HIDDEN}\r\n</a>`,
  })) {
    const { verdicts } = judge(body)
    test.strictSame(verdicts.map(({ outcome }) => outcome), ['tightened'], where)
  }
})

void t.test('what could be a request line and is not written as one refuses the whole', async (test) => {
  const clean = bodyOf('/ledgers/a')
  const good = 'DELETE /ledgers/a HTTP/1.1'
  const query = `${Q4}?${TOKEN}`
  for (const [why, line] of [
    ['part without a request line', `DELETE ${query}`], ['part without a request line', `DELETE ${query} FOO/1.1`], ['part without a request line', `DELETE ${query} HTTP/1.1 x`], ['part without a request line', ` ${HIDDEN}`],
    ['part without a request line', `DEL-ETE ${query} HTTP/1.1`], ['part without a request line', HIDDEN.replaceAll(' ', '\v')], ['part without a request line', 'nonsense'], ['part without a request line', ''], ['part without a request line', `X: y\r\n\r\n${HIDDEN}`],
    ['signature outside of a request line', `${good}\r\n ${HIDDEN}`], ['signature outside of a request line', `${good}\r\n${query}`], ['signature outside of a request line', `${good}\r\nDELETE /c/{b?sv=1&s%69g=x FOO`], ['signature outside of a request line', `${good}\r\nx-ms-copy-source: https://a/b?sv=1&SIG=x`],
  ] as const) test.match(refused(clean.replace(good, line)), { reason: 'batch-malformed', detail: { why } }, JSON.stringify(line.slice(0, 40)))
  test.match(refused(`${clean}DELETE ${query} FOO`), { detail: { why: 'signature outside of a request line' } }, 'in the epilogue')
  test.match(refused(clean.replace('\r\n\r\nDELETE', '\r\n \r\nDELETE')), { detail: { why: 'part without a request line' } }, 'a blank line that is not empty')
  test.match(refused(clean.replace(/DELETE[^]*/, '')), { detail: { why: 'part without a request line' } }, 'cut short')
})

void t.test('an encoding hides what a part holds, but for those that change nothing', async (test) => {
  for (const encoding of ['base64', 'BASE64', 'quoted-printable', 'x-gzip', 'binary, base64', 'binaryx', '']) {
    for (const name of ['Content-Transfer-Encoding:', 'content-transfer-encoding:\t', 'Content-Transfer-Encoding : ']) {
      test.match(refused(bodyOf('/a').replace('Content-Transfer-Encoding: binary', `${name}${encoding}`)), { reason: 'batch-malformed', detail: { why: 'encoded part' } }, `${name}${encoding}`)
    }
  }
  for (const encoding of ['binary', '8bit', '7bit', 'BINARY ', '  binary']) test.equal(refused(bodyOf('/a').replace(' binary', encoding.startsWith(' ') ? encoding : ` ${encoding}`)), undefined, encoding)
  test.equal(refused(bodyOf('/a').replace(': binary', ':binary').replaceAll('\r\n', '\n')), undefined)
})

void t.test('entities hold what they like', async (test) => {
  const url = `https://tideoffice.blob.core.windows.net/c/b?${TOKEN}`
  for (const entity of [`{"link":"${url}","n":1}`, `{\r\n  "link": "${url}",\r\n  "more": ["${url}"]\r\n}`, `<m:link>${url}</m:link>`]) {
    const body = bodyOf('/Ledger').replace('x-ms-date: x\r\n\r\n', `Content-Type: application/json\r\n\r\n${entity}\r\n`).replace('DELETE', 'POST')
    const judged = judge(body, factsOf('table'))
    test.equal(judged.edited, false)
    test.equal(judged.body.toString('latin1'), body)
  }
})

void t.test('as many parts as the service takes, and no more', async (test) => {
  test.equal(BATCH_LIMIT, 4 * 1024 * 1024)
  test.equal(refused(many(PARTS_LIMIT)), undefined)
  test.match(refused(many(PARTS_LIMIT + 1)), { reason: 'batch-malformed', detail: { why: 'too many parts' } })
})

void t.test('offsets are those of the target, also where the method repeats it', async (test) => {
  const [line] = requestLines('GET GET HTTP/1.1') as { start: number; end: number; method: string; target: string }[]
  test.strictSame(line, { method: 'GET', target: 'GET', start: 4, end: 7 })
})

void t.test('length and digest follow the body', async (test) => {
  const body = Buffer.from('new')
  const edits = (...raw: string[]): Record<string, string | null> => Object.fromEntries(batchEdits(body, readRequestFields(raw, true)))
  test.strictSame(edits('Content-Length', '9'), { 'content-length': '3' })
  test.strictSame(edits('Transfer-Encoding', 'chunked'), {}, 'no length in chunks')
  test.strictSame(edits('content-MD5', 'x', 'Content-Length', '9'), { 'content-length': '3', 'content-md5': createHash('md5').update(body).digest('base64') })
  test.strictSame(Buffer.concat(await streamOf(body).toArray() as Buffer[]), body)
})
