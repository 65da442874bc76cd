// From what the supervisor knows to what the page shows: with everything there, and with nothing there yet.
import t from 'tap'
import { loadConfig } from '../../../src/config/load.ts'
import type { ExposedValues } from '../../../src/observe/family.ts'
import { createStateMetrics, createTrafficMetrics } from '../../../src/observe/metrics.ts'
import { viewOf, type PageFacts } from '../../../src/admin/page/view.ts'
import { pageOf } from '../../../src/admin/page/page.ts'
import { readVersions } from '../../../src/admin/status.ts'
import { sum } from '../../../src/admin/totals.ts'
import { writeConfiguration } from '../../support/gate.ts'
import { createRealm } from '../../support/realm.ts'
import { NOW } from './sample.ts'

const realm = await createRealm(t)
const api = { name: 'payroll', host: 'payroll.tide.example', prefix: '/v1', upstream: 'https://payroll.internal:8443' }
const loaded = await loadConfig(await writeConfiguration(realm, { storage: { blob: 1 }, apis: [api], names: ['payroll.tide.example'] }), { environment: {}, now: Date.now() })
const facts: PageFacts = {
  loaded, generation: 1, reloads: [], versions: readVersions(), addresses: {}, numbers: [], issuers: [], offers: [], refusedBy: [], missing: ['listeners', 'workers'], now: NOW,
  host: 'here', startedAt: NOW, before: { at: 0, values: new Map() }, windowSeconds: 0, workers: [], workersWanted: 2,
}
const valuesOf = async (registry: { getMetricsAsJSON(): Promise<unknown> }): Promise<ExposedValues[]> => (await registry.getMetricsAsJSON()) as ExposedValues[]

void t.test('before any worker has told of anything there is a page, and no error', async (test) => {
  const view = viewOf(facts)
  test.match(view, { requests: { total: 0 }, resumedShare: null, offered: [], refusals: [], upstreams: [], workers: [], own: { p99: null } })
  test.match(pageOf(view), 'Not ready')
  test.match(view.routes, [{ route: 'tideoffice', service: 'blob' }, { route: 'payroll', prefix: '/v1' }])
})

void t.test('everything where it belongs', async (test) => {
  const [traffic, state] = [createTrafficMetrics(), createStateMetrics()]
  traffic.refusals.child('handshake', 'tls-version').value = 3
  traffic.refusals.child('sas', 'sas-expired').value = 7
  traffic.requests.child('tideoffice', 'blob', 'GET', '2xx').value = 90
  traffic.handshakes.child('TLSv1.3', 'S', 'no', 'no').value = 3
  traffic.handshakes.child('TLSv1.3', 'S', 'yes', 'no').value = 1
  traffic.groups.child('X25519MLKEM768').value = 1
  traffic.groups.child('x25519').value = 3
  traffic.hellos.child('tls1.0').value = 3
  traffic.plaintext.child('http').value = 2
  traffic.connectionsOpen.child('tls').value = 5
  traffic.gatewayDuration.child('tideoffice').observe(0.002)
  traffic.upstreamRequests.child('tideoffice.blob', 'ok').value = 9
  state.workerRestarts.child().value = 1
  const numbers = sum([await valuesOf(traffic.registry), await valuesOf(state.registry)])
  const view = viewOf({
    ...facts, numbers, missing: [],
    refusedBy: [{ range: '192.0.2.0/24', reason: 'tls-version', count: 2, lastSeen: 5 }, { range: '198.51.100.0/24', reason: 'tls-version', count: 1, lastSeen: 9 }],
    issuers: [{ account: 'a', kind: 'service', slot: 'key1', client: 'c', open: 0, httpsOnly: 3, lastSeen: 1 }, { account: 'b', kind: 'service', slot: 'key1', client: 'c', open: 1, httpsOnly: 3, lastSeen: 1 }],
  })
  test.match(view, { requests: { total: 90, recent: 90 }, refused: { total: 10 }, resumedShare: 0.25, postQuantumShare: 0.25, connections: { tls: 5, plain: 0, limit: 10_000 }, workerRestarts: { total: 1 } })
  test.match(view.refusals, [{ reason: 'sas-expired', stage: 'sas', total: 7, lastSeen: undefined }, { reason: 'tls-version', blame: 'client', lastSeen: 9 }])
  test.match(view.groups.map(({ labels, postQuantum }) => `${labels['group']} ${postQuantum}`), ['x25519 false', 'X25519MLKEM768 true'])
  test.match(view.openIssuers.map(({ account }) => account), ['b'], 'only whose tokens are open')
  test.match(view.upstreams, [{ name: 'tideoffice.blob', health: 'well', target: /^https:\/\/tideoffice\.blob\.upstream\.example/ }])
  test.ok((view.own.p99 ?? 0) > 0)
  test.equal(view.certificates[0]?.name, 'tls.certificates[0]')
  test.ok(view.certificates[0]?.names.includes('payroll.tide.example'))
})
