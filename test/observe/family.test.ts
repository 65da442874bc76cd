import { Registry, type Metric } from 'prom-client'
import t from 'tap'
import { BUCKETS, Distributions, Numbers } from '../../src/observe/family.ts'

void t.test('a child is made once, at zero, in the order of its labels', async (test) => {
  const family = new Numbers('counter', 'x_total', 'Help.', ['a', 'b'])
  const child = family.child('1', '2')
  child.value += 3
  test.equal(family.child('1', '2'), child)
  family.child('2', '1')
  test.strictSame((await family.get()).values, [{ value: 3, labels: { a: '1', b: '2' } }, { value: 0, labels: { a: '2', b: '1' } }])
  test.not(family.child('1', ''), family.child('', '1'))
  family.clear()
  test.strictSame((await family.get()).values, [])
})

void t.test('odd label values do not run into one another', async (test) => {
  const family = new Numbers('gauge', 'x', 'Help.', ['a', 'b'])
  family.child('a,b', 'c').value = 1
  family.child('a', 'b,c').value = 2
  family.child('__proto__', 'constructor').value = 3
  test.strictSame((await family.get()).values.map(({ value }) => value), [1, 2, 3])
})

void t.test('a histogram counts upwards, also from a clock that stepped back', async (test) => {
  const family = new Distributions('x_seconds', 'Help.', ['route'])
  const child = family.child('r')
  for (const seconds of [0, 0.0005, 0.0006, 0.01, 60, 61, -5, Number.NaN]) child.observe(seconds)
  const { values, type } = await family.get()
  test.equal(type, 'histogram')
  const bucket = (le: string): number | undefined => values.find(({ labels }) => labels['le'] === le)?.value
  test.strictSame(['0.0005', '0.001', '0.01', '60', '+Inf'].map(bucket), [4, 5, 6, 7, 8])
  const counts = values.filter(({ metricName }) => metricName === 'x_seconds_bucket').map(({ value }) => value)
  test.equal(counts.length, BUCKETS.length + 1)
  test.strictSame(counts, counts.toSorted((a, b) => a - b), 'cumulative')
  test.match(values.slice(-2), [{ metricName: 'x_seconds_sum', value: 121.0111, labels: { route: 'r' } }, { metricName: 'x_seconds_count', value: 8 }])
  test.strictSame(BUCKETS, BUCKETS.toSorted((a, b) => a - b))
})

void t.test('prom-client writes them as its own', async (test) => {
  const registry = new Registry()
  const counter = new Numbers('counter', 'x_total', 'Help\nover two lines.', ['a'])
  counter.child('quote " back \\ line \n').value = 7
  const plain = new Numbers('gauge', 'y', 'Y.', [], { aggregator: 'min', initial: 3 })
  test.equal(plain.child().value, 3)
  plain.child().value = -1.5
  for (const family of [counter, plain, new Distributions('z_seconds', 'Z.', [])]) registry.registerMetric(family as unknown as Metric)
  const text = await registry.metrics()
  test.ok(text.includes('# TYPE x_total counter\nx_total{a="quote \\" back \\\\ line \\n"} 7\n'), text)
  test.ok(text.includes('# HELP x_total Help\\nover two lines.\n'))
  test.ok(text.includes('# TYPE y gauge\ny -1.5\n'))
  test.ok(text.includes('# TYPE z_seconds histogram\n'))
})
