// Several workers' numbers as one: sums, and counters that never fall when a worker dies.
import t from 'tap'
import { createTrafficMetrics, type TrafficMetrics } from '../../src/observe/metrics.ts'
import type { ExposedValues } from '../../src/observe/family.ts'
import { NO_COUNTS, Totals, sum, type Counts } from '../../src/admin/totals.ts'

const countsOf = async (metrics: TrafficMetrics): Promise<Counts> => ({ ...NO_COUNTS, values: (await metrics.registry.getMetricsAsJSON()) as unknown as ExposedValues[] })

function worker(requests: number, open: number): TrafficMetrics {
  const metrics = createTrafficMetrics()
  metrics.requests.child('tideoffice', 'blob', 'GET', '2xx').value = requests
  metrics.connectionsOpen.child('tls').value = open
  for (let i = 0; i < requests; i++) metrics.requestDuration.child('tideoffice').observe(0.002)
  return metrics
}

async function lineOf(totals: Totals, start: string): Promise<number> {
  const line = (await totals.text([])).split('\n').find((it) => it.startsWith(start))
  return Number(line?.slice(line.lastIndexOf(' ') + 1))
}

const REQUESTS = 'tidegate_requests_total{'
const OPEN = 'tidegate_connections_open{listener="tls"}'
const COUNT = 'tidegate_request_duration_seconds_count{'
const BUCKET = 'tidegate_request_duration_seconds_bucket{le="0.0025"'

void t.test('workers are summed; a dead one leaves its counters and takes its gauges', async (test) => {
  const totals = new Totals()
  totals.update(1, await countsOf(worker(5, 2)))
  totals.update(2, await countsOf(worker(3, 1)))
  const all = async (): Promise<number[]> => await Promise.all([REQUESTS, OPEN, COUNT, BUCKET].map((start) => lineOf(totals, start)))
  test.strictSame(await all(), [8, 3, 8, 8])
  totals.update(2, await countsOf(worker(4, 1)))
  test.strictSame(await all(), [9, 3, 9, 9], 'the latest of each')
  totals.retire(1)
  test.strictSame(await all(), [9, 1, 9, 9])
  totals.update(3, await countsOf(worker(1, 1)))
  totals.retire(2)
  test.strictSame(await all(), [10, 1, 10, 10])
  totals.retire(3)
  totals.retire(3)
  totals.retire(99)
  test.equal(await lineOf(totals, REQUESTS), 10)
  test.ok(!((await lineOf(totals, OPEN)) > 0))
})

void t.test('the supervisor\'s own are added, and the text names each family once', async (test) => {
  const totals = new Totals()
  totals.update(1, await countsOf(worker(5, 2)))
  totals.update(2, await countsOf(worker(5, 2)))
  const own: ExposedValues[] = [
    { name: 'tidegate_workers', help: 'W.', type: 'gauge', aggregator: 'sum', values: [{ value: 2, labels: {} }] },
    { name: 'tidegate_connections_open', help: 'Connections open now.', type: 'gauge', aggregator: 'sum', values: [{ value: 1, labels: { listener: 'admin' } }] },
  ]
  const text = await totals.text(own)
  test.ok(text.includes('tidegate_workers 2\n'))
  test.ok(text.includes('tidegate_connections_open{listener="admin"} 1\n'))
  const named = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
  test.equal(new Set(named).size, named.length)
})

void t.test('sum adds equal label sets and keeps what it was given as it was', async (test) => {
  const one: ExposedValues = { name: 'x', help: 'X.', type: 'counter', aggregator: 'sum', values: [{ value: 1, labels: { a: '1' } }, { value: 2, labels: { a: '2' } }] }
  const two: ExposedValues = { name: 'x', help: 'X.', type: 'counter', aggregator: 'sum', values: [{ value: 10, labels: { a: '2' } }, { value: 5, labels: { a: '2' }, metricName: 'x_sum' }] }
  test.strictSame(sum([[one], [two], []]), [{ ...one, values: [{ value: 1, labels: { a: '1' } }, { value: 12, labels: { a: '2' } }, { value: 5, labels: { a: '2' }, metricName: 'x_sum' }] }])
  test.equal(one.values[1]?.value, 2)
  test.strictSame(sum([]), [])
})

void t.test('an upstream is as healthy as the worker says that is worst off; before its first exchange none says anything', async (test) => {
  const totals = new Totals()
  const healthy = (): Promise<number> => lineOf(totals, 'tidegate_upstream_healthy{')
  const [first, second] = [createTrafficMetrics(), createTrafficMetrics()]
  for (const metrics of [first, second]) metrics.upstreamHealthy.child('tideoffice.blob')
  totals.update(1, await countsOf(first))
  totals.update(2, await countsOf(second))
  test.equal(await healthy(), 1)
  second.upstreamHealthy.child('tideoffice.blob').value = 0
  totals.update(2, await countsOf(second))
  test.equal(await healthy(), 0)
  totals.retire(2)
  test.equal(await healthy(), 1, 'who is gone says nothing')
})

const refused = (count: number, lastSeen: number): Counts => ({ ...NO_COUNTS, refusedBy: [{ range: '192.0.2.0/24', reason: 'tls-version', count, lastSeen }] })

void t.test('the refused ranges of workers that are gone stay in the sum', async (test) => {
  const totals = new Totals()
  totals.update(1, refused(2, 9))
  totals.update(2, refused(1, 5))
  totals.update(1, refused(3, 10))
  test.match(totals.refusedBy, [{ count: 4, lastSeen: 10 }])
  totals.retire(1)
  totals.update(3, refused(1, 20))
  test.match(totals.refusedBy, [{ count: 5, lastSeen: 20 }])
})
