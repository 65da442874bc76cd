// The sessions of one connection: which ids were named, and which of them are logged in.

/** More ids than that end the connection, since a peer may name as many as it likes. */
export const SESSION_LIMIT = 4096
const LOGGED = 8

export class Sessions {
  /** True where the login has succeeded. */
  readonly #byId = new Map<bigint, boolean>()
  /** The session of the last transform: most connections have one session, and this spares them the lookup. */
  #low = -1
  #high = -1

  /** Notes an id that a login names; 0 asks for a new session and is none. Returns false where it is one too many. */
  enter(id: bigint): boolean {
    if (id === 0n || this.#byId.has(id)) return true
    if (this.#byId.size >= SESSION_LIMIT) return false
    this.#byId.set(id, false)
    return true
  }

  /** The login of a session has succeeded. Returns false where the id is one too many. */
  open(id: bigint): boolean {
    if (!this.#byId.has(id) && this.#byId.size >= SESSION_LIMIT) return false
    this.#byId.set(id, true)
    return true
  }

  isOpen(id: bigint): boolean {
    return this.#byId.get(id) === true
  }

  /** Returns whether the eight bytes at `at` are the id of an open session. */
  isOpenAt(bytes: Buffer, at: number): boolean {
    const low = bytes.readUInt32LE(at)
    const high = bytes.readUInt32LE(at + 4)
    if (low === this.#low && high === this.#high) return true
    if (!this.isOpen(bytes.readBigUInt64LE(at))) return false
    this.#low = low
    this.#high = high
    return true
  }

  /** The first eight ids in hex, for the log. */
  get listed(): string[] {
    return [...this.#byId.keys()].slice(0, LOGGED).map((id) => id.toString(16).padStart(16, '0'))
  }
}
