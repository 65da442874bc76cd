// Workers rehearse one after another: a rehearsal takes most of a core, and never should all workers be cold at once.

/** `Worker` is whatever names a worker; `begin` tells it to rehearse. */
export class RehearsalQueue<Worker> {
  readonly #begin: (worker: Worker) => void
  readonly #waiting: Worker[] = []
  #rehearsing: Worker | undefined

  constructor(begin: (worker: Worker) => void) {
    this.#begin = begin
  }

  /** Adds a worker; it begins at once if no other one rehearses. */
  add(worker: Worker): void {
    this.#waiting.push(worker)
    if (this.#rehearsing === undefined) this.#next()
  }

  /** The worker has rehearsed, or has ended: the next one begins. */
  remove(worker: Worker): void {
    const place = this.#waiting.indexOf(worker)
    if (place >= 0) this.#waiting.splice(place, 1)
    if (this.#rehearsing === worker) this.#next()
  }

  #next(): void {
    this.#rehearsing = this.#waiting.shift()
    if (this.#rehearsing !== undefined) this.#begin(this.#rehearsing)
  }
}
