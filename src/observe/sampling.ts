// Which lines of good requests are written where not all are wanted: every so many, evenly, without chance.

/**
 * Given the share to keep, from 0 to 1, returns a function that says of each one in turn whether it is kept: of any n in a
 * row `share × n`, give or take one.
 */
export function keepShare(share: number): () => boolean {
  // In whole millionths, since a sum of tenths would drift. The first one is kept, but where none is.
  const step = Math.round(share * WHOLE)
  let credit = WHOLE - Math.max(step, 1)
  return () => {
    credit += step
    if (credit < WHOLE) return false
    credit -= WHOLE
    return true
  }
}

const WHOLE = 1_000_000
