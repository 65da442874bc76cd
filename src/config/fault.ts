// A fault of the configuration: where, what was found, what is allowed. And how a found value is shown without harm.

/** Warnings have the same shape; `allowed` is then what would be better. */
export interface Fault {
  /** As in the file: `apis[1].upstream`. Where the text itself is at fault: FILE:LINE:COLUMN. */
  readonly path: string
  readonly found: string
  readonly allowed: string
  /** Where in the file it is, both from 1: of a missing key those of its section. Absent where no file was read. */
  readonly line?: number
  readonly column?: number
}

const LONGEST = 60

/** Given a value of the file, returns what kind of thing it is, nothing of its content. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return { object: 'a section', string: 'text', number: 'a number', boolean: 'a truth value' }[typeof value as string] ?? 'something else'
}

/** Given a value that is harmless, returns it as text for people: on one line, 60 characters at most. */
export function show(value: unknown): string {
  if (value === '') return 'empty text'
  if (typeof value !== 'string') return typeof value === 'number' || typeof value === 'boolean' ? String(value) : describe(value)
  // Control characters would let a value write lines or colours of its own on a terminal.
  const line = value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line
}

/** Returns the path of a key in a section; a key that is no plain word is quoted. */
export function under(path: string, key: string): string {
  const word = /^[\w-]+$/.test(key) ? show(key) : `"${show(key)}"`
  return path === '' ? word : `${path}.${word}`
}

/** Returns the candidate that the word was most likely meant to be, or none. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const reach = Math.max(2, Math.min(3, Math.floor(word.length / 2)))
  const measured = candidates.map((candidate) => ({ candidate, steps: distance(word.toLowerCase().replace(/[-_]/g, ''), candidate.toLowerCase()) }))
  return measured.filter((m) => m.steps <= reach).toSorted((a, b) => a.steps - b.steps)[0]?.candidate
}

// Levenshtein's, row by row; keys are short, and a longer word than any key is cut.
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of a.slice(0, LONGEST).split('').entries()) {
    const next = [i + 1]
    for (const [j, other] of b.split('').entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
