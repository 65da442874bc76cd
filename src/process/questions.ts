// Questions to other processes: each is answered by a message, or given up after its time.

/** By `Key` and with one answer of `Answer` each. */
export class Questions<Key, Answer> {
  readonly #open = new Map<Key, (answer: Answer) => void>()

  /** Calls `put` and waits. Resolves with the answer, or after `ms` with `otherwise`; so does an earlier question of this key. */
  ask(key: Key, put: () => void, ms: number, otherwise: Answer): Promise<Answer> {
    this.answer(key, otherwise)
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(key, otherwise), ms)
      this.#open.set(key, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      put()
    })
  }

  /** Does nothing where nobody waits for it any longer. */
  answer(key: Key, answer: Answer): void {
    const told = this.#open.get(key)
    this.#open.delete(key)
    told?.(answer)
  }
}
