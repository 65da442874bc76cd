// The session ticket keys in use: one set for all workers, changed each day. Without a shared secret they are random.
import { createHash, randomBytes } from 'node:crypto'
import type { Loaded } from '../config/load.ts'
import { DAY_MS, ticketKeysOf } from '../tls/ticket-keys.ts'

const LOOK_EVERY_MS = 60_000

export class Tickets {
  readonly #random = randomBytes(48)
  #secret: Buffer
  #settings: string
  #day = today()
  #current: Buffer

  /** `changed` is told of the keys of each new day. */
  constructor({ ticketSecret, config }: Loaded, changed: (keys: Buffer) => void) {
    this.#secret = ticketSecret ?? this.#random
    this.#settings = settingsOf(config)
    this.#current = this.#derive()
    setInterval(() => {
      if (today() === this.#day) return
      this.#day = today()
      this.#current = this.#derive()
      changed(this.#current)
    }, LOOK_EVERY_MS).unref()
  }

  /** Another configuration is in force: keys follow from its secret, and other trust makes old tickets void. */
  take({ ticketSecret, config }: Loaded): void {
    this.#secret = ticketSecret ?? this.#random
    this.#settings = settingsOf(config)
    this.#current = this.#derive()
  }

  get current(): Buffer {
    return this.#current
  }

  #derive(): Buffer {
    return ticketKeysOf(this.#secret, this.#settings, Date.now())
  }
}

/** What a session may be resumed under. Replicas share it, so it must not depend on where files lie. */
function settingsOf({ tls }: Loaded['config']): string {
  return createHash('sha256').update(JSON.stringify([tls.profile, tls.clients.verify, tls.clients.allow ?? null])).digest('hex')
}

function today(): number {
  return Math.floor(Date.now() / DAY_MS)
}
