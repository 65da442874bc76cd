// How each upstream does: from the last minutes' results one word, and the times it takes.
import type { Route } from '../status.ts'
import type { Reading, Tally } from './reading.ts'

export type Health = 'idle' | 'well' | 'some-failures' | 'failing'

/** Seconds, of the last minutes; null where nothing was measured. */
export interface Quantiles {
  readonly p50: number | null
  readonly p99: number | null
}

export interface UpstreamView {
  readonly name: string
  /** Where it is, as configured; undefined where the configuration in force no longer has it. */
  readonly target: string | undefined
  readonly health: Health
  readonly requests: Tally
  readonly failures: Tally
  /** By result, those that failed. */
  readonly failed: readonly Tally[]
  readonly serverErrors: Tally
  readonly connect: Quantiles
  readonly firstByte: Quantiles
  readonly open: number
  readonly pending: number
}

/** Results that are no answer of the service. */
const FAILURES: ReadonlySet<string> = new Set(['unreachable', 'certificate', 'timeout', 'reset'])
const RANK: readonly Health[] = ['failing', 'some-failures', 'well', 'idle']

/** Every upstream that the workers know, those in trouble first. */
export function upstreamsOf(reading: Reading, routes: readonly Route[]): UpstreamView[] {
  const results = Map.groupBy(reading.tallies('tidegate_upstream_requests_total'), ({ labels }) => labels['upstream'] ?? '')
  const targets = new Map(routes.map(({ route, service, upstream }) => [service === 'api' ? route : `${route}.${service}`, upstream]))
  const names = reading.names('tidegate_upstream_requests_total', 'upstream')
  return names.map((name) => upstreamOf(reading, name, targets.get(name), results.get(name) ?? []))
    .toSorted((a, b) => RANK.indexOf(a.health) - RANK.indexOf(b.health) || b.requests.recent - a.requests.recent)
}

function upstreamOf(reading: Reading, name: string, target: string | undefined, results: readonly Tally[]): UpstreamView {
  const failed = results.filter(({ labels }) => FAILURES.has(labels['result'] ?? ''))
  const [requests, failures] = [added(results), added(failed)]
  const quantiles = (family: string): Quantiles => ({ p50: reading.quantile(family, { upstream: name }, 0.5), p99: reading.quantile(family, { upstream: name }, 0.99) })
  const connections = (state: string): number => reading.gauge('tidegate_upstream_connections', { upstream: name, state })
  return {
    name, target, requests, failures, failed,
    health: healthOf(requests.recent, failures.recent),
    serverErrors: added(results.filter(({ labels }) => labels['result'] === 'server-error')),
    connect: quantiles('tidegate_upstream_connect_seconds'),
    firstByte: quantiles('tidegate_upstream_first_byte_seconds'),
    open: connections('open'),
    pending: connections('pending'),
  }
}

/** Half or more of the requests failed: failing. */
function healthOf(requests: number, failures: number): Health {
  if (requests === 0) return 'idle'
  if (failures === 0) return 'well'
  return failures * 2 >= requests ? 'failing' : 'some-failures'
}

function added(tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, { total, recent }) => ({ labels: {}, total: sum.total + total, recent: sum.recent + recent }), { labels: {}, total: 0, recent: 0 })
}
