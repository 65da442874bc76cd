// How long a worker is waited for before it is started again: a fault that comes back at once must not take all the cpu.

const FIRST_MS = 100
const LONGEST_MS = 10_000
const QUIET_MS = 60_000

/** The first one after a quiet minute is short, each further one twice as long, up to ten seconds. */
export class Pauses {
  #next = FIRST_MS

  /** Given how long the latest start was ago, in ms, returns ms. */
  after(quiet: number): number {
    const pause = quiet > QUIET_MS ? FIRST_MS : this.#next
    this.#next = Math.min(pause * 2, LONGEST_MS)
    return pause
  }
}
