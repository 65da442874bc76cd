// Prometheus for tests: which metrics there are, and a real server that scrapes a gate.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createStateMetrics, createTrafficMetrics } from '../../src/observe/metrics.ts'
import type { Realm } from './realm.ts'
import { until } from './until.ts'

/** Every name of a series that a gate exposes, prom-client's own too. */
export async function exposedNames(): Promise<ReadonlySet<string>> {
  const families = (await Promise.all([createTrafficMetrics(), createStateMetrics()].map(({ registry }) => registry.getMetricsAsJSON()))).flat()
  return new Set(families.flatMap(({ name, type }) => (String(type) === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])))
}

/** Functions, operators and clauses of PromQL that the rules and the dashboard use. */
const WORDS = /^(?:sum|rate|increase|min|max|avg|count|absent|histogram_quantile|by|on|ignoring|group_left|and|or|unless|offset|time|le|topk|sort_desc|clamp_min|label_replace|vector)$/

/** The metrics that a PromQL expression asks for: names that are neither words of the language nor in braces, brackets or a list of labels. */
export function metricsIn(expression: string): string[] {
  const bare = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, '').replaceAll(/\b(?:by|on|ignoring|group_left|without)\s*\([^)]*\)/g, '')
  return [...bare.matchAll(/[a-zA-Z_:][\w:]*/g)].map(([name]) => name).filter((name) => !WORDS.test(name) && !/^\d|^[dhms]$/.test(name))
}

/** A sample of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [time: number, value: string]
}

export interface Prometheus {
  /** An instant query, now. Throws with Prometheus' words where it does not take it. */
  query(expression: string): Promise<readonly Sample[]>
  /** Every rule, and how its latest evaluation went. */
  rules(): Promise<readonly RuleState[]>
}

export interface RuleState {
  readonly name: string
  /** `ok`, `err` or `unknown`. */
  readonly health: string
  readonly lastError?: string
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Starts one that scrapes `target` (HOST:PORT) as job `tidegate` twice a second, with the rules in a file; it ends with the test. */
export async function startPrometheus(t: Test, realm: Realm, target: string, rules: string): Promise<Prometheus> {
  const data = join(realm.folder, 'prometheus')
  mkdirSync(data)
  const configuration = realm.write('prometheus.yml', JSON.stringify({
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: [rules],
    scrape_configs: [{ job_name: 'tidegate', static_configs: [{ targets: [target] }] }],
  }))
  const port = await freePort()
  const child = spawn('prometheus', [`--config.file=${configuration}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const ask = async (path: string): Promise<Response> => await fetch(`http://127.0.0.1:${port}${path}`)
  await until(() => ask('/-/ready').then(({ ok }) => ok, () => false), 'Prometheus')
  return {
    query: async (expression) => answerOf(await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`), expression),
    rules: async () => ((await (await ask('/api/v1/rules')).json()) as { data: { groups: { rules: RuleState[] }[] } }).data.groups.flatMap((group) => group.rules),
  }
}

async function answerOf(reply: Response, expression: string): Promise<readonly Sample[]> {
  const { status, error, data } = (await reply.json()) as { status: string; error?: string; data?: { result: readonly Sample[] } }
  if (status !== 'success' || data === undefined) throw new Error(`${expression}: ${error}`)
  return data.result
}
