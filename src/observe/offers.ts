// Who still offers less than TLS 1.3, by client address: it answers "which office still offers TLS 1.0" and "who would be
// cut off by `modern`". Clients that offer 1.3 and never less are only counted, in the metrics.

/** What one address offered, of every hello since the first that offered less than TLS 1.3. */
export interface ClientOffers {
  readonly client: string
  /** Hellos by the highest version that they offered, e.g. `tls1.0`. */
  readonly offered: Readonly<Record<string, number>>
  /** Handshakes below TLS 1.3 that were completed. */
  readonly served: number
  /** Of the latest of them. */
  readonly negotiated: NegotiatedBelow | null
  /** Of the latest hello below TLS 1.3; null without SNI. Its characters are those of a host name. */
  readonly serverName: string | null
  /** When that came, milliseconds since the epoch. */
  readonly lastSeen: number
}

export interface NegotiatedBelow {
  readonly version: string
  readonly suite: string
  readonly group: string
}

/** A hello as it is counted. */
export interface OfferNote {
  /** One of OFFERED. */
  readonly offered: string
  readonly serverName: string | null
}

type Draft = { -readonly [K in keyof ClientOffers]: ClientOffers[K] } & { offered: Record<string, number> }

/** Beyond this many the longest unseen goes: clients must not fill our memory. */
const LIMIT = 1000
const BELOW: ReadonlySet<string> = new Set(['ssl3', 'tls1.0', 'tls1.1', 'tls1.2'])

/** The table of one worker. */
export class Offers {
  /** The longest unseen first. */
  readonly #clients = new Map<string, Draft>()

  /** Counts one hello, whatever becomes of it. `now` in milliseconds since the epoch. */
  hello(client: string, { offered, serverName }: OfferNote, now: number): void {
    const known = this.#clients.get(client)
    const below = BELOW.has(offered)
    if (known === undefined && !below) return
    const row = known ?? this.#insert(client, now)
    row.offered[offered] = (row.offered[offered] ?? 0) + 1
    if (!below) return
    row.serverName = serverName
    row.lastSeen = now
    this.#clients.delete(client)
    this.#clients.set(client, row)
  }

  /** A handshake came to its end. */
  completed(client: string, { version, suite, group }: NegotiatedBelow): void {
    const row = version === 'TLSv1.3' ? undefined : this.#clients.get(client)
    if (row === undefined) return
    row.served++
    row.negotiated = { version, suite, group }
  }

  /** All rows, the latest first. */
  list(): ClientOffers[] {
    return [...this.#clients.values()].toReversed()
  }

  #insert(client: string, now: number): Draft {
    const [oldest] = this.#clients.keys()
    if (this.#clients.size >= LIMIT && oldest !== undefined) this.#clients.delete(oldest)
    const row: Draft = { client, offered: {}, served: 0, negotiated: null, serverName: null, lastSeen: now }
    this.#clients.set(client, row)
    return row
  }
}

/** Several workers' tables as one, the latest first and no longer than one of them may be. */
export function mergeOffers(lists: readonly (readonly ClientOffers[])[]): ClientOffers[] {
  const merged = new Map<string, ClientOffers>()
  for (const row of lists.flat()) {
    const known = merged.get(row.client)
    merged.set(row.client, known === undefined ? row : joined(known, row))
  }
  return [...merged.values()].toSorted((a, b) => b.lastSeen - a.lastSeen).slice(0, LIMIT)
}

/** What is said of the latest hello comes from the row that saw it. */
function joined(a: ClientOffers, b: ClientOffers): ClientOffers {
  const [late, early] = a.lastSeen >= b.lastSeen ? [a, b] : [b, a]
  const offered = { ...late.offered }
  for (const [version, count] of Object.entries(early.offered)) offered[version] = (offered[version] ?? 0) + count
  return { ...late, offered, served: a.served + b.served, negotiated: late.negotiated ?? early.negotiated }
}
