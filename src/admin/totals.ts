// The workers' numbers as one: counters of workers that are gone stay in the sum, since a counter must never fall.
import { AggregatorRegistry } from 'prom-client'
import type { ExposedValues } from '../observe/family.ts'
import { mergeIssuers, type IssuerCount } from '../observe/issuers.ts'
import { mergeOffers, type ClientOffers } from '../observe/offers.ts'
import { mergeRefused, type RefusedCount } from '../observe/refused-by.ts'

/** All that a worker has counted since its start. */
export interface Counts {
  readonly values: readonly ExposedValues[]
  readonly issuers: readonly IssuerCount[]
  readonly offers: readonly ClientOffers[]
  readonly refusedBy: readonly RefusedCount[]
}

/** Of a worker that has counted nothing. */
export const NO_COUNTS: Counts = { values: [], issuers: [], offers: [], refusedBy: [] }

/** Keeps what each worker last said, and what those that are gone had counted. */
export class Totals {
  readonly #last = new Map<number, Counts>()
  #gone = NO_COUNTS

  /** The latest of a worker, by its number. */
  update(worker: number, counts: Counts): void {
    this.#last.set(worker, counts)
  }

  /** A worker is gone: its gauges go with it, its counters stay. */
  retire(worker: number): void {
    const last = this.#last.get(worker)
    if (last === undefined) return
    this.#last.delete(worker)
    const counting = last.values.filter((family) => family.type !== 'gauge' && family.aggregator === 'sum')
    const { values, issuers, offers, refusedBy } = this.#gone
    this.#gone = {
      values: sum([values, counting]),
      issuers: mergeIssuers([issuers, last.issuers]),
      offers: mergeOffers([offers, last.offers]),
      refusedBy: mergeRefused([refusedBy, last.refusedBy]),
    }
  }

  /** Who hands out tokens, over all workers. */
  get issuers(): IssuerCount[] {
    return mergeIssuers(this.#all.map(({ issuers }) => issuers))
  }

  /** Who offers less than TLS 1.3, over all workers. */
  get offers(): ClientOffers[] {
    return mergeOffers(this.#all.map(({ offers }) => offers))
  }

  /** Which address ranges were refused, over all workers. */
  get refusedBy(): RefusedCount[] {
    return mergeRefused(this.#all.map(({ refusedBy }) => refusedBy))
  }

  /** All workers' numbers, with `own` ones of the supervisor. */
  with(own: readonly ExposedValues[]): (readonly ExposedValues[])[] {
    return [own, ...this.#all.map(({ values }) => values)]
  }

  /** All of it in Prometheus' text format. */
  async text(own: readonly ExposedValues[]): Promise<string> {
    return AggregatorRegistry.aggregate(this.with(own)).metrics()
  }

  get #all(): Counts[] {
    return [this.#gone, ...this.#last.values()]
  }
}

/** One list out of several, equal label sets added up. */
export function sum(lists: readonly (readonly ExposedValues[])[]): ExposedValues[] {
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
