// Who came, when, and what was seen of them before TLS. This is the only file that knows how a TLS socket is linked to
// the connection it came from: Node's private `_parent`, pinned by test/door/arrival.test.ts.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** What a ClientHello said, as far as later steps need it; tls/client-hello.ts reads it. */
export interface Offer {
  readonly version: number
  readonly suites: readonly number[]
  readonly groups: readonly number[]
  readonly keyShares: readonly number[]
  readonly serverName: string | undefined
}

/** An accepted connection. */
export interface Arrival {
  readonly listener: 'tls' | 'plain'
  /** The client's address: the TCP peer's, an IPv4-mapped one as IPv4. */
  readonly address: string
  readonly port: number
  /** Monotonic milliseconds. */
  readonly acceptedAt: number
  /** Undefined until the hello is whole. */
  offer: Offer | undefined
  /** Of the finished handshake, e.g. TLSv1.3; empty before. */
  tlsVersion: string
  /** Handed to TLS, and the handshake has neither finished nor failed. */
  handshaking: boolean
  /** Counted as refused already: a connection has one reason. */
  refused: boolean
}

const ARRIVAL = Symbol('arrival')
interface Carrier { [ARRIVAL]?: Arrival }
interface Wrapping { readonly _parent?: Socket | null }

/** Notes who came; called once for each connection, at accept. `now` in monotonic milliseconds. */
export function recordArrival(socket: Socket, listener: Arrival['listener'], now: number): Arrival {
  const address = socket.remoteAddress ?? ''
  const arrival: Arrival = {
    listener,
    address: address.startsWith('::ffff:') ? address.slice(7) : address,
    port: socket.remotePort ?? 0,
    acceptedAt: now,
    offer: undefined,
    tlsVersion: '',
    handshaking: false,
    refused: false,
  }
  ;(socket as Carrier)[ARRIVAL] = arrival
  return arrival
}

/** The arrival of a raw connection, or of the TLS socket over it; undefined for a socket that no door let in. */
export function arrivalOf(socket: Socket | TLSSocket): Arrival | undefined {
  const carrier = socket as Carrier
  return (carrier[ARRIVAL] ??= ((socket as Wrapping)._parent as Carrier | undefined)?.[ARRIVAL] as Arrival)
}

/** The raw connection under a TLS socket, while it is there. */
export function connectionUnder(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as Wrapping)._parent ?? undefined
}
