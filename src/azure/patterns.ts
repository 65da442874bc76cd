// Patterns of names: a whole name, or the beginning of a name followed by `*` (contract section 3.5). Rules of offices and
// of client-side encryption are found by them, in a time that does not depend on how many there are.

/** A whole name, or a beginning and one `*` at the end. */
export const PATTERN = /^[^*]+$|^[^*]*\*$/

/** Returns true where the pattern names `name`. A `*` never matches a name that begins with `$`. */
export function matchesPattern(pattern: string, name: string): boolean {
  if (!pattern.endsWith('*')) return pattern === name
  return !name.startsWith('$') && name.startsWith(pattern.slice(0, -1))
}

/** Returns true where some name matches both patterns. */
export function patternsOverlap(a: string, b: string): boolean {
  if (!a.endsWith('*')) return matchesPattern(b, a)
  if (!b.endsWith('*')) return matchesPattern(a, b)
  const [one, other] = [a.slice(0, -1), b.slice(0, -1)]
  return !one.startsWith('$') && !other.startsWith('$') && (one.startsWith(other) || other.startsWith(one))
}

/** What patterns stand for. A lookup costs one step for each character of the name, however many patterns there are. */
export class PatternTable<T> {
  readonly #whole = new Map<string, Entry<T>[]>()
  readonly #beginnings = new Map<string, Entry<T>[]>()

  /** Keeps the order of the patterns: it is the order of every answer. */
  constructor(patterns: Iterable<readonly [pattern: string, value: T]>) {
    let order = 0
    for (const [pattern, value] of patterns) {
      const whole = !pattern.endsWith('*')
      const text = whole ? pattern : pattern.slice(0, -1)
      const entries = whole ? this.#whole : this.#beginnings
      const entry = { order: order++, value }
      const others = entries.get(text)
      if (others === undefined) entries.set(text, [entry])
      else others.push(entry)
    }
  }

  /** Returns what every matching pattern stands for, in the order of the patterns. */
  all(name: string): readonly T[] {
    const found = [...(this.#whole.get(name) ?? [])]
    const longest = name.startsWith('$') ? -1 : name.length
    for (let length = 0; length <= longest; length += 1) found.push(...(this.#beginnings.get(name.slice(0, length)) ?? []))
    return found.toSorted((a, b) => a.order - b.order).map(({ value }) => value)
  }

  /** Returns what the first matching pattern stands for; undefined where none matches. */
  first(name: string): T | undefined {
    return this.all(name)[0]
  }
}

interface Entry<T> {
  readonly order: number
  readonly value: T
}
