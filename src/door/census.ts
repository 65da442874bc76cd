// How many connections and handshakes there are through all doors of a process, and how many connections from each address.
import type { Arrival } from './arrival.ts'

export interface DoorLimits {
  readonly connections: number
  /** 0 is no limit. */
  readonly connectionsPerAddress: number
  /** From a whole hello to a finished handshake. */
  readonly handshakes: number
}

/** Made once in a process; each door counts in it. */
export class Census {
  readonly #limits: DoorLimits
  readonly #byAddress = new Map<string, number>()
  #open = 0
  #handshaking = 0

  /** `limits` are read at each use: a reload may change them. */
  constructor(limits: DoorLimits) {
    this.#limits = limits
  }

  /** Counts an accepted connection; returns whether it is one too many. */
  enter(): boolean {
    return ++this.#open > this.#limits.connections
  }

  /** A connection is closed, whatever it was counted for. */
  leave(arrival: Arrival): void {
    this.#open--
    this.endHandshake(arrival)
    this.leaveAddress(arrival)
  }

  /** Counts a connection for its address; returns whether it is one too many. */
  enterAddress(arrival: Arrival): boolean {
    const { connectionsPerAddress } = this.#limits
    if (connectionsPerAddress === 0) return false
    const count = (this.#byAddress.get(arrival.address) ?? 0) + 1
    this.#byAddress.set(arrival.address, count)
    arrival.counted = true
    return count > connectionsPerAddress
  }

  /** Uncounts the connection, before its address changes or it ends. */
  leaveAddress(arrival: Arrival): void {
    if (!arrival.counted) return
    arrival.counted = false
    const count = (this.#byAddress.get(arrival.address) ?? 1) - 1
    if (count > 0) this.#byAddress.set(arrival.address, count)
    else this.#byAddress.delete(arrival.address)
  }

  /** Counts a handshake, unless there are as many as there may be: then gives false. */
  beginHandshake(arrival: Arrival): boolean {
    if (this.#handshaking >= this.#limits.handshakes) return false
    arrival.handshaking = true
    this.#handshaking++
    return true
  }

  /** The handshake over a connection has finished or failed. Does nothing where none was counted. */
  endHandshake(arrival: Arrival): void {
    if (arrival.handshaking) this.#handshaking--
    arrival.handshaking = false
  }
}
