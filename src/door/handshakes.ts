// What becomes of each handshake: recorded with version, suite and group, or refused with its reason and with what the
// client offered.
import type { Server as TlsServer, TLSSocket } from 'node:tls'
import { arrivalOf, containOn, describeArrival, type Arrival } from './arrival.ts'
import type { FrontDoor } from './front-door.ts'
import { describeOffer } from './offer.ts'
import type { TrafficMetrics } from '../observe/metrics.ts'
import type { Recorder } from '../observe/recorder.ts'
import { Refusal, type Reason } from '../refusal.ts'
import type { Roll } from '../members.ts'
import type { ClientHello } from '../tls/client-hello.ts'
import { handshakeRefusal } from '../tls/handshake.ts'
import { chainFault, peerIdentity } from '../tls/peer.ts'
import { CIPHER_SUITES, NAMED_GROUPS, groupFor, suiteName } from '../tls/policy.ts'

/**
 * Listens to a TLS server's handshakes. Connections with a client certificate are put on the roll `identified`, since they
 * rest on trust that may change. `monotonic` gives milliseconds.
 */
export function watchHandshakes(server: TlsServer, door: FrontDoor, recorder: Recorder, identified: Roll<Arrival>, monotonic: () => number): void {
  // Before node:http's own listener, so that a request finds its arrival complete.
  server.prependListener('secureConnection', forEach('handshake secureConnection', (socket, arrival) => {
    door.settled(arrival)
    if (arrival.offer === undefined) unread(socket, arrival, recorder)
    else if (isUnverified(socket, arrival)) unverified(socket, arrival, recorder)
    else completed(socket, arrival, arrival.offer, recorder, monotonic())
    if (arrival.peer === undefined) return
    identified.enter(arrival)
    socket.once('close', containOn(socket, 'handshake close', () => identified.leave(arrival)))
  }))
  const whenFailed = forEach('handshake tlsClientError', (socket, arrival, error: NodeJS.ErrnoException) => {
    door.settled(arrival)
    if (!arrival.refused) failed(error, socket, arrival, recorder)
  })
  server.on('tlsClientError', (error, socket) => whenFailed(socket, error))
}

/** Returns a handler for the connections of a TLS server that came by a door. What it throws ends that one connection. */
function forEach<A extends unknown[]>(name: string, handler: (socket: TLSSocket, arrival: Arrival, ...args: A) => void): (socket: TLSSocket, ...args: A) => void {
  return (socket, ...args) => {
    containOn(socket, name, () => {
      const arrival = arrivalOf(socket)
      if (arrival !== undefined) handler(socket, arrival, ...args)
    })()
  }
}

/**
 * OpenSSL takes some hellos that client-hello.ts does not read (an empty record, a broken key share in TLS 1.2). No client
 * sends them, and the server name in them would go unchecked against Host (security.md N2).
 */
function unread(socket: TLSSocket, arrival: Arrival, recorder: Recorder): void {
  refuseHandshake(arrival, 'tls-malformed', 'HELLO_UNREAD', recorder)
  socket.destroy()
}

/**
 * Where certificates are optional, Node lets one that does not verify through and leaves it to us; and OpenSSL verifies a
 * chain without a look at certificates that are no part of it, which may be undecodable.
 */
function isUnverified(socket: TLSSocket, { chainFault: fault }: Arrival): boolean {
  const undecodable = fault !== undefined && fault !== 'weak'
  return undecodable || (!socket.authorized && socket.getPeerX509Certificate() !== undefined)
}

function unverified(socket: TLSSocket, arrival: Arrival, recorder: Recorder): void {
  const authorizationError = authorizationErrorOf(socket) ?? 'UNVERIFIED'
  refuseHandshake(arrival, handshakeRefusal({ code: undefined, authorizationError, chainFault: arrival.chainFault, hello: arrival.offer }), authorizationError, recorder)
  socket.destroy()
}

/**
 * Notes what is wrong with the certificates that a client will show: Node has no code of its own for that, and after its
 * verdict they are gone. To be called while the hello is handled; where there is no SNI nobody calls it, and the reason is
 * `client-cert-untrusted`.
 */
export function watchPeer(socket: TLSSocket): void {
  // Before Node's own listener, which judges.
  socket.prependOnceListener('secure', containOn(socket, 'handshake secure', () => {
    const arrival = arrivalOf(socket)
    const certificate = socket.getPeerX509Certificate()
    if (arrival !== undefined && certificate !== undefined) arrival.chainFault = chainFault(certificate)
  }))
}

/** `authorizationError` is a code, or an error with one. */
function authorizationErrorOf(socket: TLSSocket): string | undefined {
  const judged = socket.authorizationError as unknown
  return typeof judged === 'string' ? judged : (judged as NodeJS.ErrnoException | null)?.code
}

function completed(socket: TLSSocket, arrival: Arrival, offer: ClientHello, recorder: Recorder, now: number): void {
  const version = socket.getProtocol() ?? ''
  arrival.tlsVersion = version
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (certificate !== undefined) arrival.peer = peerIdentity(certificate)
  recorder.handshakeCompleted({
    client: arrival.address,
    version,
    suite: suiteName(socket.getCipher().name),
    group: groupFor(offer, version),
    resumed: socket.isSessionReused(),
    clientCertificate: arrival.peer !== undefined,
    seconds: (now - arrival.acceptedAt) / 1000,
  })
}

function failed(error: NodeJS.ErrnoException, socket: TLSSocket, arrival: Arrival, recorder: Recorder): void {
  const authorizationError = authorizationErrorOf(socket)
  refuseHandshake(arrival, handshakeRefusal({ code: error.code, authorizationError, chainFault: arrival.chainFault, hello: arrival.offer }), authorizationError ?? error.code, recorder)
}

/** Notes the one reason of a connection, with the code that led to it. */
function refuseHandshake(arrival: Arrival, reason: Reason, code: string | undefined, recorder: Recorder): void {
  arrival.refused = true
  recorder.refused(new Refusal(reason, { code: code ?? null }), { ...describeArrival(arrival), ...describeOffer(arrival.offer) })
}

/** Puts everything that a handshake can end as into the metrics, at zero (contract section 9). */
export function zeroHandshakes({ handshakes, groups, handshakeDuration }: TrafficMetrics): void {
  for (const suite of CIPHER_SUITES) {
    for (const resumed of ['yes', 'no']) for (const certificate of ['yes', 'no']) handshakes.child(suite.version, suite.iana, resumed, certificate)
  }
  for (const { iana } of NAMED_GROUPS) groups.child(iana)
  groups.child('other')
  for (const resumed of ['yes', 'no']) handshakeDuration.child(resumed)
}
