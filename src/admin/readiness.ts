// Says whether this process is ready for traffic: one check for each thing that must be there, and a one-way switch for the end.
// Upstreams never decide it (contract section 7).

export type Check = 'listeners' | 'workers' | 'certificates'
export const CHECKS: readonly Check[] = ['listeners', 'workers', 'certificates']

/** Begins with nothing there. */
export class Readiness {
  readonly #missing = new Set<Check>(CHECKS)
  #draining = false

  get draining(): boolean {
    return this.#draining
  }

  /** What is missing; empty when the gateway is ready. */
  get missing(): readonly string[] {
    return this.#draining ? ['draining', ...this.#missing] : [...this.#missing]
  }

  /** Says whether what a check is for is there now. */
  set(check: Check, there: boolean): void {
    if (there) this.#missing.delete(check)
    else this.#missing.add(check)
  }

  has(check: Check): boolean {
    return !this.#missing.has(check)
  }

  /** The one-way switch. */
  startDraining(): void {
    this.#draining = true
  }
}
