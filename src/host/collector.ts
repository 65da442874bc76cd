// Buffers of sockets lie outside V8's heap, but V8 counts them, and starts a full collection where a young one would do.
// A young collection at the right time saves a third of the cpu of large downloads.
import { getHeapStatistics } from 'node:v8'

/** Outside memory that may come up before a young collection. */
const STEP = 24_000_000
const LOOK_EVERY_MS = 10

/** MiB of the old generation before the first full collection; no more than its part of a small container. */
const OLD_SPACE = 128
const MIB = 1_048_576
const EARLY_CODE = ['--invocation-count-for-turbofan=1000', '--minimum-invocations-after-ic-update=100'] as const
/** MiB of one half of the young generation. V8 would let it grow to 16, which costs 100 MB after load and saves no cpu. */
const SEMI_SPACE = '--max-semi-space-size=4'

/**
 * Returns V8 settings for the command line of a worker; in a running process they have no effect. `memory` is what the
 * container may use at most, in bytes (a huge number where there is no limit). `--initial-old-space-size` delays the first
 * full collection until the old generation has that size; it reserves nothing. EARLY_CODE makes V8 optimise functions after
 * a third of its usual number of calls: all traffic goes through the same few functions.
 */
export function workerFlags(memory: number, workers: number): readonly string[] {
  const part = memory === 0 ? OLD_SPACE : Math.floor(memory / MIB / 8 / workers)
  return [`--initial-old-space-size=${Math.max(8, Math.min(OLD_SPACE, part))}`, SEMI_SPACE, ...EARLY_CODE, '--expose-gc']
}

/** Starts looking; does nothing in a process without `gc`. */
export function collectEarly(): void {
  const { gc } = globalThis
  if (gc === undefined) return
  let low = 0
  setInterval(() => {
    const outside = getHeapStatistics().external_memory
    if (outside < low) low = outside
    else if (outside - low > STEP) {
      gc({ type: 'minor' })
      low = getHeapStatistics().external_memory
    }
  }, LOOK_EVERY_MS).unref()
}
