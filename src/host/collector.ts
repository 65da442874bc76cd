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

/**
 * V8 settings of a worker, for its command line: they are too late once it runs. The first one puts off the first full
 * collection until the old generation has that size; it reserves nothing. Two have code compiled well after a third of the calls
 * that V8 waits for: all traffic goes through the same few functions, and until then it costs twice as much. Takes what the container may use at most, in bytes
 * (as good as no limit where there is none), and the number of workers.
 */
export function workerFlags(memory: number, workers: number): readonly string[] {
  const part = memory === 0 ? OLD_SPACE : Math.floor(memory / MIB / 8 / workers)
  return [`--initial-old-space-size=${Math.max(8, Math.min(OLD_SPACE, part))}`, ...EARLY_CODE, '--expose-gc']
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
