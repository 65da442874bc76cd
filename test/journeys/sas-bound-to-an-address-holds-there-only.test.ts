// Tokens with `sip`: judged against the client's address, and told upstream as the operator wants it, since the service
// sees the gate's address and not the client's (spec/sas.md 10). That also holds for a token that is https-only already.
import t from 'tap'
import { issue, pairsOf, secondAccepts, type Service } from '../sas/second.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

const CLOCK = Date.parse('2026-11-24T06:40:00Z')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const KEY = Buffer.from(realm.key1, 'base64')
const UDK = { signedObjectId: 'oid', signedTenantId: 'tid', signedStartsOn: '2026-11-24T00:00:00Z', signedExpiresOn: '2026-11-30T00:00:00Z', signedService: 'b', signedVersion: '2025-05-05', value: Buffer.alloc(32, 5).toString('base64') }
realm.write('udk.json', JSON.stringify(UDK))

interface Kind { readonly service: Service; readonly path: string; readonly params: Readonly<Record<string, string>>; readonly key: Buffer }

const common = { sv: '2025-05-05', se: '2026-11-25T00:00:00Z', sp: 'r' }
const KINDS: Readonly<Record<string, Kind>> = {
  'a blob': { service: 'blob', path: '/c/b', params: { ...common, sr: 'b', rscd: 'a; b="ü"' }, key: KEY },
  'a queue': { service: 'queue', path: '/orders/messages', params: common, key: KEY },
  'a table': { service: 'table', path: '/Ledger()', params: { ...common, tn: 'Ledger', spk: 'a' }, key: Buffer.from(realm.key2, 'base64') },
  'an account': { service: 'blob', path: '/c/b', params: { ...common, ss: 'bq', srt: 'co' }, key: KEY },
  'a delegated blob': { service: 'blob', path: '/c/b', params: { ...common, sr: 'b', skoid: 'oid', sktid: 'tid', skt: UDK.signedStartsOn, ske: UDK.signedExpiresOn, sks: 'b', skv: '2025-05-05' }, key: Buffer.from(UDK.value, 'base64') },
}
const query = ({ service, path, params, key }: Kind, more: Readonly<Record<string, string>>): string => issue({ service, account: ACCOUNT, path, params: Object.entries({ ...params, ...more }) }, key)

const rest = (text: string): string => JSON.stringify(pairsOf(text).filter(([name]) => !['sip', 'spr', 'sig'].includes(name)))

const EGRESS = '203.0.113.7-203.0.113.9'
const MODES = [['remove', undefined, undefined], ['egress', EGRESS, undefined], ['egress', EGRESS, '203.0.113.7'], ['keep', undefined, undefined]] as const

for (const [sip, range, single] of MODES) {
  const egress = single ?? range
  void t.test(`${sip} ${egress ?? ''}`, async (test) => {
    const gate = await startGate(test, realm, {
      accounts: [{ name: ACCOUNT, keys: ['key1', 'key2'], userDelegationKeys: ['udk.json'], ...Object.fromEntries(['blob', 'queue', 'table'].map((service) => [service, { url: `https://${ACCOUNT}.${service}.upstream.example:${upstream.port}`, connect: `127.0.0.1:${upstream.port}`, ca: realm.caFile }])) }],
      storageOptions: { sas: { sip, ...(egress === undefined ? {} : { egress }) } }, clock: () => CLOCK,
    })
    for (const [what, kind] of Object.entries(KINDS)) {
      const { service, path, key } = kind
      const host = storageHost(service)
      const client = await dial(test, gate, { servername: host })
      for (const given of ['127.0.0.1', '127.0.0.0-127.255.255.255', '127.0.0.1-127.0.0.1']) {
        for (const spr of [{}, { spr: 'https,http' }, { spr: 'https' }]) {
          const token = query(kind, { sip: given, ...spr })
          const reply = await client.ask(`GET ${path}?${token}`, [`Host: ${host}`])
          test.equal(reply.status, 200, `${what}, ${given}`)
          const shown = upstream.seen.at(-1)?.target.split('?')[1] ?? ''
          const wanted = sip === 'keep' ? [given] : egress === undefined ? [] : [egress]
          test.strictSame(new URLSearchParams(shown).getAll('sip'), wanted)
          test.strictSame(new URLSearchParams(shown).getAll('spr'), ['https'])
          test.ok(secondAccepts({ service, account: ACCOUNT, path }, shown, [key]), 'the service takes it')
          test.equal(rest(shown), rest(token), 'all else as it came')
          const same = sip === 'keep' && 'spr' in spr && spr.spr === 'https'
          test.equal(reply.header('x-tidegate-sas'), same ? undefined : 'tightened')
          if (same) test.equal(shown, token, 'byte for byte')
        }
      }
      const before = upstream.seen.length
      for (const given of ['10.0.0.1', '127.0.0.2-127.0.0.9', '0.0.0.0-126.255.255.255']) {
        for (const spr of [{}, { spr: 'https' }]) {
          const reply = await client.ask(`GET ${path}?${query(kind, { sip: given, ...spr })}`, [`Host: ${host}`, 'X-Forwarded-For: 10.0.0.1'])
          test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('x-ms-error-code')], [403, 'sas-source-ip', 'AuthorizationSourceIPMismatch'], given)
        }
      }
      for (const given of ['127.0.0.0/8', '127.0.0.1,127.0.0.2', '::1', '127.0.0.9-127.0.0.1', '127.0.0.1-', 'x', '127.1']) {
        test.equal((await client.ask(`GET ${path}?${query(kind, { sip: given })}`, [`Host: ${host}`])).header('x-tidegate-reason'), 'sas-malformed', given)
      }
      const bare = await client.ask(`GET ${path}?${query(kind, { spr: 'https' })}`, [`Host: ${host}`])
      test.equal(bare.header('x-tidegate-sas'), undefined)
      test.equal(upstream.seen.length, before + 1)
      test.notMatch(upstream.seen.at(-1)?.target, /sip=/, 'none is added to a token without')
      client.close()
    }
  })
}
