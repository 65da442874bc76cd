// Who still hands out shared access signatures that would work over plain http: by account, kind and client address, with
// counts, never the token. It answers "whose issuer must be fixed before we can demand https-only tokens everywhere".

/** One account's tokens as one client brings them. */
export interface IssuerCount {
  readonly account: string
  readonly kind: string
  /** The key that signs them; null where we lack it. */
  readonly slot: string | null
  readonly client: string
  /** Requests whose token had to be tightened, or passed unverified without being https-only. */
  readonly open: number
  /** Requests whose token was https-only already. */
  readonly httpsOnly: number
  /** Milliseconds since the epoch. */
  readonly lastSeen: number
}

/** Beyond this many the longest unseen go: clients must not fill our memory. */
const LIMIT = 1000

/** The counts of one worker. */
export class Issuers {
  readonly #counts = new Map<string, { -readonly [K in keyof IssuerCount]: IssuerCount[K] }>()

  /** Counts one verified or passed token. `now` in milliseconds since the epoch. */
  note(account: string, kind: string, slot: string | null, client: string, httpsOnly: boolean, now: number): void {
    const key = `${account} ${kind} ${slot ?? ''} ${client}`
    let count = this.#counts.get(key)
    if (count === undefined) this.#insert(key, (count = { account, kind, slot, client, open: 0, httpsOnly: 0, lastSeen: now }))
    if (httpsOnly) count.httpsOnly++
    else count.open++
    count.lastSeen = now
  }

  /** All counts, those with most open tokens first. */
  list(): IssuerCount[] {
    return [...this.#counts.values()].toSorted((a, b) => b.open - a.open)
  }

  #insert(key: string, count: { -readonly [K in keyof IssuerCount]: IssuerCount[K] }): void {
    if (this.#counts.size >= LIMIT) this.#dropOldest()
    this.#counts.set(key, count)
  }

  /** A tenth at once: looking through all of them for each new client would cost every request of a crowd. */
  #dropOldest(): void {
    const oldest = [...this.#counts].toSorted(([, a], [, b]) => a.lastSeen - b.lastSeen).slice(0, LIMIT / 10)
    for (const [key] of oldest) this.#counts.delete(key)
  }
}

/** Several workers' counts as one list, most open tokens first and no longer than one of them may be. */
export function mergeIssuers(lists: readonly (readonly IssuerCount[])[]): IssuerCount[] {
  const merged = new Map<string, IssuerCount>()
  for (const count of lists.flat()) {
    const key = `${count.account} ${count.kind} ${count.slot ?? ''} ${count.client}`
    const known = merged.get(key)
    merged.set(key, known === undefined ? count : {
      ...count, open: known.open + count.open, httpsOnly: known.httpsOnly + count.httpsOnly, lastSeen: Math.max(known.lastSeen, count.lastSeen),
    })
  }
  return [...merged.values()].toSorted((a, b) => b.open - a.open).slice(0, LIMIT)
}
