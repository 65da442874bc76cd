// The order in which the service sorts `x-ms-` header names before it signs them: that of a .NET comparison for en-US, which
// @azure/storage-common 12.5.0 imitates with tables of sort keys (spec/sas.md 16.1). These are the same keys as ranks.

/** Every character of a lower-case field name but the two that have no weight of their own. */
const RANKS = '!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz'
/** They count only where two names are equal without them. */
const WEIGHTLESS = '\'-'

const RANK_OF: ReadonlyMap<string, number> = new Map(RANKS.split('').map((character, rank) => [character, rank]))
/** Lower than any character: a name comes before every longer one that begins with it. */
const END = -1

/** Compares two header names in lower case: negative, zero or positive. `ab` comes before `a-b`, and `_` before `1`. */
export function compareLikeService(a: string, b: string): number {
  return compareWeights(a, b) || compareWeightless(a, b)
}

/** By UTF-16 code unit, which for header names is by byte. */
export function compareByByte(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareWeights(a: string, b: string): number {
  const left = ranksIn(a)
  const right = ranksIn(b)
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? END) - (right[i] ?? END)
    if (difference !== 0) return difference
  }
  return 0
}

function ranksIn(name: string): readonly number[] {
  return name.split('').filter((character) => !WEIGHTLESS.includes(character)).map((character) => RANK_OF.get(character) ?? RANKS.length)
}

/** At the first place where only one of the two has a hyphen or an apostrophe, the other comes first. */
function compareWeightless(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = weightlessAt(a, i) - weightlessAt(b, i)
    if (difference !== 0) return difference
  }
  return 0
}

/** 0 for a character with a weight, and for the end. */
function weightlessAt(name: string, index: number): number {
  return index < name.length ? WEIGHTLESS.indexOf(name.charAt(index)) + 1 : 0
}
