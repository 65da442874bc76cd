// The dashboard's queries, asked of a real Prometheus that scrapes a real gateway under traffic of every kind: each gives
// numbers, and promtool finds nothing amiss in what the gateway exposes.
import { join } from 'node:path'
import t from 'tap'
import { ROWS } from '../../scripts/dashboard.ts'
import { exposedNames, metricsIn, startPrometheus, type Prometheus, type Sample } from '../support/prometheus.ts'
import { run, without } from '../support/programs.ts'
import { startMixedGate } from '../support/mixed-traffic.ts'
import { createRealm } from '../support/realm.ts'
import { until } from '../support/until.ts'

const RULES = join(import.meta.dirname, '../../deploy/chart/files/rules.yaml')
const panels = ROWS.flatMap((row) => row.panels.map((panel) => ({ ...panel, title: `${row.title} ${panel.title}` })))

/** As Grafana fills it in. */
const filledIn = (expr: string): string => expr.replaceAll('$__rate_interval', '20s').replaceAll('"$instance"', '".*"')

void t.test('every row fills its columns', async (test) => {
  for (const { title, panels: of } of ROWS) test.equal(of.reduce((sum, { width }) => sum + width, 0) % 24, 0, title)
})

void t.test('every query asks for what there is', async (test) => {
  const names = await exposedNames()
  for (const { title, queries } of panels) {
    for (const { expr } of queries) for (const name of metricsIn(filledIn(expr))) test.ok(names.has(name) || name === 'up' || name === 'tidegate:errors:ratio_rate1h', `${title}: ${name}`)
  }
})

void t.test('under traffic of every kind', { skip: without('prometheus', 'promtool') }, async (test) => {
  const realm = await createRealm(test)
  const gate = await startMixedGate(test, realm)
  await gate.traffic()
  const prometheus = await startPrometheus(test, realm, `127.0.0.1:${gate.adminPort}`, RULES)
  await until(async () => await numberOf(prometheus.query('tidegate_refusals_total')) > 0, 'the first scrape')
  await gate.traffic()
  await until(async () => await numberOf(prometheus.query('tidegate:errors:ratio_rate1h')) > 0, 'rates over two scrapes')

  await test.test('no query of the dashboard comes back empty', async (inner) => {
    // What a query shows may need more of the traffic: connections that are kept are not made anew.
    await until(async () => {
      const empty = await emptyQueries(prometheus)
      if (empty.length > 0) await gate.traffic()
      return empty.length === 0
    }, 'every query to show something').catch(() => undefined)
    inner.strictSame(await emptyQueries(prometheus), [])
  })

  await test.test('every recorded and alerting rule is evaluated without a fault', async (inner) => {
    const reply = await prometheus.rules()
    inner.ok(reply.length > 30)
    inner.strictSame(reply.filter(({ health }) => health !== 'ok'), [])
  })

  await test.test('promtool check metrics is clean', async (inner) => {
    const { code, stdout, stderr } = run('promtool', ['check', 'metrics'], { input: (await gate.admin('/metrics')).text })
    inner.strictSame({ code, said: stdout + stderr }, { code: 0, said: '' })
  })
})

/** How many samples are numbers above zero. */
async function numberOf(samples: Promise<readonly Sample[]>): Promise<number> {
  return (await samples).filter(({ value: [, value] }) => Number(value) > 0).length
}

/** The titles of the queries that give no number, or none above zero where there must be one. */
async function emptyQueries(prometheus: Prometheus): Promise<string[]> {
  const asked = panels.flatMap(({ title, queries }) => queries.map((query) => ({ title, ...query })))
  const shown = await Promise.all(asked.map(async ({ title, expr, legend, quiet }) => {
    const samples = await prometheus.query(filledIn(expr))
    const numbers = samples.map(({ value: [, value] }) => Number(value)).filter((value) => !Number.isNaN(value))
    const shows = numbers.length > 0 && (quiet === true || numbers.some((value) => value > 0))
    return shows ? [] : [`${title}: ${legend} (${numbers.length} series)`]
  }))
  return shown.flat()
}
