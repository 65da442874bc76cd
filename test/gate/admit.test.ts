// Admission without a socket: a Permit, or the first reason that speaks against it.
import t from 'tap'
import { admit, findRoute, findSite, serviceOf, type Permit, type RequestFacts, type Snapshot } from '../../src/gate/admit.ts'
import { fieldValue, readRequestFields } from '../../src/gate/headers.ts'
import { createKeptResults } from '../../src/sas/admission.ts'
import type { ApiRoute, Site, StorageRoute } from '../../src/upstream/routes.ts'
import { reasonOf } from '../support/verdict.ts'
import { NOW, blobParams, issued, policyOf } from '../sas/ground.ts'

const HOST = 'tideoffice.blob.tide.example'
const API = 'payroll.tide.example'
const PATH = '/ledgers/2026/q4.csv'

// The far ends are looked at for their names only.
const blob = { kind: 'storage', account: 'tideoffice', service: 'blob', sas: policyOf(), origin: { name: 'tideoffice.blob', host: 'far.example', pathPrefix: '' } } as StorageRoute
const emulated = { ...blob, service: 'table', origin: { ...blob.origin, pathPrefix: '/tideoffice' } } as StorageRoute
const apis = [{ kind: 'api', name: 'payroll', prefix: '/v1', origin: { pathPrefix: '/base' } } as ApiRoute]
const sites = new Map<string, Site>([[HOST, blob], ['tideoffice.table.tide.example', emulated], [API, apis]])
const snapshot: Snapshot = { generation: 1, sites, kept: createKeptResults(10), via: 'tidegate-0123456789ab', headerFields: 20, sourceHosts: new Map(), anyHttpsSource: false, clients: { verify: 'none', allow: undefined } }

interface Ask {
  readonly target?: string
  readonly host?: string | undefined
  readonly serverName?: string | undefined
  readonly headers?: readonly string[]
  readonly method?: string
}

function factsOf({ target = PATH, host = HOST, headers = [], method = 'GET', serverName }: Ask): RequestFacts {
  const raw = [...(host === '' ? [] : ['Host', host]), ...headers]
  return { method, target, raw, fields: readRequestFields(raw, true), serverName, peer: undefined, address: '203.0.113.65', header: (name) => fieldValue(raw, name), now: NOW }
}

function judge(ask: Ask = {}): Permit {
  const facts = factsOf(ask)
  const { host, site } = findSite(facts, snapshot)
  return admit(facts, findRoute(facts, host, site, snapshot), snapshot)
}

void t.test('what passes, and what is sent upstream', async (test) => {
  const closed = issued(blobParams({ spr: 'https' }))
  const rows: [ask: Ask, upstreamTarget: string][] = [
    [{}, PATH],
    [{ target: '/' }, '/'],
    [{ target: '/?comp=list' }, '/?comp=list'],
    [{ target: '/c/b?' }, '/c/b?'],
    [{ target: '/c//b%2F?x=%zz' }, '/c//b%2F?x=%zz'],
    [{ target: `https://${HOST}/c/b?x` }, '/c/b?x'],
    [{ target: `${PATH}?${closed}` }, `${PATH}?${closed}`],
    [{ serverName: HOST }, PATH],
    [{ host: `${HOST.toUpperCase()}.:8443`, serverName: HOST }, PATH],
    [{ headers: ['Expect', '100-Continue'], method: 'PUT' }, PATH],
    [{ headers: ['Via', '1.1 tidegate-ba9876543210, 1.0 other'] }, PATH],
    [{ host: 'tideoffice.table.tide.example', target: '/T?x' }, '/tideoffice/T?x'],
    [{ host: API, target: '/v1/x?sig=whatever' }, '/base/v1/x?sig=whatever'],
    [{ host: API, target: '/%761/x' }, '/base/%761/x'],
  ]
  for (const [ask, upstreamTarget] of rows) test.equal(judge(ask).upstreamTarget, upstreamTarget, JSON.stringify(ask).slice(0, 100))
  test.equal(judge().route, blob)
  test.equal(judge({ host: API, target: '/v1' }).route, apis[0])
})

void t.test('a SAS is tightened in its query and nowhere else', async (test) => {
  const permit = judge({ target: `${PATH}?a=b&${issued(blobParams())}&c=%2F` })
  test.match(permit.sas, { outcome: 'tightened', kind: 'service', slot: 'key1' })
  test.match(permit.upstreamTarget, /^\/ledgers\/2026\/q4\.csv\?a=b&.*spr=https.*&c=%2F$|^\/ledgers\/2026\/q4\.csv\?a=b&.*&c=%2F.*spr=https/)
  test.equal(judge({ target: `${PATH}?a=b` }).sas, undefined)
})

void t.test('the first reason that speaks against it', async (test) => {
  const fields = Array.from({ length: 20 }, (_, i) => [`x-${i}`, '1']).flat()
  const rows: [ask: Ask, reason: string][] = [
    [{ host: '' }, 'http-malformed'],
    [{ host: 'a b' }, 'http-malformed'],
    [{ host: 'nobody.example' }, 'host-unknown'],
    [{ serverName: API }, 'host-not-sni'],
    // Before the target is looked at: who is not served learns nothing about paths.
    [{ host: 'nobody.example', target: '/..' }, 'host-unknown'],
    [{ serverName: API, target: '/..' }, 'host-not-sni'],
    [{ target: '/..' }, 'target-ambiguous'],
    [{ target: '*', method: 'OPTIONS' }, 'target-ambiguous'],
    [{ target: `https://${API}/v1` }, 'target-ambiguous'],
    [{ target: `/?${'q'.repeat(8193)}` }, 'headers-too-large'],
    [{ headers: fields }, 'headers-too-large'],
    [{ method: 'TRACE' }, 'method-refused'],
    [{ method: 'TRACE', host: API, target: '/v1' }, 'method-refused'],
    [{ headers: ['Expect', '200-ok'] }, 'expectation-failed'],
    [{ headers: ['Expect', '100-continue, x'] }, 'expectation-failed'],
    [{ headers: ['Expect', ''] }, 'expectation-failed'],
    [{ headers: ['Via', '1.1 tidegate-0123456789ab'] }, 'loop'],
    [{ headers: ['Via', '1.0 a', 'via', '1.1 other, 1.1 tidegate-0123456789ab (x)'] }, 'loop'],
    [{ host: API, target: '/v2' }, 'path-unknown'],
    [{ host: API, target: '/v1x' }, 'path-unknown'],
    [{ host: API, target: '/v1/..' }, 'target-ambiguous'],
    [{ host: API, headers: ['Via', '1.1 tidegate-0123456789ab'], target: '/v1' }, 'loop'],
    [{ target: `${PATH}?${issued(blobParams())}x` }, 'sas-signature'],
    [{ target: `${PATH}?${issued(blobParams({ se: '2026-01-01' }))}` }, 'sas-expired'],
    [{ target: `${PATH}?${issued(blobParams({ sip: '203.0.113.66' }))}` }, 'sas-source-ip'],
    [{ target: `${PATH}?sig=` }, 'sas-version'],
    [{ headers: ['x-ms-copy-source', 'http://far.example/x'] }, 'copy-source-plaintext'],
    [{ headers: ['X-Ms-Copy-Source', 'https://nobody.example/x'] }, 'copy-source-unknown'],
    [{ headers: ['x-ms-rename-source', 'https://nobody.example/x'] }, 'copy-source-unknown'],
  ]
  for (const [ask, reason] of rows) test.equal(reasonOf(() => judge(ask)), reason, JSON.stringify(ask).slice(0, 100))
  test.equal(reasonOf(() => judge({ headers: fields.slice(2) })), 'passed', 'just as many fields as there may be')
  test.equal(reasonOf(() => judge({ host: API, target: '/v1', headers: ['x-ms-copy-source', 'http://x'] })), 'passed', 'no copy sources on APIs')
})

void t.test('whose shape a refusal takes: Host before SNI, problem details where neither is a storage name of ours', async (test) => {
  const rows: [host: string | undefined, serverName: string | undefined, service: string | undefined][] = [
    [HOST, undefined, 'blob'], [`${HOST}:1`, API, 'blob'], ['tideoffice.table.tide.example', HOST, 'table'], [undefined, HOST, 'blob'], ['a b', HOST, 'blob'],
    [API, HOST, undefined], ['nobody.example', HOST, undefined], [undefined, undefined, undefined], [undefined, API, undefined], ['a b', undefined, undefined],
  ]
  for (const [host, serverName, service] of rows) test.equal(serviceOf(host, serverName, sites), service, `${host} ${serverName}`)
})
