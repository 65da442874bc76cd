// The session ticket keys in use: one set for all workers, changed each day. Without a shared secret they are random.
import { createHash, randomBytes } from 'node:crypto'
import type { Loaded } from '../config/load.ts'
import { DAY_MS, ticketKeysOf } from '../tls/ticket-keys.ts'

const LOOK_EVERY_MS = 60_000

export class Tickets {
  readonly #secret: Buffer
  readonly #settings: string
  #day = today()
  #current: Buffer

  /** `changed` is told of the keys of each new day. */
  constructor({ ticketSecret, config }: Loaded, changed: (keys: Buffer) => void) {
    this.#secret = ticketSecret ?? randomBytes(48)
    // Replicas share it, so it must not depend on where files lie.
    this.#settings = createHash('sha256').update(JSON.stringify([config.tls.profile, config.tls.clients.verify, config.tls.clients.allow ?? null])).digest('hex')
    this.#current = this.#derive()
    setInterval(() => {
      if (today() === this.#day) return
      this.#day = today()
      this.#current = this.#derive()
      changed(this.#current)
    }, LOOK_EVERY_MS).unref()
  }

  get current(): Buffer {
    return this.#current
  }

  #derive(): Buffer {
    return ticketKeysOf(this.#secret, this.#settings, Date.now())
  }
}

function today(): number {
  return Math.floor(Date.now() / DAY_MS)
}
