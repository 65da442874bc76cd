// What the page shows, as plain data: the facts of /status, and what was counted lately, put the way the questions go.
import type { ClientOffers } from '../../observe/offers.ts'
import type { IssuerCount } from '../../observe/issuers.ts'
import type { RefusedCount } from '../../observe/refused-by.ts'
import type { Fault } from '../../config/fault.ts'
import { REFUSALS, type Blame, type Reason, type Stage } from '../../refusal.ts'
import { POST_QUANTUM_GROUPS } from '../../tls/policy.ts'
import type { Sample } from '../recent.ts'
import type { ReloadRecord, WorkerState } from '../running.ts'
import { certificatesOf, daysLeft } from '../certificates.ts'
import { routesOf, versionWarnings, type Route, type StatusFacts, type Versions } from '../status.ts'
import { ADVICE } from './advice.ts'
import { Reading, type Tally } from './reading.ts'
import { upstreamsOf, type UpstreamView } from './upstreams.ts'

export interface PageFacts extends StatusFacts {
  /** The machine's or pod's name. */
  readonly host: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Counters as they stood before, and how many seconds ago that was. */
  readonly before: Sample
  readonly windowSeconds: number
  readonly workers: readonly WorkerState[]
  readonly workersWanted: number
}

export interface RefusalView {
  readonly reason: Reason
  readonly stage: Stage
  readonly blame: Blame
  readonly total: number
  readonly recent: number
  /** Milliseconds since the epoch; undefined where the ranges have forgotten it. */
  readonly lastSeen: number | undefined
  readonly says: string
  readonly todo: string | undefined
}

export interface CertificateView {
  readonly name: string
  readonly use: string
  /** The names in it; of our own only. */
  readonly names: readonly string[]
  readonly validUntil: number
  /** Whole days; negative once it has ended. */
  readonly daysLeft: number
}

export interface View {
  readonly host: string
  readonly now: number
  readonly startedAt: number
  readonly windowSeconds: number
  readonly missing: readonly string[]
  readonly requests: Tally
  readonly inFlight: number
  readonly refused: Tally
  readonly connections: { readonly tls: number; readonly plain: number; readonly accepted: Tally; readonly limit: number }
  readonly handshakes: Tally
  /** Since the start; null before the first handshake. */
  readonly resumedShare: number | null
  readonly postQuantumShare: number | null
  /** Seconds, of the last minutes. */
  readonly own: { readonly p50: number | null; readonly p99: number | null }
  readonly profile: string
  readonly offered: readonly Tally[]
  readonly negotiated: readonly Tally[]
  readonly groups: readonly (Tally & { readonly postQuantum: boolean })[]
  readonly plaintext: readonly Tally[]
  readonly belowTls13: readonly ClientOffers[]
  readonly refusals: readonly RefusalView[]
  readonly ranges: readonly RefusedCount[]
  readonly tokens: Tally
  readonly openIssuers: readonly IssuerCount[]
  readonly certificates: readonly CertificateView[]
  /** Names that clients use and that no certificate covers. */
  readonly uncovered: readonly string[]
  readonly upstreams: readonly UpstreamView[]
  readonly configuration: { readonly file: string; readonly generation: number; readonly hash: string; readonly warnings: readonly Fault[]; readonly reloads: readonly ReloadRecord[] }
  readonly routes: readonly Route[]
  readonly listeners: readonly (readonly [name: string, address: string])[]
  readonly workers: readonly WorkerState[]
  readonly workersWanted: number
  readonly workerRestarts: Tally
  /** Workers that turn new connections away for want of memory. */
  readonly shortOfMemory: number
  readonly linesDropped: Tally
  readonly versions: Versions
  readonly versionWarnings: readonly string[]
}


/** Given what the supervisor knows, returns what the page shows; what is missing there is empty or zero here. */
export function viewOf(facts: PageFacts): View {
  const { loaded, now, missing, versions, issuers, refusedBy, offers } = facts
  const reading = new Reading(facts.numbers, facts.before)
  const { host, startedAt, windowSeconds, workers, workersWanted } = facts
  return {
    host, now, startedAt, windowSeconds, missing, workers, workersWanted, versions,
    ...trafficOf(reading, loaded.config.limits.connections),
    ...tlsOf(reading),
    profile: loaded.config.tls.profile,
    belowTls13: offers,
    refusals: refusalsOf(reading, refusedBy),
    ranges: refusedBy,
    tokens: reading.all('tidegate_sas_total'),
    openIssuers: issuers.filter(({ open }) => open > 0),
    certificates: certificateViews(facts),
    uncovered: loaded.uncovered,
    upstreams: upstreamsOf(reading, routesOf(loaded)),
    configuration: { file: loaded.file, generation: facts.generation, hash: loaded.digest.slice(0, 16), warnings: loaded.warnings, reloads: facts.reloads },
    routes: routesOf(loaded),
    listeners: Object.entries(facts.addresses).map(([name, address]) => [name, String(address)] as const),
    versionWarnings: versionWarnings(versions),
  }
}

function trafficOf(reading: Reading, limit: number): Pick<View, 'requests' | 'inFlight' | 'refused' | 'connections' | 'own' | 'plaintext' | 'workerRestarts' | 'shortOfMemory' | 'linesDropped'> {
  const [tls, plain] = ['tls', 'plain'].map((listener) => reading.gauge('tidegate_connections_open', { listener }))
  const own = (q: number): number | null => reading.quantile('tidegate_gateway_duration_seconds', {}, q)
  return {
    requests: reading.all('tidegate_requests_total'),
    inFlight: reading.gauge('tidegate_requests_in_flight'),
    refused: reading.all('tidegate_refusals_total'),
    connections: { tls: tls ?? 0, plain: plain ?? 0, accepted: reading.all('tidegate_connections_total'), limit },
    own: { p50: own(0.5), p99: own(0.99) },
    plaintext: reading.tallies('tidegate_plaintext_connections_total'),
    workerRestarts: reading.all('tidegate_worker_restarts_total'),
    shortOfMemory: reading.gauge('tidegate_workers_short_of_memory'),
    linesDropped: reading.all('tidegate_log_lines_dropped_total'),
  }
}

function tlsOf(reading: Reading): Pick<View, 'handshakes' | 'resumedShare' | 'postQuantumShare' | 'offered' | 'negotiated' | 'groups'> {
  const handshakes = reading.all('tidegate_tls_handshakes_total')
  const groups = reading.tallies('tidegate_tls_groups_total').map((tally) => ({ ...tally, postQuantum: POST_QUANTUM_GROUPS.has(tally.labels['group'] ?? '') }))
  const share = (part: readonly Tally[]): number | null => (handshakes.total === 0 ? null : part.reduce((all, { total }) => all + total, 0) / handshakes.total)
  return {
    handshakes,
    resumedShare: share(reading.by('tidegate_tls_handshakes_total', 'resumed').filter(({ labels }) => labels['resumed'] === 'yes')),
    postQuantumShare: share(groups.filter(({ postQuantum }) => postQuantum)),
    offered: reading.tallies('tidegate_tls_client_hello_total'),
    negotiated: reading.by('tidegate_tls_handshakes_total', 'version', 'suite', 'resumed'),
    groups,
  }
}

function refusalsOf(reading: Reading, ranges: readonly RefusedCount[]): RefusalView[] {
  const lastSeen = new Map<string, number>()
  for (const { reason, lastSeen: at } of ranges) lastSeen.set(reason, Math.max(at, lastSeen.get(reason) ?? 0))
  return reading.tallies('tidegate_refusals_total').flatMap(({ labels: { reason = '' }, total, recent }) => {
    if (!(reason in REFUSALS)) return []
    const known = reason as Reason
    const { stage, blame, says } = REFUSALS[known]
    return [{ reason: known, stage, blame, total, recent, lastSeen: lastSeen.get(known), says, todo: ADVICE[known] }]
  })
}

/** Those that end first come first. */
function certificateViews({ loaded, now }: PageFacts): CertificateView[] {
  const own = new Map(loaded.credentials.map(({ names }, i) => [`tls.certificates[${i}]`, names]))
  const all = certificatesOf(loaded).map((it) => ({ ...it, names: own.get(it.name) ?? [], daysLeft: daysLeft(it, now) }))
  return all.toSorted((a, b) => a.validUntil - b.validUntil)
}
