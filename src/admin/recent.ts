// What was counted lately: counters tell of all the time since the start, and at 3 a.m. the last minutes are asked for.
// Samples are taken on a timer and whenever someone looks; the difference to the one five minutes ago is `recent`.
import type { ExposedValues } from '../observe/family.ts'

/** Seconds that `recent` numbers look back. */
export const WINDOW_SECONDS = 300
/** Samples closer than this to the one before are not kept. */
const SPACING_MS = 30_000

/** Counters, by family and labels, as they stood at a time. */
export interface Sample {
  /** Monotonic milliseconds. */
  readonly at: number
  readonly values: ReadonlyMap<string, number>
}

/** Names a number of a family in a sample. */
export function keyOf(family: string, entry: ExposedValues['values'][number]): string {
  return `${entry.metricName ?? family}|${JSON.stringify(entry.labels)}`
}

/** The samples of the last five minutes and the one before them; zero everywhere at the start. */
export class Recent {
  #samples: Sample[]
  /** One string for each name, however many samples have it: thousands of them would be held a dozen times. */
  readonly #names = new Map<string, string>()

  /** `startedAt`: the start of the process, monotonic ms. */
  constructor(startedAt: number) {
    this.#samples = [{ at: startedAt, values: new Map() }]
  }

  /** How many samples are held. */
  get size(): number {
    return this.#samples.length
  }

  /** Keeps the counters of `families` as they are at `now`, monotonic ms. */
  note(families: readonly ExposedValues[], now: number): void {
    if (now - (this.#samples.at(-1)?.at ?? 0) < SPACING_MS) return
    const counting = families.filter(({ type }) => type !== 'gauge')
    const values = counting.flatMap(({ name, values: entries }) => entries.filter(({ value }) => value > 0).map((entry) => [this.#nameOf(name, entry), entry.value] as const))
    const before = this.before(now)
    this.#samples = [...this.#samples.filter(({ at }) => at >= before.at), { at: now, values: new Map(values) }]
  }

  #nameOf(family: string, entry: ExposedValues['values'][number]): string {
    const name = keyOf(family, entry)
    const held = this.#names.get(name)
    if (held === undefined) this.#names.set(name, name)
    return held ?? name
  }

  /** The latest sample that is older than the window, else the oldest one. */
  before(now: number): Sample {
    const old = this.#samples.findLast(({ at }) => now - at >= WINDOW_SECONDS * 1000)
    return old ?? this.#samples[0] ?? { at: now, values: new Map() }
  }
}
