// Summed numbers as the page asks for them, out of what the metrics really expose.
import t from 'tap'
import type { ExposedValues } from '../../../src/observe/family.ts'
import { createTrafficMetrics } from '../../../src/observe/metrics.ts'
import { Reading } from '../../../src/admin/page/reading.ts'
import { Recent } from '../../../src/admin/recent.ts'
import { upstreamsOf } from '../../../src/admin/page/upstreams.ts'
import { sum } from '../../../src/admin/totals.ts'

const START = { at: 0, values: new Map<string, number>() }
const metrics = createTrafficMetrics()
const exposed = async (): Promise<ExposedValues[]> => sum([(await metrics.registry.getMetricsAsJSON()) as unknown as ExposedValues[]])
const { upstreamRequests, upstreamFirstByte, handshakes, connectionsOpen, upstreamConnections } = metrics

void t.test('totals, and what came since the sample', async (test) => {
  handshakes.child('TLSv1.3', 'A', 'no', 'no').value = 10
  handshakes.child('TLSv1.3', 'A', 'yes', 'no').value = 5
  const recent = new Recent(0)
  recent.note(await exposed(), 40_000)
  handshakes.child('TLSv1.3', 'A', 'yes', 'no').value = 8
  handshakes.child('TLSv1.2', 'B', 'no', 'no').value = 1
  const reading = new Reading(await exposed(), recent.before(400_000))
  test.strictSame(reading.by('tidegate_tls_handshakes_total', 'version'), [{ labels: { version: 'TLSv1.3' }, total: 18, recent: 3 }, { labels: { version: 'TLSv1.2' }, total: 1, recent: 1 }])
  test.strictSame(reading.all('tidegate_tls_handshakes_total'), { labels: {}, total: 19, recent: 4 })
  test.equal(reading.tallies('tidegate_tls_handshakes_total')[0]?.labels['resumed'], 'yes', 'lately most first')
})

void t.test('gauges are summed over what fits', async (test) => {
  connectionsOpen.child('tls').value = 4
  connectionsOpen.child('plain').value = 1
  const reading = new Reading(await exposed(), START)
  test.strictSame([reading.gauge('tidegate_connections_open'), reading.gauge('tidegate_connections_open', { listener: 'tls' })], [5, 4])
})

void t.test('quantiles as Prometheus reckons them, over the last minutes', async (test) => {
  const histogram = upstreamFirstByte.child('up')
  for (let i = 0; i < 100; i++) histogram.observe(40)
  const recent = new Recent(0)
  recent.note(await exposed(), 40_000)
  for (let i = 0; i < 90; i++) histogram.observe(0.004)
  for (let i = 0; i < 10; i++) histogram.observe(0.2)
  const reading = new Reading(await exposed(), recent.before(400_000))
  const at = (q: number): number | null => reading.quantile('tidegate_upstream_first_byte_seconds', { upstream: 'up' }, q)
  test.equal(at(0.45)?.toFixed(5), '0.00375', 'half of the way through the bucket from 2.5 to 5 ms')
  test.equal(at(0.95)?.toFixed(3), '0.175')
  for (let i = 0; i < 100; i++) histogram.observe(100)
  test.equal(new Reading(await exposed(), recent.before(400_000)).quantile('tidegate_upstream_first_byte_seconds', { upstream: 'up' }, 0.9), Infinity)
})

void t.test('nothing there: nothing, and no error', async (test) => {
  const reading = new Reading([], START)
  test.strictSame([reading.tallies('x'), reading.by('x', 'y'), reading.names('x', 'y')], [[], [], []])
  test.strictSame([reading.all('x').total, reading.gauge('x'), reading.quantile('x', {}, 0.5)], [0, 0, null])
})

void t.test('how an upstream does goes by the last minutes alone', async (test) => {
  results('was-down.blob', { ok: 5, unreachable: 50 })
  results('idle.blob', { ok: 0 })
  const recent = new Recent(0)
  recent.note(await exposed(), 40_000)
  results('was-down.blob', { ok: 25 })
  results('flaky.blob', { 'ok': 9, 'server-error': 4, 'timeout': 3 })
  results('down', { ok: 1, unreachable: 2, certificate: 1 })
  upstreamConnections.child('flaky.blob', 'open').value = 7
  const views = upstreamsOf(new Reading(await exposed(), recent.before(400_000)), [{ host: 'h', upstream: 'https://u', route: 'down', service: 'api' }, { host: 'h', upstream: 'https://f', route: 'flaky', service: 'blob' }])
  test.strictSame(views.map(({ name, health, target }) => [name, health, target]), [['down', 'failing', 'https://u'], ['flaky.blob', 'some-failures', 'https://f'], ['was-down.blob', 'well', undefined], ['idle.blob', 'idle', undefined]])
  test.match(views[1], { open: 7, requests: { recent: 16 }, failures: { recent: 3 }, serverErrors: { recent: 4 } })
  test.equal(views[2]?.failures.total, 50, 'what was before stays told')
})

function results(name: string, counts: Readonly<Record<string, number>>): void {
  for (const [result, value] of Object.entries(counts)) upstreamRequests.child(name, result).value = value
}
