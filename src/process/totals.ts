// The workers' numbers as one: counters of workers that are gone stay in the sum, since a counter must never fall.
import { AggregatorRegistry } from 'prom-client'
import type { ExposedValues } from '../observe/family.ts'
import { mergeIssuers, type IssuerCount } from '../observe/issuers.ts'
import { mergeOffers, type ClientOffers } from '../observe/offers.ts'
import { mergeRefused, type RefusedCount } from '../observe/refused-by.ts'

/** Of workers that are gone: a gateway whose workers die often must not grow. */
const RETIRED_LIMIT = 1000

/** Keeps what each worker last said, and what those that are gone had counted. */
export class Totals {
  readonly #last = new Map<number, ExposedValues[]>()
  readonly #issuers = new Map<number, readonly IssuerCount[]>()
  readonly #refusedBy = new Map<number, readonly RefusedCount[]>()
  #retired: ExposedValues[] = []
  #retiredIssuers: readonly IssuerCount[] = []
  readonly #offers = new Map<number, readonly ClientOffers[]>()
  #retiredOffers: readonly ClientOffers[] = []
  #retiredRefusedBy: readonly RefusedCount[] = []

  /** The latest numbers of a worker, by its process id. */
  update(worker: number, values: ExposedValues[], issuers: readonly IssuerCount[] = [], refusedBy: readonly RefusedCount[] = [], offers: readonly ClientOffers[] = []): void {
    this.#last.set(worker, values)
    this.#issuers.set(worker, issuers)
    this.#offers.set(worker, offers)
    this.#refusedBy.set(worker, refusedBy)
  }

  /** A worker is gone: its gauges go with it, its counters stay. */
  retire(worker: number): void {
    const values = this.#last.get(worker)
    this.#last.delete(worker)
    this.#retiredIssuers = mergeIssuers([this.#retiredIssuers, this.#issuers.get(worker) ?? []])
    this.#issuers.delete(worker)
    this.#retiredOffers = mergeOffers([this.#retiredOffers, this.#offers.get(worker) ?? []])
    this.#offers.delete(worker)
    this.#retiredRefusedBy = mergeRefused([this.#retiredRefusedBy, this.#refusedBy.get(worker) ?? []]).slice(0, RETIRED_LIMIT)
    this.#refusedBy.delete(worker)
    if (values === undefined) return
    const counting = values.filter((family) => family.type !== 'gauge' && family.aggregator === 'sum')
    this.#retired = sum([this.#retired, counting])
  }

  /** Who hands out tokens, over all workers. */
  get issuers(): IssuerCount[] {
    return mergeIssuers([this.#retiredIssuers, ...this.#issuers.values()])
  }

  /** Who offers less than TLS 1.3, over all workers. */
  get offers(): ClientOffers[] {
    return mergeOffers([this.#retiredOffers, ...this.#offers.values()])
  }

  /** Which address ranges were refused, over all workers. */
  get refusedBy(): RefusedCount[] {
    return mergeRefused([this.#retiredRefusedBy, ...this.#refusedBy.values()])
  }

  /** All workers' numbers, with `own` ones of the supervisor. */
  with(own: ExposedValues[]): ExposedValues[][] {
    return [own, this.#retired, ...this.#last.values()]
  }

  /** All of it in Prometheus' text format. */
  async text(own: ExposedValues[]): Promise<string> {
    return AggregatorRegistry.aggregate(this.with(own)).metrics()
  }
}

/** One list out of several, equal label sets added up. */
export function sum(lists: readonly ExposedValues[][]): ExposedValues[] {
  const families = new Map<string, ExposedValues & { index: Map<string, { value: number }> }>()
  for (const family of lists.flat()) {
    let into = families.get(family.name)
    if (into === undefined) families.set(family.name, (into = { ...family, values: [], index: new Map() }))
    for (const entry of family.values) {
      const key = `${entry.metricName ?? ''}|${JSON.stringify(entry.labels)}`
      const known = into.index.get(key)
      if (known !== undefined) known.value += entry.value
      else {
        const copy = { ...entry }
        into.values.push(copy)
        into.index.set(key, copy)
      }
    }
  }
  return [...families.values()].map(({ name, help, type, aggregator, values }) => ({ name, help, type, aggregator, values }))
}
