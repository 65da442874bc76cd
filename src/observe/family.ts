// Families of numbers that cost one addition on the hot path: children are looked up once and kept by whoever counts.
// prom-client sees them as metrics of its own when it is scraped.

export type LabelValues = readonly string[]

/** What prom-client's registry asks of a metric. */
export interface Exposed {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** How several workers' values become one. */
  readonly aggregator: 'sum' | 'average' | 'min'
  get(): Promise<ExposedValues>
}

export interface ExposedValues {
  name: string
  help: string
  type: string
  aggregator: string
  values: { value: number; labels: Record<string, string>; metricName?: string }[]
}

/** One number of a family; add to `value`. */
export interface Cell {
  value: number
}

abstract class Family<Child> implements Exposed {
  readonly name: string
  readonly help: string
  readonly labels: LabelValues
  abstract readonly type: Exposed['type']
  readonly aggregator: Exposed['aggregator']
  readonly #children = new Map<string, { values: LabelValues; child: Child }>()

  constructor(name: string, help: string, labels: LabelValues, aggregator: Exposed['aggregator'] = 'sum') {
    this.name = name
    this.help = help
    this.labels = labels
    this.aggregator = aggregator
  }

  protected abstract make(): Child
  protected abstract write(child: Child, labels: Record<string, string>, into: ExposedValues['values']): void

  /** The child with these label values, in the order of the family's labels; made at zero when it is new. */
  child(...values: string[]): Child {
    const key = values.join('\u0000')
    let entry = this.#children.get(key)
    if (entry === undefined) this.#children.set(key, (entry = { values, child: this.make() }))
    return entry.child
  }

  /** Forgets every child: for gauges whose set of label values changes with the configuration. */
  clear(): void {
    this.#children.clear()
  }

  get(): Promise<ExposedValues> {
    const { name, help, type, aggregator } = this
    const out: ExposedValues = { name, help, type, aggregator, values: [] }
    for (const { values, child } of this.#children.values()) {
      this.write(child, Object.fromEntries(this.labels.map((label, i) => [label, values[i] ?? ''])), out.values)
    }
    return Promise.resolve(out)
  }
}

interface NumbersOptions {
  readonly aggregator?: Exposed['aggregator']
  readonly initial?: number
}

/** A family of plain numbers. */
export class Numbers extends Family<Cell> {
  readonly type: 'counter' | 'gauge'
  readonly #initial: number

  /** `initial` is what a new child says, 0 unless given. */
  constructor(type: 'counter' | 'gauge', name: string, help: string, labels: LabelValues, { aggregator, initial = 0 }: NumbersOptions = {}) {
    super(name, help, labels, aggregator)
    this.type = type
    this.#initial = initial
  }

  protected make(): Cell {
    return { value: this.#initial }
  }

  protected write(cell: Cell, labels: Record<string, string>, into: ExposedValues['values']): void {
    into.push({ value: cell.value, labels })
  }
}

/** Seconds: half a millisecond to a minute. */
export const BUCKETS: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60]

/** One histogram child. */
export class Distribution {
  readonly counts = new Float64Array(BUCKETS.length + 1)
  sum = 0

  /** Records a duration in seconds; a clock that stepped back counts as zero. */
  observe(seconds: number): void {
    const value = seconds > 0 ? seconds : 0
    let i = 0
    while (i < BUCKETS.length && value > (BUCKETS[i] as number)) i++
    this.counts[i] = (this.counts[i] as number) + 1
    this.sum += value
  }
}

/** A family of histograms over BUCKETS. */
export class Distributions extends Family<Distribution> {
  readonly type = 'histogram'

  protected make(): Distribution {
    return new Distribution()
  }

  protected write(child: Distribution, labels: Record<string, string>, into: ExposedValues['values']): void {
    let total = 0
    child.counts.forEach((count, i) => {
      total += count
      const le = i < BUCKETS.length ? String(BUCKETS[i]) : '+Inf'
      into.push({ metricName: `${this.name}_bucket`, value: total, labels: { le, ...labels } })
    })
    into.push({ metricName: `${this.name}_sum`, value: child.sum, labels })
    into.push({ metricName: `${this.name}_count`, value: total, labels })
  }
}
