// Copy and rename sources: what may be named, what is edited, what is refused (contract sections 4 and 8, spec/sas.md 14).
import t from 'tap'
import { SOURCE_FIELDS, judgeSources, type SourceFacts, type SourceHost } from '../../../src/gate/storage/sources.ts'
import { createKeptResults } from '../../../src/sas/admission.ts'
import { reasonOf, refusalOf } from '../../support/verdict.ts'
import { NOW, blobParams, issued, policyOf } from '../../sas/ground.ts'

const GATE = 'tideoffice.blob.tide.example'
const FAR = 'tideoffice.blob.core.windows.net'
const rename = { host: FAR, pathPrefix: '' }
const host = (change: Partial<SourceHost> = {}): SourceHost => ({ account: 'tideoffice', service: 'blob', sas: policyOf(), rename: null, pathPrefix: '', ...change })

const facts = (change: Partial<SourceFacts> = {}): SourceFacts => ({
  hosts: new Map([[GATE, host({ rename })], [FAR, host()]]), anyHttps: false, kept: createKeptResults(10), address: '203.0.113.65', now: NOW, own: host({ rename }), ...change,
})

const judge = (source: string, change: Partial<SourceFacts> = {}, field = 'x-ms-copy-source'): string | undefined => judgeSources(new Map([[field, source]]), facts(change)).get(field)?.value

const PATH = '/ledgers/2026/q4.csv'
const token = issued(blobParams())
const closed = issued(blobParams({ spr: 'https' }))

void t.test('sources that pass as they are, and those whose name becomes the service\'s', async (test) => {
  const rows: [source: string, value: string][] = [
    [`https://${FAR}${PATH}`, `https://${FAR}${PATH}`],
    [`https://${FAR}${PATH}?snapshot=x`, `https://${FAR}${PATH}?snapshot=x`],
    [`https://${FAR}${PATH}?${closed}`, `https://${FAR}${PATH}?${closed}`],
    [`HTTPS://${FAR.toUpperCase()}:443${PATH}`, `HTTPS://${FAR.toUpperCase()}:443${PATH}`],
    [`https://${GATE}${PATH}`, `https://${FAR}${PATH}`],
    [`https://${GATE}:8443${PATH}?snapshot=x`, `https://${FAR}${PATH}?snapshot=x`],
    [`https://${GATE}${PATH}?${closed}`, `https://${FAR}${PATH}?${closed}`],
    [`https://${GATE}./c/a%20b%2Fc`, `https://${FAR}/c/a%20b%2Fc`],
  ]
  for (const [source, value] of rows) test.equal(judge(source), value, source)
})

void t.test('a source\'s own SAS is tightened', async (test) => {
  for (const name of [GATE, FAR]) {
    const value = judge(`https://${name}${PATH}?${token}`)
    test.match(value, new RegExp(`^https://${FAR.replaceAll('.', '\\.')}${PATH}\\?.*spr=https(&|$)`))
    test.not(value?.split('?')[1], token)
  }
})

void t.test('a token bound to an address is refused, since it would come back unbound in a listing', async (test) => {
  for (const name of [GATE, FAR]) {
    for (const sip of ['203.0.113.65', '203.0.113.0-203.0.113.255', '10.0.0.1', '']) {
      for (const mode of ['remove', 'keep'] as const) {
        const hosts = new Map([[GATE, host({ rename, sas: policyOf({ sip: mode }) })], [FAR, host({ sas: policyOf({ sip: mode }) })]])
        test.match(refusalOf(() => judge(`https://${name}${PATH}?${issued(blobParams({ spr: 'https', sip }))}`, { hosts })), { reason: 'copy-source-unknown', detail: { why: 'a SAS bound to an address' } }, `${name} ${sip} ${mode}`)
      }
    }
  }
  const encoded = issued(blobParams({ spr: 'https', sip: '203.0.113.65' })).replace('sip=', 's%69p=')
  test.equal(reasonOf(() => judge(`https://${FAR}${PATH}?${encoded}`)), 'copy-source-unknown')
  test.equal(reasonOf(() => judge(`https://elsewhere.example${PATH}?${encoded}`, { anyHttps: true, own: host({ sas: policyOf({ withoutKey: 'pass' }) }) })), 'copy-source-unknown')
})

void t.test('with sip: egress it is bound to our own address', async (test) => {
  const hosts = new Map([[FAR, host({ sas: policyOf({ sip: 'egress', egress: '198.51.100.9' }) })]])
  const value = judge(`https://${FAR}${PATH}?${issued(blobParams({ sip: '203.0.113.65' }))}`, { hosts })
  test.match(value, /&sip=198\.51\.100\.9(?:&|$)/)
  test.equal(reasonOf(() => judge(`https://${FAR}${PATH}?${issued(blobParams({ sip: '10.0.0.1' }))}`, { hosts })), 'sas-source-ip', 'and holds for the client')
})

void t.test('a rename source is not returned, and loses its address', async (test) => {
  test.notMatch(judge(`/ledgers/2026/q4.csv?${issued(blobParams({ sip: '203.0.113.65' }))}`, {}, 'x-ms-rename-source'), /sip=/)
})

void t.test('what may not be named, and how it is refused', async (test) => {
  const rows: [source: string, reason: string][] = [
    [`http://${FAR}${PATH}`, 'copy-source-plaintext'],
    [`HTTP://${FAR}${PATH}`, 'copy-source-plaintext'],
    ['http://other.example/x', 'copy-source-plaintext'],
    ['https://other.example/x', 'copy-source-unknown'],
    [`https://other.${FAR}/x`, 'copy-source-unknown'],
    [`https://${FAR}.other.example/x`, 'copy-source-unknown'],
    [`https://user@${FAR}/x`, 'copy-source-unknown'],
    [`https://${FAR}@other.example/x`, 'copy-source-unknown'],
    [`https://user:pass@${FAR}/x`, 'copy-source-unknown'],
    [`https://${FAR}:x/x`, 'copy-source-unknown'],
    [`https:///x`, 'copy-source-unknown'],
    [`https:/${FAR}/x`, 'copy-source-unknown'],
    [`https:\\\\${FAR}\\x`, 'copy-source-unknown'],
    [`ftp://${FAR}/x`, 'copy-source-unknown'],
    [`//${FAR}/x`, 'copy-source-unknown'],
    [PATH, 'copy-source-unknown'],
    ['', 'copy-source-unknown'],
    [`https://${FAR}/x y`, 'copy-source-unknown'],
    [`https://${FAR}/x#y`, 'copy-source-unknown'],
    [`https://${FAR}/é`, 'copy-source-unknown'],
    [`https://${FAR}/a/../b?${closed}`, 'copy-source-unknown'],
    [`https://${FAR}/%2e%2e/b?${closed}`, 'copy-source-unknown'],
    [`https://${FAR}/${'x'.repeat(8200)}`, 'copy-source-unknown'],
    ['https://[::1]/x', 'copy-source-unknown'],
    ['https://127.0.0.1/x', 'copy-source-unknown'],
    // The reason of the source's own SAS.
    [`https://${FAR}/ledgers/other?${token}`, 'sas-signature'],
    [`https://${FAR}${PATH}?${token}&sig=x`, 'sas-duplicate'],
    [`https://${FAR}${PATH}?${issued(blobParams({ se: '2026-01-01' }))}`, 'sas-expired'],
    [`https://${FAR}${PATH}?${issued(blobParams({ spr: 'http' }))}`, 'sas-protocol-value'],
  ]
  for (const [source, reason] of rows) test.equal(reasonOf(() => judge(source)), reason, source.slice(0, 80))
  test.match(refusalOf(() => judge('https://other.example/secret?sig=secret')), { detail: { field: 'x-ms-copy-source' }, tells: { HeaderName: 'x-ms-copy-source' } })
  test.notMatch(JSON.stringify(refusalOf(() => judge('https://other.example/secret?sig=secret'))?.detail), /secret/)
})

void t.test('any https host, where the operator allows it: still no userinfo, no http, and no SAS that we cannot verify', async (test) => {
  const any = { anyHttps: true }
  test.equal(judge('https://other.example/x?y=z', any), 'https://other.example/x?y=z')
  test.equal(reasonOf(() => judge('http://other.example/x', any)), 'copy-source-plaintext')
  test.equal(reasonOf(() => judge('https://user@other.example/x', any)), 'copy-source-unknown')
  test.equal(reasonOf(() => judge(`https://other.example${PATH}?${token}`, any)), 'sas-no-key')
  const pass = { anyHttps: true, own: host({ rename, sas: policyOf({ withoutKey: 'pass' }) }) }
  test.equal(judge(`https://other.example${PATH}?${token}`, pass), `https://other.example${PATH}?${token}`)
})

void t.test('rename sources: dfs names a path, file an address', async (test) => {
  const own = host({ service: 'dfs', rename })
  const dfs = (source: string): string | undefined => judge(source, { own }, 'x-ms-rename-source')
  test.equal(dfs(PATH), PATH)
  test.equal(dfs(`${PATH}?${closed}`), `${PATH}?${closed}`)
  test.match(dfs(`${PATH}?${token}`), /\?.*spr=https/)
  for (const source of ['', 'ledgers/x', `https://${FAR}${PATH}`, '//other.example/x', '/a/../b', '/a b', '/a#b', '/%zz', `/${'x'.repeat(8200)}`]) test.equal(reasonOf(() => dfs(source)), 'copy-source-unknown', source.slice(0, 60))
  test.equal(reasonOf(() => dfs(`/ledgers/other?${token}`)), 'sas-signature')
  test.equal(judge(`https://${GATE}${PATH}`, {}, 'x-ms-file-rename-source'), `https://${FAR}${PATH}`)
  test.equal(reasonOf(() => judge(`http://${FAR}${PATH}`, {}, 'x-ms-file-rename-source')), 'copy-source-plaintext')
})

void t.test('only the fields that hold sources are judged', async (test) => {
  test.strictSame([...SOURCE_FIELDS].toSorted(), ['x-ms-copy-source', 'x-ms-file-rename-source', 'x-ms-rename-source'])
  test.equal(judgeSources(new Map([['x-ms-version', 'http://x'], ['authorization', 'x']]), facts()).size, 0)
})
