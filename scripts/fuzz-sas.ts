// A fuzz run over the whole decision about a SAS: queries that grew out of the vectors and of nothing, seeded, so that a
// finding is available again. node scripts/fuzz-sas.ts [COUNT] [SEED]
//
// What has to hold for each: no error but a Refusal with a `sas-*` reason, and none for a genuine token; otherwise no SAS,
// or a query with exactly one spr=https under a signature that a second implementation accepts for the same place, or the
// client's own bytes that are so.
import { createSecretKey } from 'node:crypto'
import type { ServiceName } from '../src/azure/services.ts'
import { Refusal } from '../src/refusal.ts'
import { type SasFacts, type SasPolicy, type SasVerdict, admitSas, createKeptResults } from '../src/sas/admission.ts'
import { SAS_NAMES } from '../src/sas/fields.ts'
import { DelegationKeys } from '../src/sas/signing-keys.ts'
import { ACCOUNT, KEY1, KEY2, NOW, UDK, VECTORS, factsOfVector } from '../test/sas/ground.ts'
import { type Issue, issue, pairsOf, secondAccepts, secondSign, secondText } from '../test/sas/second.ts'

const COUNT = Number(process.argv[2] ?? 100_000)
const SEED = Number(process.argv[3] ?? 1)

/** mulberry32: small, quick, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const random = randomFrom(SEED)
const below = (limit: number): number => Math.floor(random() * limit)
function pick<T>(items: readonly T[]): T {
  const item = items[below(items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

/** The keys of this run: every token that is to be genuine is signed anew with one of them. */
const KEYS = [KEY1, KEY2, UDK]
const DELEGATED = VECTORS.flatMap(({ userDelegationKey }) => userDelegationKey === undefined ? [] : [{ ...userDelegationKey, key: createSecretKey(UDK) }])
const POLICIES: readonly SasPolicy[] = (['remove', 'egress', 'keep'] as const).flatMap((sip) => {
  const keyed: SasPolicy = {
    account: ACCOUNT,
    keys: { account: [{ slot: 'key1', key: createSecretKey(KEY1) }, { slot: 'key2', key: createSecretKey(KEY2) }], delegation: new DelegationKeys(DELEGATED) },
    withoutKey: 'refuse', sip, egress: '203.0.113.7-203.0.113.9', skew: 300_000,
  }
  return [keyed, keyed, keyed, { ...keyed, keys: { account: [], delegation: new DelegationKeys() }, withoutKey: 'pass-if-https' }]
})
const TIMES = [NOW, NOW, NOW, NOW - 3_600_000, NOW + 20 * 3_600_000, NOW + 30 * 24 * 3_600_000]
/** Shared by all of the run, and small: what is kept must never change a verdict, and must be forgotten. */
const kept = createKeptResults(500)

interface Place { readonly service: ServiceName; readonly path: string; readonly headers: Readonly<Record<string, string>> }
/** `genuine`: a vector's own token, signed anew with the right key; it has to pass. */
interface Wording { readonly place: Place; readonly query: string; readonly genuine?: true }
interface Attempt extends Wording { readonly now: number }

const PLACES: readonly Place[] = [
  ...VECTORS.map((vector): Place => ({ service: vector.service, path: factsOfVector(vector).decodedPath, headers: vector.requestHeaders ?? {} })),
  ...['/', '/c', '/c/', '/$root', '/b', '/c/a b+c/é%', '/c//x', '/$batch', '/Ledger()', "/Ledger(PartitionKey='a(b',RowKey='')", '/orders/messages', '/c/\u{1f600}'].flatMap((path) => (['blob', 'dfs', 'file', 'queue', 'table'] as const).map((service): Place => ({ service, path, headers: {} }))),
]
const QUERIES = VECTORS.map((vector) => factsOfVector(vector).query)

const ODD = ['', '%', '%zz', '%ff', '%c3%28', '%00', '%0A', '%0D%0A', '+', '%2B', '%20', ' ', '&', '=', '==', ';', '#', '?', '\u00e9', 'https', 'https%2Chttp', 'http', 'HTTPS', 'https,http,', 'http%2Chttps', '2015-04-04', '2015-04-05', '2018-11-09', '2020-12-06', '2026-04-06', '2026-10-06', '2099-12-31', '2026-02-30', '203.0.113.65', '0.0.0.0-255.255.255.255', '10.0.0.1', '1.2.3.4-1.2.3.3', '::1', 'b', 'c', 'd', 'bs', 'bv', 'f', 's', 'q', '0', '1', '2', '-1', '99', 'sco', 'bfqt', 'spr', 'sig', 'spr,sip,st', 'comp', 'x-ms-range', 'a,,b', '2026-11-24', '2026-11-25T00:00:00Z', '2026-11-25T00:00:00.1234567%2B01:00', '1999-01-01', 'x'.repeat(300), 'Ledger', 'LEDGER']
const NAMES = [...SAS_NAMES, 'comp', 'restype', 'snapshot', 'versionid', 'api-version', 'timeout', 'prefix', 'x', '']

const spell = (name: string): string => pick([name, name, name, name.toUpperCase(), name.slice(0, 1).toUpperCase() + name.slice(1), encoded(name, 1), encoded(name, name.length)])
const encoded = (text: string, count: number): string => text.replaceAll(/./g, (letter, i: number) => i < count ? `%${letter.charCodeAt(0).toString(16)}` : letter)
const part = (): string => pick([() => `${spell(pick(NAMES))}=${pick(ODD)}`, () => `${pick(SAS_NAMES)}=${pick(ODD)}`, () => pick(ODD), () => spell(pick(NAMES)), () => pick(pick(QUERIES).split('&'))])()

/** One small change of a query. */
const CHANGES: readonly ((parts: string[], at: number) => void)[] = [
  (parts, at) => void parts.splice(at, 1),
  (parts, at) => void parts.splice(at, 0, parts[at] ?? ''),
  (parts, at) => void parts.splice(at, 0, part()),
  (parts, at) => void parts.splice(at, 1, part()),
  (parts) => void parts.splice(0, parts.length, ...parts.toReversed()),
  (parts, at) => void parts.unshift(...parts.splice(at, 1)),
  (parts, at) => void parts.splice(at, 1, `${spell((parts[at] ?? '').split('=')[0] ?? '')}=${(parts[at] ?? '').split('=')[1] ?? ''}`),
  (parts, at) => void parts.splice(at, 1, `${(parts[at] ?? '').split('=')[0]}=${pick(ODD)}`),
  (parts, at) => void parts.splice(at, 1, nudged(parts[at] ?? '')),
  (parts, at) => void parts.splice(at, 0, '', ''),
]

/** One character of a part replaced, added or dropped. */
function nudged(text: string): string {
  const at = below(text.length + 1)
  return text.slice(0, at) + pick(['', 'A', '%', '&', '=', '+', '0', ',', '\n', '%26', '%3D']) + text.slice(at + below(2))
}

function changed(query: string, times: number): string {
  const parts = query.split('&')
  for (let i = 0; i < times; i += 1) pick(CHANGES)(parts, below(Math.max(1, parts.length)))
  return parts.join('&')
}

/** Signed as an issuer would who was told to sign just this. */
function signed({ place, query }: Wording): string {
  const params = pairsOf(query).filter(([name]) => name.toLowerCase() !== 'sig')
  return issue({ ...whatOf(place), params }, pick(KEYS))
}

/** The same bytes under a right signature, wherever `sig` stands. */
function resigned({ place, query }: Wording): string {
  const sig = secondSign(secondText({ ...whatOf(place), params: pairsOf(query) }), pick(KEYS))
  return query.split('&').map((own) => own.startsWith('sig=') ? `sig=${encodeURIComponent(sig)}` : own).join('&')
}

const whatOf = ({ service, path, headers }: Place): Omit<Issue, 'params'> => ({ service, account: ACCOUNT, path, headers })

/** The query as some issuer writes it: escapes in either case, blanks as plus signs. */
function respelled(query: string): string {
  return pick([query, query.replaceAll('%20', '+'), query.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()), `prefix=a%2Fb&${query}&timeout=30`, query.split('&').toReversed().join('&')])
}

function wording(): Wording {
  const at = below(QUERIES.length)
  const place = pick([PLACES[at] ?? pick(PLACES), PLACES[at] ?? pick(PLACES), pick(PLACES)])
  const query = QUERIES[at] ?? ''
  return pick<() => Wording>([
    () => genuine(at),
    () => ({ place, query: changed(query, 1 + below(4)) }),
    () => ({ place, query: signed({ place, query: changed(query, below(4)) }) }),
    () => ({ place, query: resigned({ place, query: changed(query, below(3)) }) }),
    () => ({ place, query: changed(signed({ place, query }), below(3)) }),
    () => ({ place, query: changed(resigned({ place, query }), 1) }),
    () => ({ place, query: Array.from({ length: below(12) }, part).join('&') }),
    () => ({ place, query: signed({ place, query: Array.from({ length: below(12) }, part).join('&') }) }),
  ])()
}

function genuine(at: number): Wording {
  const { service = 'blob', path = '/', headers = {} } = PLACES[at] ?? {}
  const query = QUERIES[at] ?? ''
  const params = pairsOf(query).filter(([name]) => name !== 'sig')
  const own = issue({ service, account: ACCOUNT, path, headers, params }, query.includes('skoid=') ? UDK : pick([KEY1, KEY2]))
  return { place: { service, path, headers }, query: respelled(own), ...(VECTORS[at]?.expectedAfterTighten.action === 'refuse' ? {} : { genuine: true }) }
}

function judge({ place, query, now }: Attempt, policy: SasPolicy): SasVerdict | Refusal | undefined {
  const facts: SasFacts = { service: place.service, decodedPath: place.path, query, now, clientAddress: '203.0.113.65', header: (name) => place.headers[name] }
  try {
    return admitSas(facts, policy, kept)
  } catch (error) {
    if (error instanceof Refusal && error.row.stage === 'sas') return error
    throw error
  }
}

/** What a genuine token may still be refused for at its own time, by a gate with keys. */
const FAIR = new Set(['sas-source-ip', 'sas-expired', 'sas-not-yet'])

/** What is wrong with a refusal. */
function wrongRefusal({ genuine: isGenuine, now }: Attempt, { reason }: Refusal, { withoutKey }: SasPolicy): string | undefined {
  if (isGenuine !== true || withoutKey !== 'refuse' || (now !== NOW && (FAIR.has(reason) || reason === 'sas-no-key'))) return undefined
  return reason === 'sas-source-ip' ? undefined : `a genuine token was refused: ${reason}`
}

const MAY_SAY = new Set(['', 'https', 'https,http'])

/** Returns whether the service could see a signature in the query. */
const hasSig = (query: string): boolean => pairsOf(query).some(([name]) => name === 'sig')

/** By another reader of times than ours, as far as it reads them. */
function isOver(pairs: readonly (readonly [string, string])[], now: number): boolean {
  const end = Date.parse(pairs.find(([name]) => name === 'se')?.[1] ?? '')
  return end <= now
}

/** All that tightening may not touch, in order; empty parts may go. */
const rest = (query: string): string => JSON.stringify(pairsOf(query).filter(([name, value]) => !['spr', 'sip', 'sig'].includes(name) && (name !== '' || value !== '')))

/** What is wrong with a verdict; undefined when nothing is. */
function faultOf(own: Attempt, verdict: SasVerdict | undefined, policy: SasPolicy): string | undefined {
  if (verdict === undefined) return hasSig(own.query) ? 'a signature was not seen' : undefined
  if (pairsOf(own.query).some(([name, value]) => name === 'spr' && !MAY_SAY.has(value))) return 'an spr outside of the two'
  const pairs = pairsOf(verdict.query)
  const protocols = pairs.filter(([name]) => name.toLowerCase() === 'spr')
  if (protocols.length !== 1 || protocols[0]?.[1] !== 'https' || protocols[0][0] !== 'spr') return 'not exactly one spr=https'
  if (verdict.outcome === 'unchanged' && verdict.query !== own.query) return 'unchanged, and changed'
  if (verdict.outcome === 'passed-unverified') return verdict.query === own.query && policy.withoutKey === 'pass-if-https' ? undefined : 'passed without a key'
  if (!secondAccepts(whatOf(own.place), verdict.query, KEYS)) return 'the service would not take it'
  if (isOver(pairs, own.now)) return 'it has expired'
  if (rest(verdict.query) !== rest(own.query)) return 'more was changed than spr, sip and sig'
  const again = judge({ ...own, query: verdict.query }, { ...policy, sip: 'keep' })
  if (again instanceof Refusal) return policy.sip === 'egress' && again.reason === 'sas-source-ip' ? undefined : `tightened, and then refused: ${again.reason}`
  return again?.outcome === 'unchanged' ? undefined : 'tightened twice is not tightened once'
}

function run(): void {
  const outcomes = new Map<string, number>()
  const begun = performance.now()
  for (let i = 0; i < COUNT; i += 1) {
    const own = { ...wording(), now: pick(TIMES) }
    const policy = pick(POLICIES)
    let verdict: ReturnType<typeof judge>
    let fault: string | undefined
    try {
      verdict = judge(own, policy)
      fault = verdict instanceof Refusal ? wrongRefusal(own, verdict, policy) : faultOf(own, verdict, policy)
    } catch (error) {
      fault = String(error instanceof Error ? error.stack : error)
    }
    if (fault !== undefined) {
      console.error(JSON.stringify({ seed: SEED, number: i, fault, now: own.now, sip: policy.sip, ...own.place, query: own.query, verdict: verdict instanceof Refusal ? verdict.reason : verdict ?? null }, null, 2))
      process.exitCode = 1
      return
    }
    const name = verdict instanceof Refusal ? verdict.reason : verdict?.outcome ?? 'no SAS'
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
  }
  console.log(JSON.stringify({ queries: COUNT, seed: SEED, seconds: Math.round((performance.now() - begun) / 1000), outcomes: Object.fromEntries([...outcomes].toSorted(([a], [b]) => (a < b ? -1 : 1))) }))
}

run()
