// Request ids in the shape that storage clients know (spec/sas.md 15.1), made without asking for randomness each time.

/**
 * Makes a source of ids: `seed` is 10 random bytes taken once, the rest counts. Unique in a process and, by the seed,
 * among processes.
 */
export function requestIds(seed: Buffer): () => string {
  const hex = seed.toString('hex')
  const prefix = `-${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8, 12)}-`
  const suffix = hex.slice(12, 20)
  let count = 0
  return () => {
    count = (count + 1) % 0x1000000000000
    const high = Math.floor(count / 0x10000)
    return `${high.toString(16).padStart(8, '0')}${prefix}${(count % 0x10000).toString(16).padStart(4, '0')}${suffix}`
  }
}
