// Who still hands out tokens that would work over plain http: /status names account, kind, key and client with counts, and
// never a token; when nobody does any more, it says so.

import t from 'tap'
import { issue } from '../sas/second.ts'
import { serveGate } from '../support/gate.ts'
import { ACCOUNT, createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

interface Sas {
  readonly outcomes: readonly { readonly account: string; readonly kind: string; readonly outcome: string; readonly count: number }[]
  readonly httpsOnlyEverywhere: boolean
  readonly mustBeFixed: readonly { readonly account: string; readonly kind: string; readonly slot: string | null; readonly client: string; readonly open: number; readonly httpsOnly: number; readonly lastSeen: string }[]
}

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await serveGate(t, realm, { storage: { blob: upstream.port }, storageOptions: { sas: { withoutKey: 'pass' } } })
const second = (time: number): string => new Date(time).toISOString().replace(/\.\d+/, '')

const common = { sv: '2025-05-05', se: second(Date.now() + 3_600_000), sp: 'r' }
const blob = { ...common, sr: 'b' }
const account = { ...common, ss: 'b', srt: 'o' }
const delegated = { ...blob, skoid: 'o', sktid: 't', skt: common.se, ske: common.se, sks: 'b', skv: '2025-05-05' }
const token = (params: Readonly<Record<string, string>>, key = realm.key1): string => issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params: Object.entries(params) }, Buffer.from(key, 'base64'))

const sasNow = async (): Promise<Sas> => (JSON.parse((await gate.admin('/status')).text) as { sas: Sas }).sas

async function bring(...queries: readonly string[]): Promise<void> {
  const client = await dial(t, gate)
  for (const query of queries) await client.ask(`GET /c/b?${query}`)
  client.close()
}

void t.test('nobody yet, and nobody who brings https-only tokens', async (test) => {
  test.match(await sasNow(), { outcomes: [], httpsOnlyEverywhere: true, mustBeFixed: [] })
  await bring(token({ ...blob, spr: 'https' }), token({ ...account, spr: 'https' }, realm.key2), token({ ...delegated, spr: 'https' }))
  const { outcomes, ...rest } = await sasNow()
  test.match(rest, { httpsOnlyEverywhere: true, mustBeFixed: [] })
  test.strictSame(new Set(outcomes.map(({ kind, outcome, count }) => `${kind} ${outcome} ${count}`)), new Set(['service unchanged 1', 'account unchanged 1', 'user-delegation passed-unverified 1']))
})

void t.test('an address-bound token that is https-only already is nobody\'s fault', async (test) => {
  await bring(token({ ...blob, spr: 'https', sip: '127.0.0.1' }))
  test.equal((await sasNow()).httpsOnlyEverywhere, true, 'it is signed anew for its address alone')
})

void t.test('each issuer by account, kind, key and client, those with most first, without a token', async (test) => {
  const before = new Map((await sasNow()).mustBeFixed.map(({ kind, slot, open }) => [`${kind} ${slot}`, open]))
  const tokens = [token(account, realm.key2), token(account, realm.key2), token({ ...account, spr: 'https,http' }, realm.key2), token(account), token(blob, realm.key2), token(blob, realm.key2), token(delegated)]
  await bring(...tokens, token(blob).replace('sp=r', 'sp=rwd'), `${token(blob)}&sp=rw`)
  const { httpsOnlyEverywhere, mustBeFixed, outcomes } = await sasNow()
  test.equal(httpsOnlyEverywhere, false)
  const found = mustBeFixed.map(({ kind, slot, open }) => `${kind} ${slot} ${open - (before.get(`${kind} ${slot}`) ?? 0)}`).filter((line) => !line.endsWith(' 0'))
  test.strictSame(found.slice(0, 2), ['account key2 3', 'service key2 2'])
  test.strictSame(found.slice(2).toSorted(), ['account key1 1', 'user-delegation null 1'])
  for (const entry of mustBeFixed) {
    test.match(entry, { account: ACCOUNT, client: '127.0.0.1', httpsOnly: Number, lastSeen: /^\d{4}-\d\d-\d\dT/ })
    test.strictSame(Object.keys(entry).toSorted(), ['account', 'client', 'httpsOnly', 'kind', 'lastSeen', 'open', 'slot'])
  }
  test.match(mustBeFixed[0], { open: 3, httpsOnly: 1 }, 'the https-only ones of the same issuer beside them')
  test.equal(outcomes.find(({ kind, outcome }) => kind === 'account' && outcome === 'tightened')?.count, 4)
  const { text } = await gate.admin('/status')
  for (const query of tokens) test.notOk(text.includes(new URLSearchParams(query).get('sig') ?? ''), 'no signature')
})

void t.test('the same by metrics', async (test) => {
  test.equal(await gate.metric('tidegate_sas_total', { kind: 'account', outcome: 'tightened' }), 4)
  test.equal(await gate.metric('tidegate_sas_key_used_total', { account: ACCOUNT, slot: 'key2' }), 6)
  test.equal(await gate.metric('tidegate_sas_total', { outcome: 'sas-signature' }), 1)
  test.equal(await gate.metric('tidegate_sas_total', { outcome: 'sas-duplicate' }), 1)
})
