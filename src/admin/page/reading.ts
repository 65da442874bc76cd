// The workers' summed numbers as the page asks for them: totals, what was counted lately, quantiles of histograms.
import { BUCKETS, type ExposedValues } from '../../observe/family.ts'
import { keyOf, type Sample } from '../recent.ts'

/** A counter: since the start, and in the last minutes. */
export interface Tally {
  readonly labels: Readonly<Record<string, string>>
  readonly total: number
  readonly recent: number
}

type Labels = Readonly<Record<string, string>>

/** Families as they are, and as they stood some minutes ago. What is not there counts as nothing. */
export class Reading {
  readonly #families: ReadonlyMap<string, ExposedValues>
  readonly #before: Sample['values']
  /** Entries by family, label and value of the label: a page asks for each of hundreds of upstreams. */
  readonly #index = new Map<string, ReadonlyMap<string, ExposedValues['values']>>()

  constructor(families: readonly ExposedValues[], before: Sample) {
    this.#families = new Map(families.map((family) => [family.name, family]))
    this.#before = before.values
  }

  /** Every counter of a family that has counted, most first, lately before ever. */
  tallies(family: string): Tally[] {
    const found = this.#entries(family).filter(({ value }) => value > 0)
    return found.map((entry) => ({ labels: entry.labels, total: entry.value, recent: this.#since(family, entry) })).toSorted((a, b) => b.recent - a.recent || b.total - a.total)
  }

  /** The same, those with equal values of these labels as one. */
  by(family: string, ...labels: readonly string[]): Tally[] {
    const groups = new Map<string, Tally>()
    for (const tally of this.tallies(family)) {
      const kept = Object.fromEntries(labels.map((label) => [label, tally.labels[label] ?? '']))
      const key = JSON.stringify(kept)
      const known = groups.get(key)
      groups.set(key, { labels: kept, total: tally.total + (known?.total ?? 0), recent: tally.recent + (known?.recent ?? 0) })
    }
    return [...groups.values()].toSorted((a, b) => b.recent - a.recent || b.total - a.total)
  }

  /** A family as one number. */
  all(family: string): Tally {
    return this.by(family)[0] ?? { labels: {}, total: 0, recent: 0 }
  }

  /** A gauge: the sum of all with these labels. */
  gauge(family: string, labels: Labels = {}): number {
    return this.#with(family, labels).reduce((sum, { value }) => sum + value, 0)
  }

  /** Every value of a label in a family, those that have not counted as well. */
  names(family: string, label: string): string[] {
    return [...new Set(this.#entries(family).map(({ labels }) => labels[label] ?? ''))].toSorted()
  }

  /** A quantile of a histogram, in seconds, over the last minutes; null where nothing was observed, Infinity beyond the last bucket. */
  quantile(family: string, labels: Labels, q: number): number | null {
    const buckets = this.#with(family, labels).filter(({ metricName }) => metricName === `${family}_bucket`)
    const counts = new Map<string, number>()
    for (const entry of buckets) counts.set(entry.labels['le'] ?? '', (counts.get(entry.labels['le'] ?? '') ?? 0) + this.#since(family, entry))
    return quantileOf([...BUCKETS.map((le) => counts.get(String(le)) ?? 0), counts.get('+Inf') ?? 0], q)
  }

  #entries(family: string): ExposedValues['values'] {
    return this.#families.get(family)?.values ?? []
  }

  /** Those with all of these labels. */
  #with(family: string, labels: Labels): ExposedValues['values'] {
    const [first, ...rest] = Object.entries(labels)
    if (first === undefined) return this.#entries(family)
    const [label, value] = first
    const key = `${family} ${label}`
    const index = this.#index.get(key) ?? Map.groupBy(this.#entries(family), ({ labels: own }) => own[label] ?? '')
    this.#index.set(key, index)
    return (index.get(value) ?? []).filter((entry) => rest.every(([name, wanted]) => entry.labels[name] === wanted))
  }

  #since(family: string, entry: ExposedValues['values'][number]): number {
    return Math.max(0, entry.value - (this.#before.get(keyOf(family, entry)) ?? 0))
  }
}

/** As Prometheus' histogram_quantile: linear within a bucket. Takes cumulative counts over BUCKETS and beyond. */
function quantileOf(cumulative: readonly number[], q: number): number | null {
  const total = cumulative.at(-1) ?? 0
  if (total === 0) return null
  const rank = q * total
  const i = cumulative.findIndex((n) => n >= rank)
  const upper = BUCKETS[i]
  if (upper === undefined) return Number.POSITIVE_INFINITY
  const [lower, below] = i === 0 ? [0, 0] : [BUCKETS[i - 1] ?? 0, cumulative[i - 1] ?? 0]
  const inside = (cumulative[i] ?? 0) - below
  return inside === 0 ? upper : lower + (upper - lower) * ((rank - below) / inside)
}
