// What holds for every query, whoever wrote it. The judge is the second implementation, never our own.
import * as fc from 'fast-check'
import t from 'tap'
import { type SasFacts, createKeptResults } from '../../src/sas/admission.ts'
import { SAS_NAMES } from '../../src/sas/fields.ts'
import { refusalOf } from '../support/verdict.ts'
import { KEY1, KEY2, UDK, accountParams, admit, blobParams, delegationParams, issued, paramsOf } from './ground.ts'
import { type Issue, type Service, pairsOf, secondAccepts } from './second.ts'

const KEYS = [KEY1, KEY2, UDK]
const RUNS = { numRuns: 400 }

interface Token { readonly what: Omit<Issue, 'params'>; readonly params: [string, string][]; readonly key: Buffer }

const text = fc.string({ unit: fc.constantFrom(...'abzAZ09 +&=%/?#é七~\'()-_.:;,'.split('')), maxLength: 12 })
const spr = fc.constantFrom(undefined, '', 'https', 'https,http')
const version = fc.constantFrom('2015-04-05', '2018-03-28', '2018-11-09', '2020-02-10', '2020-10-02', '2020-12-06', '2025-07-05', '2026-04-06', '2031-01-01')
const newer = fc.constantFrom('2025-07-05', '2026-04-06', '2026-10-06')
const optional = fc.option(text, { nil: undefined })
const rsc = fc.record({ rscc: optional, rscd: optional, rsct: optional })

function tokens(service: Service, path: fc.Arbitrary<string>, params: fc.Arbitrary<[string, string][]>, key: Buffer): fc.Arbitrary<Token> {
  const shuffled = params.chain((all) => fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }))
  return fc.record({ what: path.map((decoded) => ({ service, account: 'tideoffice', path: decoded })), params: shuffled, key: fc.constant(key) })
}

const blobPath = fc.array(text.filter((part) => part !== '' && !part.includes('/') && !/^\.+$/.test(part)), { minLength: 2, maxLength: 5 }).map((parts) => `/${parts.join('/')}`)
const TOKENS = fc.oneof(
  tokens('blob', blobPath, fc.record({ sv: version, spr, sr: fc.constantFrom('b', 'c', 'bs', 'bv'), si: optional, snapshot: optional, versionid: optional, comp: optional, more: rsc }).map(({ more, ...own }) => blobParams({ ...own, ...more })), KEY1),
  tokens('dfs', blobPath, fc.record({ sv: version, spr, sdd: fc.constantFrom('0', '1') }).map((own) => blobParams({ ...own, sr: 'd' })), KEY2),
  tokens('blob', blobPath, fc.record({ sv: version, spr, srt: fc.constantFrom('o', 'sco'), comp: optional }).map((own) => accountParams(own)), KEY1),
  tokens('file', blobPath, fc.record({ sv: version, spr, sr: fc.constantFrom('s', 'f'), more: rsc }).map(({ more, ...own }) => blobParams({ ...own, ...more })), KEY2),
  tokens('queue', blobPath, fc.record({ sv: version, spr, si: optional }).map((own) => blobParams({ sr: undefined, ...own })), KEY1),
  tokens('table', fc.constantFrom('/$batch', '/Ledger()'), fc.record({ sv: version, spr, spk: optional, erk: optional }).map((own) => paramsOf({ se: '2026-11-25', sp: 'r', tn: 'LEDGER', ...own })), KEY1),
  tokens('blob', blobPath, fc.record({ sv: newer, spr, sduoid: optional, scid: optional, ses: optional, more: rsc }).map(({ more, ...own }) => delegationParams({ ...own, ...more })), UDK),
  tokens('blob', blobPath, fc.constantFrom('spr,sks', 'comp', 'st,comp').map((srq) => delegationParams({ spr: 'https,http', srq, comp: 'a+b %' })), UDK),
)

const factsFor = ({ what, params, key }: Token, query = issued(params, what, key)): Partial<SasFacts> => ({ service: what.service, decodedPath: what.path, query })

const others = (pairs: readonly [string, string][]): string => JSON.stringify(pairs.filter(([name]) => name !== 'spr' && name !== 'sig'))

void t.test('a genuine token passes, as its own bytes or with one spr=https and a signature that the service takes', async () => {
  fc.assert(fc.property(TOKENS, (token) => {
    const facts = factsFor(token)
    const verdict = admit(facts)
    const pairs = pairsOf(verdict?.query ?? '')
    if (!secondAccepts(token.what, verdict?.query ?? '', [token.key])) return false
    if (verdict?.outcome === 'unchanged') return verdict.query === facts.query && pairs.filter(([name, value]) => name === 'spr' && value === 'https').length === 1
    return verdict?.outcome === 'tightened' && others(pairs) === others(pairsOf(facts.query ?? '')) && JSON.stringify(pairs.filter(([name]) => name === 'spr')) === '[["spr","https"]]'
  }), RUNS)
})

void t.test('tightening twice is tightening once', async () => {
  fc.assert(fc.property(TOKENS, (token) => {
    const once = admit(factsFor(token))?.query
    const twice = admit(factsFor(token, once))
    return twice?.outcome === 'unchanged' && twice.query === once
  }), RUNS)
})

void t.test('a token with one signed value changed is refused, also beside the kept result of the real one', async () => {
  // What no layout of these tokens signs, or what only says how the path is read.
  const unsigned = new Set(['comp', 'snapshot', 'versionid', 'tn', 'sdd', 'sr'])
  fc.assert(fc.property(TOKENS, fc.nat(), text, (token, at, value) => {
    const { what, params, key } = token
    const changeable = params.filter(([name]) => !unsigned.has(name))
    const [name, old] = changeable[at % changeable.length] ?? ['', '']
    const genuine = issued(params, what, key)
    const forged = genuine.split('&').map((part) => part.startsWith(`${name}=`) ? `${name}=${encodeURIComponent(value)}` : part).join('&')
    if (value === old) return true
    const kept = createKeptResults(10)
    admit(factsFor(token, genuine), {}, kept)
    return refusalOf(() => admit(factsFor(token, forged), {}, kept)) !== undefined && refusalOf(() => admit(factsFor(token, forged))) !== undefined
  }), RUNS)
})

void t.test('a token at another path is refused, unless it was not signed for a path of that depth', async () => {
  fc.assert(fc.property(TOKENS, blobPath, (token, decodedPath) => {
    const query = issued(token.params, token.what, token.key)
    const attempt = (): unknown => admit({ ...factsFor(token, query), decodedPath })
    return refusalOf(attempt) !== undefined || secondAccepts({ ...token.what, path: decodedPath }, query, KEYS)
  }), RUNS)
})

const anyName = fc.oneof(fc.constantFrom(...SAS_NAMES), fc.constantFrom('comp', 'snapshot', 'SIG', 's%69g', '%73v', 'Spr', '', '%zz'))
const anyValue = fc.oneof(text.map(encodeURIComponent), fc.constantFrom('%', '%ff', '+', 'https', 'https%2Chttp', 'http', '2026-04-06', '2015-02-21', 'b', 'c', '%0A', 'r%0Aw'))
const anyPart = fc.oneof(fc.tuple(anyName, anyValue).map((pair) => pair.join('=')), fc.constantFrom('', 'sig', 'spr', '&'))

/** Whatever comes out, whether or not the query was ever signed. */
function sound(facts: Partial<SasFacts>, what: Omit<Issue, 'params'>): boolean {
  let verdict: ReturnType<typeof admit>
  const refusal = refusalOf(() => { verdict = admit(facts) })
  if (refusal !== undefined) return refusal.reason.startsWith('sas-')
  if (verdict === undefined) return !new URLSearchParams(facts.query).has('sig')
  const protocols = new URLSearchParams(verdict.query).getAll('spr')
  return protocols.length === 1 && protocols[0] === 'https' && secondAccepts(what, verdict.query, KEYS) && (verdict.outcome === 'tightened' || verdict.query === facts.query)
}

void t.test('whatever the query: refused, no SAS, or exactly one spr=https under a signature that the service takes', async () => {
  const what = { service: 'blob', account: 'tideoffice', path: '/ledgers/2026/q4.csv' } as const
  fc.assert(fc.property(fc.array(anyPart, { maxLength: 12 }), (parts) => sound(factsFor({ what, params: [], key: KEY1 }, parts.join('&')), what)), { numRuns: 3000 })
})

void t.test('the same for genuine tokens with parts added, doubled, dropped, turned round and re-spelled', async () => {
  const edits = fc.array(fc.record({ at: fc.nat(), how: fc.constantFrom('drop', 'double', 'insert', 'swap', 'upper', 'encode'), part: anyPart }), { maxLength: 4 })
  fc.assert(fc.property(TOKENS, edits, (token, all) => {
    let parts = issued(token.params, token.what, token.key).split('&')
    for (const edit of all) parts = edited(parts, edit.at % Math.max(1, parts.length), edit.how, edit.part)
    return sound(factsFor(token, parts.join('&')), token.what)
  }), { numRuns: 3000 })
})

function edited(parts: readonly string[], at: number, how: string, part: string): string[] {
  const here = parts[at] ?? ''
  const first = here.slice(0, 1)
  if (how === 'drop') return parts.toSpliced(at, 1)
  if (how === 'double') return parts.toSpliced(at, 0, here)
  if (how === 'insert') return parts.toSpliced(at, 0, part)
  if (how === 'swap') return parts.toSpliced(at, 1).toSpliced(0, 0, here)
  if (how === 'upper') return parts.toSpliced(at, 1, first.toUpperCase() + here.slice(1))
  return parts.toSpliced(at, 1, first === '' || first === '%' ? here : `%${first.charCodeAt(0).toString(16)}${here.slice(1)}`)
}
