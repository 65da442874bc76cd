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
  constructor(loaded: Loaded, changed: (keys: Buffer) => void) {
    this.#secret = loaded.ticketSecret ?? this.#random
    this.#settings = settingsOf(loaded)
    this.#current = this.#derive()
    setInterval(() => {
      if (today() === this.#day) return
      this.#day = today()
      this.#current = this.#derive()
      changed(this.#current)
    }, LOOK_EVERY_MS).unref()
  }

  /** Another configuration is in force: keys follow from its secret, and other trust makes old tickets void. */
  take(loaded: Loaded): void {
    this.#secret = loaded.ticketSecret ?? this.#random
    this.#settings = settingsOf(loaded)
    this.#current = this.#derive()
  }

  get current(): Buffer {
    return this.#current
  }

  #derive(): Buffer {
    return ticketKeysOf(this.#secret, this.#settings, Date.now())
  }
}

/** A digest of what a session or a connection with a client certificate rests on. Replicas share it, so it must not depend on where files lie. */
export function settingsOf({ config: { tls, apis }, clientTrust }: Loaded): string {
  const lists = clientTrust?.lists.map(({ pem }) => pem) ?? []
  const rules = [tls.clients.verify, tls.clients.allow ?? null, ...apis.map(({ clients }) => clients ?? null)]
  return createHash('sha256').update(JSON.stringify([tls.profile, rules, clientTrust?.bundle.digest ?? null, lists])).digest('hex')
}

function today(): number {
  return Math.floor(Date.now() / DAY_MS)
}
