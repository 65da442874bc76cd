// What the admin listener tells: the same numbers three times, and on the page what came in the last minutes.
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { createStateMetrics, createTrafficMetrics } from '../../src/observe/metrics.ts'
import type { ExposedValues } from '../../src/observe/family.ts'
import { Readiness } from '../../src/admin/readiness.ts'
import { Reports } from '../../src/admin/reports.ts'
import { readVersions } from '../../src/admin/status.ts'
import { NO_COUNTS, Totals } from '../../src/admin/totals.ts'
import { writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'

const MINUTE = 60_000
const realm = await createRealm(t)
const loaded = await loadConfig(await writeConfiguration(realm, { storage: { blob: 1 } }), { environment: {}, now: Date.now() })
const traffic = createTrafficMetrics()
const totals = new Totals()
const clock = { now: 1000 }
const readiness = new Readiness()
const reports = new Reports({
  supervisor: { collect: async () => totals.update(1, { ...NO_COUNTS, values: (await traffic.registry.getMetricsAsJSON()) as unknown as ExposedValues[] }), totals, workers: [] },
  reloader: { loaded, generation: 3, history: [] },
  readiness, metrics: createStateMetrics(), versions: readVersions(), addresses: { tls: '127.0.0.1:1' }, workersWanted: 1, monotonic: () => clock.now,
})
const expired = traffic.refusals.child('sas', 'sas-expired')
const row = async (): Promise<string> => /class="reason">sas-expired<\/code>[^]*?<\/tr>/.exec(await reports.page())?.[0].replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ') ?? ''

void t.test('the page tells what came in the last minutes beside all there was', async (test) => {
  expired.value = 40
  clock.now += MINUTE
  test.match(await row(), / 40 40 – the client /, 'all of it is recent')
  test.match(await reports.page(), 'Last 1 min')
  clock.now += 10 * MINUTE
  expired.value = 43
  test.match(await row(), / 3 43 – the client /)
  clock.now += 4 * MINUTE
  test.match(await row(), / 3 43 – the client /, 'still within five minutes')
  clock.now += 2 * MINUTE
  test.match(await row(), / 0 43 – the client /)
})

void t.test('the same in /status and /metrics', async (test) => {
  test.match(await reports.status(), { ready: false, missing: ['listeners', 'workers', 'certificates'], refusals: { 'sas-expired': 43 }, configuration: { generation: 3 } })
  test.match(await reports.metrics(), 'tidegate_refusals_total{stage="sas",reason="sas-expired"} 43')
  readiness.set('listeners', true)
  test.match(await reports.metrics(), 'tidegate_ready{check="listeners"} 1')
})
