// Who came, when, and what was seen of them before TLS. This is the only file that knows how a TLS socket is linked to
// the connection it came from: Node's private `_parent`, pinned by test/door/arrival.test.ts.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { contain } from '../contain.ts'
import type { Detail } from '../refusal.ts'
import type { RollMember } from '../members.ts'
import type { ClientHello } from '../tls/client-hello.ts'
import type { ChainFault, PeerIdentity } from '../tls/peer.ts'

/** An accepted connection. */
export interface Arrival extends RollMember {
  /** The connection itself, until it is closed. */
  readonly socket: Socket
  readonly listener: 'tls' | 'plain'
  /** The client's address: the TCP peer's, or what a listed balancer says; an IPv4-mapped one as IPv4. */
  address: string
  port: number
  /** The TCP peer, where it is a listed balancer. */
  balancer: string | null
  /** The Private Link id that the balancer's header had; undefined where it had none. */
  link: number | undefined
  /** Monotonic milliseconds. */
  readonly acceptedAt: number
  /** Undefined until the hello is whole. */
  offer: ClientHello | undefined
  /** Of the finished handshake, e.g. TLSv1.3; empty before. */
  tlsVersion: string
  /** The verified client certificate, if one was shown. */
  peer: PeerIdentity | undefined
  /** What is wrong with the certificates that it showed, if anything is. */
  chainFault: ChainFault | undefined
  /** The connection ends with its next reply: the trust that it rests on has changed. */
  stale: boolean
  /** Handed to TLS, and the handshake has neither finished nor failed. */
  handshaking: boolean
  /** Counted for its address. */
  counted: boolean
  /** Counted as refused already: a connection has one reason. */
  refused: boolean
  /** A fault of ours was recorded for it: each connection has one at most. */
  faulty: boolean
  /** Records what a handler of this connection threw. */
  readonly tellFault: (error: unknown) => void
}

const ARRIVAL = Symbol('arrival')
interface Carrier { [ARRIVAL]?: Arrival }
interface Wrapping { readonly _parent?: Socket | null }

/**
 * Notes who came; called once for each connection, at accept. `now` in monotonic milliseconds. `tellFault` records what a
 * handler of the connection threw.
 */
export function recordArrival(socket: Socket, listener: Arrival['listener'], now: number, tellFault: (arrival: Arrival, error: unknown) => void = () => undefined): Arrival {
  const arrival: Arrival = {
    place: -1,
    socket,
    listener,
    address: plainAddress(socket.remoteAddress ?? ''),
    port: socket.remotePort ?? 0,
    balancer: null,
    link: undefined,
    acceptedAt: now,
    offer: undefined,
    tlsVersion: '',
    peer: undefined,
    chainFault: undefined,
    stale: false,
    handshaking: false,
    counted: false,
    refused: false,
    faulty: false,
    tellFault: (error) => tellFault(arrival, error),
  }
  ;(socket as Carrier)[ARRIVAL] = arrival
  return arrival
}

const MAPPED = /^::ffff:(?:(\d{1,3}(?:\.\d{1,3}){3})|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i

/** An IPv4-mapped IPv6 address as the IPv4 address that it is; the system writes it with dots, PROXY version 2 leads to digits. */
export function plainAddress(address: string): string {
  const [mapped, dotted, high = '', low = ''] = MAPPED.exec(address) ?? []
  if (mapped === undefined) return address
  return dotted ?? [high, low].map((part) => Number.parseInt(part, 16)).map((bits) => `${bits >> 8}.${bits & 0xff}`).join('.')
}

/** A listed balancer has said who came, and perhaps by which private link. */
export function amendArrival(arrival: Arrival, client: { address: string; port: number } | undefined, link?: number): void {
  arrival.balancer = arrival.address
  arrival.link = link
  if (client === undefined) return
  arrival.address = plainAddress(client.address)
  arrival.port = client.port
}

/** The arrival of a raw connection, or of the TLS socket over it; undefined for a socket that no door let in. */
export function arrivalOf(socket: Socket | TLSSocket): Arrival | undefined {
  const carrier = socket as Carrier
  return (carrier[ARRIVAL] ??= ((socket as Wrapping)._parent as Carrier | undefined)?.[ARRIVAL] as Arrival)
}

/**
 * Records what a handler of this connection threw with reason `unexpected`, and ends the connection after the event. It
 * must not end at once: Node's own handler of `secure` runs after ours, and throws if the socket is destroyed by then.
 */
export function breakConnection(socket: Socket | TLSSocket, error: unknown): void {
  arrivalOf(socket)?.tellFault(error)
  process.nextTick(() => socket.destroy())
}

/** Returns a handler of a client's connection, wrapped: what it throws ends that connection with reason `unexpected`. */
export function containOn<T, A extends unknown[]>(socket: Socket | TLSSocket, name: string, handler: (this: T, ...args: A) => unknown): (this: T, ...args: A) => void {
  return contain(name, handler, (error) => breakConnection(socket, error))
}

/** Who came, for the line of a refusal: by which listener, and by which balancer where one said so. */
export function describeArrival({ listener, address, balancer }: Arrival): Detail {
  return { listener, client: address, ...(balancer === null ? {} : { balancer }) }
}

/** The raw connection under a TLS socket, while it is there. */
export function connectionUnder(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as Wrapping)._parent ?? undefined
}
