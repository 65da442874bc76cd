// When memory is short: a rule over numbers. New connections are turned away then, before the kernel or V8 ends the process
// and with it those that are served (security.md section 5).

/** How much of what there is at most is in use, in bytes. */
export interface MemoryUse {
  readonly of: 'heap' | 'container'
  readonly used: number
  readonly limit: number
}

/** Short with less than this share of the limit left. */
const SHARE = 0.1
/** A container needs more than that where it is small: what is under way goes on growing, and so does a collection. */
const LEAST = { heap: 0, container: 40 * 1_048_576 } as const

/** Remembers since when memory is short. */
export class Pressure {
  #since: number | undefined

  /** Monotonic milliseconds; connections accepted from then on are turned away. Undefined while there is enough. */
  get since(): number | undefined {
    return this.#since
  }

  /**
   * Given what is in use now, and the monotonic time in ms, returns the use that made memory short, or that it is enough again:
   * well below where it became short, or each look would decide anew. Undefined where nothing changed.
   */
  judge(uses: readonly MemoryUse[], now: number): MemoryUse | 'enough' | undefined {
    if (this.#since === undefined) {
      const short = uses.find((use) => isShort(use))
      if (short !== undefined) this.#since = now
      return short
    }
    if (uses.some((use) => use.used > use.limit - 2 * marginOf(use))) return undefined
    this.#since = undefined
    return 'enough'
  }
}

/** Returns whether so much is in use that new connections are turned away. */
export function isShort(use: MemoryUse): boolean {
  return use.used >= use.limit - marginOf(use)
}

function marginOf({ of, limit }: MemoryUse): number {
  return Math.max(limit * SHARE, LEAST[of])
}

/** V8's numbers and the kernel's of one process, in bytes. */
export interface ProcessUse {
  /** Heap and what it keeps outside: buffers, TLS connections. */
  readonly needed: number
  /** Resident, without files. */
  readonly resident: number
}

/**
 * What a process gave back to its allocator, which keeps it for the next use and seldom gives it to the kernel: it is
 * resident, and free all the same. As much as is needed less than at the peak, but for what the kernel got back since.
 */
export class Slack {
  #peak: ProcessUse = { needed: 0, resident: 0 }

  /** Given the use now, returns bytes. */
  of(use: ProcessUse): number {
    if (use.needed >= this.#peak.needed) this.#peak = use
    const { needed, resident } = this.#peak
    return Math.max(0, needed - use.needed - Math.max(0, resident - use.resident))
  }
}
