// Tokens that the gate cannot verify: refused, let through where they are https-only, or let through and counted; never
// edited. Everything that can be judged without a key is judged all the same.
import t from 'tap'
import { issue } from '../sas/second.ts'
import { far, startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, SERVICES, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

const CLOCK = Date.parse('2026-11-24T06:40:00Z')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const KEY = Buffer.alloc(64, 9)

const blob = { sv: '2025-05-05', se: '2026-11-25T00:00:00Z', sr: 'b', sp: 'r' }
const all = { sv: '2025-05-05', se: '2026-11-25T00:00:00Z', sp: 'r', ss: 'b', srt: 'o' }
const delegated = { ...blob, skoid: 'oid', sktid: 'tid', skt: '2026-11-24T00:00:00Z', ske: '2026-11-30T00:00:00Z', sks: 'b', skv: '2025-05-05' }
const token = (params: Readonly<Record<string, string>>): string => issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params: Object.entries(params) }, KEY)

/** Every kind in each protocol that a token may say; in odd orders and spellings too. */
const TOKENS: readonly [kind: string, query: string, httpsOnly: boolean][] = ([['service', blob], ['account', all], ['user-delegation', delegated]] as const).flatMap(([kind, params]) => [
  [kind, token(params), false], [kind, token({ ...params, spr: 'https,http' }), false], [kind, token({ ...params, spr: '' }), false], [kind, token({ ...params, spr: 'https' }), true],
  [kind, `comp=list&&${token({ spr: 'https', ...params }).split('&').toReversed().join('&')}&x=%zz`, true],
  [kind, token({ ...params, sip: '10.0.0.1' }), false],
])

const NO_KEYS = Object.fromEntries(SERVICES.map((service) => [service, far(realm, upstreamHost(service), upstream.port)]))

for (const withoutKey of ['refuse', 'pass-if-https', 'pass'] as const) {
  void t.test(`${withoutKey}: verdict, bytes, count`, async (test) => {
    const gate = await startGate(test, realm, { accounts: [{ name: ACCOUNT, ...NO_KEYS }], storageOptions: { sas: { withoutKey } }, clock: () => CLOCK })
    const client = await dial(test, gate)
    const passed: string[] = []
    for (const [kind, query, httpsOnly] of TOKENS) {
      const before = upstream.seen.length
      const reply = await client.ask(`GET /c/b?${query}`)
      const passes = withoutKey === 'pass' || (withoutKey === 'pass-if-https' && httpsOnly)
      if (passes) {
        passed.push(kind)
        test.equal(reply.status, 200, query)
        test.equal(upstream.seen[before]?.target, `/c/b?${query}`, 'byte for byte')
        test.equal(reply.header('x-tidegate-sas'), undefined, 'nothing was tightened')
      } else {
        test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('x-ms-error-code')], [403, 'sas-no-key', 'AuthenticationFailed'], query)
        test.match(reply.text, /<AuthenticationErrorDetail>this gateway cannot verify the SAS</)
        test.equal(upstream.seen.length, before, 'nothing is sent upstream')
      }
    }
    for (const kind of ['service', 'account', 'user-delegation']) {
      const count = passed.filter((own) => own === kind).length
      test.equal(await gate.metric('tidegate_sas_total', { account: ACCOUNT, kind, outcome: 'passed-unverified' }), count)
      test.equal(await gate.metric('tidegate_sas_total', { account: ACCOUNT, kind, outcome: 'sas-no-key' }), TOKENS.length / 3 - count)
    }
    test.equal(await gate.metric('tidegate_refusals_total', { reason: 'sas-no-key' }), TOKENS.length - passed.length)
    test.equal((await gate.requests(TOKENS.length)).filter((line) => line['sas'] === 'passed-unverified').length, passed.length)
  })

  void t.test(`${withoutKey}: what is wrong without any key is refused`, async (test) => {
    const gate = await startGate(test, realm, { accounts: [{ name: ACCOUNT, ...NO_KEYS }], storageOptions: { sas: { withoutKey } }, clock: () => CLOCK })
    const client = await dial(test, gate)
    const before = upstream.seen.length
    for (const [reason, query] of [
      ['sas-duplicate', `${token({ ...blob, spr: 'https' })}&spr=https`], ['sas-duplicate', `${token({ ...blob, spr: 'https' })}&%73pr=https,http`], ['sas-malformed', token({ ...blob, spr: 'https' }).replace('spr=', 'Spr=')], ['sas-malformed', `${token({ ...blob, spr: 'https' })}&rscc=%zz`],
      ['sas-mixed', `${token({ ...all, spr: 'https' })}&sr=b`], ['sas-protocol-value', token({ ...blob, spr: 'http' })], ['sas-protocol-value', token({ ...blob, spr: 'HTTPS' })], ['sas-version', token({ ...blob, sv: '2014-02-14', spr: 'https' })], ['sas-version', token({ ...delegated, sv: '2018-03-28', spr: 'https' })],
      ['sas-signature', token({ ...blob, spr: 'https' }).replace(/sig=.*/, 'sig=')], ['sas-signature', token({ sv: '2025-05-05', sr: 'b', spr: 'https' })], ['sas-signature', token({ ...blob, spr: 'https', saoid: 'x' })],
    ] as const) {
      const reply = await client.ask(`GET /c/b?${query}`)
      test.equal(reply.header('x-tidegate-reason'), reason, query)
    }
    test.equal(upstream.seen.length, before)
  })
}

void t.test('the policy is for a missing key alone: a key that does not fit is a wrong signature', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, storageOptions: { sas: { withoutKey: 'pass' } }, clock: () => CLOCK })
  const client = await dial(test, gate)
  const before = upstream.seen.length
  for (const [kind, query] of TOKENS) {
    const reply = await client.ask(`GET /c/b?${query}`)
    test.equal(reply.header('x-tidegate-reason'), kind === 'user-delegation' ? undefined : 'sas-signature')
  }
  test.equal(upstream.seen.length, before + TOKENS.length / 3, 'but the account\'s key says nothing about delegation keys')
})

void t.test('by service: each in its own words, and counted for it', async (test) => {
  const gate = await startGate(test, realm, { accounts: [{ name: ACCOUNT, ...NO_KEYS }], clock: () => CLOCK })
  for (const service of SERVICES) {
    const client = await dial(test, gate, { servername: storageHost(service) })
    const reply = await client.ask(`GET /c/b?${token(all)}`, [`Host: ${storageHost(service)}`])
    test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('x-ms-error-code')], [403, 'sas-no-key', 'AuthenticationFailed'])
  }
  test.equal(await gate.metric('tidegate_sas_total', { account: ACCOUNT, kind: 'account', outcome: 'sas-no-key' }), SERVICES.length)
})
