// What the admin listener tells: the workers' numbers and the supervisor's own, as metrics, as /status and as the page.
import { hostname } from 'node:os'
import type { ExposedValues } from '../observe/family.ts'
import type { StateMetrics } from '../observe/metrics.ts'
import { pageOf } from './page/page.ts'
import { viewOf } from './page/view.ts'
import { CHECKS, type Readiness } from './readiness.ts'
import { Recent } from './recent.ts'
import type { RunningConfiguration, RunningWorkers } from './running.ts'
import { statusOf, type StatusFacts, type Versions } from './status.ts'
import { sum } from './totals.ts'

export interface ReportsOptions {
  readonly supervisor: RunningWorkers
  readonly reloader: RunningConfiguration
  readonly readiness: Readiness
  readonly metrics: StateMetrics
  readonly versions: Versions
  /** Real addresses by listener; filled as they are bound. */
  readonly addresses: Readonly<Record<string, string>>
  readonly workersWanted: number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

/** Often enough for "the last five minutes", rarely enough to cost nothing; a little more than the samples are apart. */
const SAMPLE_EVERY_MS = 31_000

export class Reports {
  readonly #options: ReportsOptions
  readonly #startedAt = Date.now()
  readonly #recent: Recent

  constructor(options: ReportsOptions) {
    this.#options = options
    this.#recent = new Recent(options.monotonic())
  }

  /** Starts to take samples, so that the page can tell what was counted lately. */
  watch(): void {
    // A sample that cannot be taken is no reason for the gateway to end.
    setInterval(() => void this.#numbers().catch(() => undefined), SAMPLE_EVERY_MS).unref()
  }

  /** Prometheus' text. */
  async metrics(): Promise<string> {
    const { supervisor } = this.#options
    await supervisor.collect()
    return supervisor.totals.text(await this.#own())
  }

  /** The body of /status. */
  async status(): Promise<object> {
    return statusOf(await this.#facts())
  }

  /** The page, as HTML. */
  async page(): Promise<string> {
    const { supervisor, workersWanted, monotonic } = this.#options
    const facts = await this.#facts()
    const now = monotonic()
    const before = this.#recent.before(now)
    return pageOf(viewOf({ ...facts, host: hostname(), startedAt: this.#startedAt, before, windowSeconds: (now - before.at) / 1000, workers: supervisor.workers, workersWanted }))
  }

  async #facts(): Promise<StatusFacts> {
    const { supervisor: { totals }, reloader, readiness, versions, addresses } = this.#options
    const numbers = await this.#numbers()
    const { loaded, generation, history: reloads } = reloader
    return { loaded, generation, reloads, versions, addresses, numbers, issuers: totals.issuers, offers: totals.offers, refusedBy: totals.refusedBy, missing: readiness.missing, now: Date.now() }
  }

  async #numbers(): Promise<ExposedValues[]> {
    const { supervisor, monotonic } = this.#options
    await supervisor.collect()
    const numbers = sum(supervisor.totals.with(await this.#own()))
    this.#recent.note(numbers, monotonic())
    return numbers
  }

  async #own(): Promise<ExposedValues[]> {
    const { metrics, readiness } = this.#options
    for (const check of CHECKS) metrics.ready.child(check).value = readiness.has(check) ? 1 : 0
    metrics.draining.child().value = readiness.draining ? 1 : 0
    return (await metrics.registry.getMetricsAsJSON()) as never
  }
}
