// How many bytes of batches a worker holds. Batches are read whole before they are judged, so a few slow clients could fill
// the memory: beyond the budget the oldest unfinished batch gives way, and one address has a quarter (contract section 4;
// security.md F4).
import { countedAddress } from '../../client-address.ts'

/** Bytes of all batches of a worker, and of those of one address. */
export const BUDGET = { worker: 64 * 1024 * 1024, address: 16 * 1024 * 1024 } as const

/** One batch that is held. */
export interface HeldBatch {
  /** Counts further bytes; batches that are too many by then are told to give way, this one too if it is the oldest. */
  add(bytes: number): void
  /** It is whole: it gives way to no other any more. */
  finish(): void
  /** It is held no longer. */
  release(): void
}

interface Entry {
  readonly address: string
  bytes: number
  /** Undefined once the batch is whole, or was told. */
  giveWay: (() => void) | undefined
}

/** Counts the bytes of batches. Entries stand in the order in which they began. */
export class BatchBudget {
  readonly #limits: { readonly worker: number; readonly address: number }
  readonly #entries = new Set<Entry>()
  readonly #byAddress = new Map<string, number>()
  #bytes = 0

  constructor(limits: { readonly worker: number; readonly address: number } = BUDGET) {
    this.#limits = limits
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A batch begins. `giveWay` is called once at most, and the batch is to be released then. */
  hold(client: string, giveWay: () => void): HeldBatch {
    const entry: Entry = { address: countedAddress(client), bytes: 0, giveWay }
    this.#entries.add(entry)
    return {
      add: (bytes) => this.#add(entry, bytes),
      finish: () => (entry.giveWay = undefined),
      release: () => this.#release(entry),
    }
  }

  #add(entry: Entry, bytes: number): void {
    if (!this.#entries.has(entry)) return
    entry.bytes += bytes
    this.#count(entry.address, bytes)
    while ((this.#byAddress.get(entry.address) ?? 0) > this.#limits.address && this.#evict(({ address }) => address === entry.address));
    while (this.#bytes > this.#limits.worker && this.#evict(() => true));
  }

  /** Returns whether there was one to give way. */
  #evict(concerns: (entry: Entry) => boolean): boolean {
    for (const entry of this.#entries) {
      const { giveWay } = entry
      if (giveWay === undefined || entry.bytes === 0 || !concerns(entry)) continue
      entry.giveWay = undefined
      this.#release(entry)
      giveWay()
      return true
    }
    return false
  }

  #release(entry: Entry): void {
    if (!this.#entries.delete(entry)) return
    this.#count(entry.address, -entry.bytes)
  }

  #count(address: string, bytes: number): void {
    this.#bytes += bytes
    const left = (this.#byAddress.get(address) ?? 0) + bytes
    if (left > 0) this.#byAddress.set(address, left)
    else this.#byAddress.delete(address)
  }
}
