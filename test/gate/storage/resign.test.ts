// Edited requests: fields in their places, and a Shared Key signature made anew where the edit would break it. The judge of
// signatures is written here, from spec/sas.md 16.1 alone.
import { createHmac, createSecretKey } from 'node:crypto'
import t, { type Test } from 'tap'
import { applyEdits, editFields, type EditedRequest, type FieldEdits } from '../../../src/gate/storage/resign.ts'
import { refusalOf } from '../../support/verdict.ts'
import { KEY1, KEY2, NOW, policyOf } from '../../sas/ground.ts'

type Service = 'blob' | 'file' | 'queue' | 'dfs' | 'table'

const DATE = new Date(NOW).toUTCString()
const minutes = (count: number): string => new Date(NOW + count * 60_000).toUTCString()

/** Field lines as pairs; repeated names are not in these tests. */
const pairsIn = (lines: string): [string, string][] => lines.split('\r\n').filter((line) => line !== '').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])

interface Signed { readonly method: string; readonly path: string; readonly query?: string; readonly fields: readonly (readonly [string, string])[]; readonly service: Service; readonly lite?: boolean }

function textOf({ method, path, query = '', fields, service, lite = false }: Signed): string {
  const of = (name: string): string => fields.find(([own]) => own.toLowerCase() === name)?.[1] ?? ''
  const comp = new URLSearchParams(query).get('comp')
  const liteResource = `/tideoffice${path}${comp === null ? '' : `?comp=${comp}`}`
  if (service === 'table') return (lite ? [of('x-ms-date') || of('date'), liteResource] : [method, of('content-md5'), of('content-type'), of('x-ms-date') || of('date'), liteResource]).join('\n')
  const own = fields.filter(([name]) => name.toLowerCase().startsWith('x-ms-')).map(([name, value]) => `${name.toLowerCase()}:${value}\n`).toSorted().join('')
  const date = of('x-ms-date') === '' ? of('date') : ''
  if (lite) return `${[method, of('content-md5'), of('content-type'), date].join('\n')}\n${own}${liteResource}`
  const length = of('content-length') === '0' ? '' : of('content-length')
  const head = [method, of('content-encoding'), of('content-language'), length, of('content-md5'), of('content-type'), date, of('if-modified-since'), of('if-match'), of('if-none-match'), of('if-unmodified-since'), of('range')]
  const parameters = [...new URLSearchParams(query)].map(([name, value]) => `\n${name.toLowerCase()}:${value}`).toSorted().join('')
  return `${head.join('\n')}\n${own}/tideoffice${path}${parameters}`
}

const authorization = (request: Signed, key: Buffer): string => `SharedKey${request.lite === true ? 'Lite' : ''} tideoffice:${createHmac('sha256', key).update(textOf(request)).digest('base64')}`

const FIELDS: readonly (readonly [string, string])[] = [
  ['Host', 'tideoffice.blob.gate.example'], ['Content-Type', 'text/plain'], ['x-ms-version', '2025-05-05'], ['X-Ms-Copy-Source', 'https://a/old'], ['x-ms-date', minutes(-1)], ['Content-Length', '3'], ['If-Match', '"1"'], ['x-ms-meta-a', 'z'], ['User-Agent', 'tests'],
]

interface Wish { readonly service?: Service; readonly key?: Buffer; readonly lite?: boolean; readonly prefix?: string; readonly fields?: typeof FIELDS; readonly keys?: 'none'; readonly query?: string; readonly by?: string }

function requestOf({ service = 'blob', key = KEY1, lite = false, prefix = '', fields = FIELDS, keys, query = 'comp=block&timeout=30', by }: Wish): EditedRequest {
  const own = by ?? authorization({ method: 'PUT', path: '/c/b%20c', query, fields, service, lite }, key)
  const sas = keys === 'none' ? policyOf({ keys: { ...policyOf().keys, account: [] } }) : policyOf()
  const route = { kind: 'storage', account: 'tideoffice', service, sas, origin: { name: 'o', host: 'h', pathPrefix: prefix } } as never
  return { method: 'PUT', route, path: '/c/b%20c', query, raw: [...fields, ['Authorization', own] as const].flat(), now: NOW }
}

const EDIT: FieldEdits = new Map([['x-ms-copy-source', 'https://b/new?sig=x']])

function edited(wish: Wish = {}, edits: FieldEdits = EDIT): [string, string][] {
  return pairsIn(editFields(requestOf(wish), edits).lines)
}

const valueOf = (fields: readonly (readonly [string, string])[], name: string): string | undefined => fields.find(([own]) => own.toLowerCase() === name)?.[1]

function rightly(test: Test, wish: Wish, edits = EDIT): void {
  const { service = 'blob', key = KEY1, lite = false, prefix = '', query = 'comp=block&timeout=30' } = wish
  const fields = edited(wish, edits)
  test.equal(valueOf(fields, 'authorization'), authorization({ method: 'PUT', path: `${prefix}/c/b%20c`, query, fields, service, lite }, key))
  test.equal(valueOf(fields, 'x-ms-date'), DATE)
  test.equal(valueOf(fields, 'date'), undefined)
}

void t.test('fields are edited where they stand, in any case; new ones go to the end; null takes away', async (test) => {
  const raw = ['A', '1', 'B', '2', 'a', '3', 'C', '4']
  test.strictSame(applyEdits(raw, new Map([['b', '9']])), ['A', '1', 'B', '9', 'a', '3', 'C', '4'])
  test.strictSame(applyEdits(raw, new Map([['a', null], ['d', '5'], ['e', null]])), ['B', '2', 'C', '4', 'd', '5'])
  test.strictSame(applyEdits(raw, new Map()), raw)
})

void t.test('signed anew by each scheme, for each service, by the key that the client used', async (test) => {
  for (const service of ['blob', 'dfs', 'file', 'queue'] as const) for (const lite of [false, true]) for (const key of [KEY1, KEY2]) rightly(test, { service, lite, key })
  rightly(test, { query: '' })
  rightly(test, { query: 'comp=list&prefix=a%20b&include=x' })
})

void t.test('before an emulator the account in the path is signed', async (test) => {
  rightly(test, { prefix: '/tideoffice' })
  rightly(test, { prefix: '/tideoffice', lite: true })
})

void t.test('a request that is dated by Date goes on dated by x-ms-date', async (test) => {
  const fields = FIELDS.map(([name, value]): readonly [string, string] => name === 'x-ms-date' ? ['Date', value] : [name, value])
  rightly(test, { fields })
  test.strictSame(edited({ fields }).map(([name]) => name), ['Content-Type', 'x-ms-version', 'X-Ms-Copy-Source', 'Content-Length', 'If-Match', 'x-ms-meta-a', 'User-Agent', 'Authorization', 'x-ms-date'])
})

void t.test('all keeps its place and its bytes but what is edited', async (test) => {
  const before = pairsIn([...FIELDS, ['Authorization', ''] as const].map((pair) => pair.join(': ')).join('\r\n'))
  const after = edited()
  test.strictSame(after.map(([name]) => name), before.map(([name]) => name).filter((name) => name !== 'Host'))
  const changed = after.filter(([name, value]) => !before.some(([own, old]) => own === name && old === value)).map(([name]) => name)
  test.strictSame(changed, ['X-Ms-Copy-Source', 'x-ms-date', 'Authorization'])
})

void t.test('a new length is signed as the new length', async (test) => {
  const edits = new Map([['content-length', '4711'], ['content-md5', 'abc==']])
  rightly(test, {}, edits)
  test.equal(valueOf(edited({}, edits), 'content-length'), '4711')
})

void t.test('on tables the body and its length are not signed, but its digest is', async (test) => {
  for (const lite of [false, true]) {
    const own = requestOf({ service: 'table', lite, fields: FIELDS.filter(([name]) => name !== 'X-Ms-Copy-Source'), query: '' })
    const given = own.raw[own.raw.indexOf('Authorization') + 1]
    const kept = pairsIn(editFields(own, new Map([['content-length', '9']])).lines)
    test.equal(valueOf(kept, 'authorization'), given, 'the client\'s signature stays')
    test.equal(valueOf(kept, 'x-ms-date'), minutes(-1))
    rightly(test, { service: 'table', lite, query: '' }, new Map([['content-length', '9'], ['content-md5', 'x==']]))
  }
})

void t.test('what is not signed with Shared Key is only edited', async (test) => {
  for (const by of ['Bearer a.b.c', '', 'SharedAccessSignature sr=x', 'SharedKey tideoffice', 'Basic eA==']) {
    const fields = edited({ by, keys: 'none' })
    test.equal(valueOf(fields, 'authorization'), by)
    test.equal(valueOf(fields, 'x-ms-date'), minutes(-1))
    test.equal(valueOf(fields, 'x-ms-copy-source'), 'https://b/new?sig=x')
  }
})

void t.test('refused: no key, a wrong signature, another account\'s, an old or a future date', async (test) => {
  const dated = (date: string): Wish => ({ fields: FIELDS.map(([name, value]): readonly [string, string] => name === 'x-ms-date' ? [name, date] : [name, value]) })
  const wrong = authorization({ method: 'PUT', path: '/c/b%20c', fields: FIELDS, service: 'blob' }, KEY1)
  for (const [wish, why] of [
    [{ keys: 'none' }, 'no key'], [{ key: Buffer.alloc(64, 9) }, 'signature'], [{ by: wrong }, 'signature'], [{ by: wrong.replace('tideoffice', 'other') }, 'account'], [{ by: wrong.replace('SharedKey', 'SharedKeyLite') }, 'signature'],
    [dated(minutes(-16)), 'date'], [dated(minutes(16)), 'date'], [dated('2026-11-24'), 'date'], [dated(''), 'date'],
  ] as const) test.match(refusalOf(() => edited(wish)), { reason: 'shared-key-signature', detail: { why } }, why)
  for (const within of [-15, -14, 0, 15]) rightly(test, dated(minutes(within)))
})

void t.test('a key of one byte is a key: nothing is taken for granted of its length', async (test) => {
  const key = Buffer.from([7])
  const own = requestOf({ key })
  const sas = policyOf({ keys: { ...policyOf().keys, account: [{ slot: 'key1', key: createSecretKey(key) }] } })
  const fields = pairsIn(editFields({ ...own, route: { ...own.route, sas } }, EDIT).lines)
  test.equal(valueOf(fields, 'authorization'), authorization({ method: 'PUT', path: '/c/b%20c', query: 'comp=block&timeout=30', fields, service: 'blob' }, key))
})
