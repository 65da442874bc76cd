// The front door: looks at the first bytes of every connection, reads the ClientHello that stands there in clear, and
// hands the connection to TLS or refuses it (contract section 5).
import { createServer, isIPv6, type BlockList, type Server, type Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { Roll } from '../members.ts'
import { Refusal, type Detail, type Reason } from '../refusal.ts'
import { readClientHello, type ClientHello } from '../tls/client-hello.ts'
import type { Recorder } from '../observe/recorder.ts'
import { amendArrival, containOn, describeArrival, recordArrival, type Arrival } from './arrival.ts'
import type { Census } from './census.ts'
import { classify, type FirstBytes } from './first-bytes.ts'
import { describeOffer, noteOf } from './offer.ts'
import { parseProxyHeader } from './proxy-header.ts'
import { plainHead, readPlainHead, refusePlaintext, type PlaintextOptions } from './plaintext.ts'

export interface DoorOptions {
  /** From accept to a finished handshake, in milliseconds. */
  readonly handshakeTimeout: number
  /** What is open through all doors of the process, and its limits. */
  readonly census: Census
  readonly plaintext: PlaintextOptions
  /** A PROXY header is required from these addresses and refused from all others; undefined where none is expected. */
  readonly balancers: BlockList | undefined
  /** Called with a hello in the very turn before TLS reads it. */
  readonly entersTls: (offer: ClientHello | undefined) => void
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

export interface FrontDoor {
  /** The handshake over this connection has finished or failed: its time no longer runs. */
  settled(arrival: Arrival | undefined): void
  /** Ends what has not become a TLS connection yet; for the end of a drain. */
  close(): void
}

/** Puts the door before a TLS server that is not listening yet. */
export function openFrontDoor(server: TlsServer, options: DoorOptions, recorder: Recorder): FrontDoor {
  const [toTls] = server.listeners('connection') as [(socket: Socket) => void]
  server.removeAllListeners('connection')
  const door = new Door('tls', options, recorder, (socket) => toTls.call(server, socket))
  server.on('connection', door.accept)
  return door
}

/** The plain listener: exists to refuse plain HTTP with a proper answer. */
export function openPlainDoor(options: DoorOptions, recorder: Recorder): { server: Server; door: FrontDoor } {
  const door = new Door('plain', options, recorder, undefined)
  const server = createServer(door.accept)
  return { server, door }
}

const SSL3 = 0x0300
/** Fatal alerts (RFC 8446 section 6.2): protocol_version in a record of SSL 3, illegal_parameter in one of TLS 1.0. */
const PROTOCOL_VERSION_ALERT = Buffer.from([21, 3, 0, 0, 2, 2, 70])
const ILLEGAL_PARAMETER_ALERT = Buffer.from([21, 3, 1, 0, 2, 2, 47])

class Door implements FrontDoor {
  readonly #listener: Arrival['listener']
  readonly #options: DoorOptions
  readonly #recorder: Recorder
  readonly #toTls: ((socket: Socket) => void) | undefined
  /** Accepted, and not yet a TLS connection. */
  readonly #pending = new Roll<Arrival>()
  readonly #partial = new Map<Socket, Buffer>()
  readonly #sweeper: NodeJS.Timeout

  constructor(listener: Arrival['listener'], options: DoorOptions, recorder: Recorder, toTls: ((socket: Socket) => void) | undefined) {
    this.#listener = listener
    this.#options = options
    this.#recorder = recorder
    this.#toTls = toTls
    // One coarse timer for all connections: a timer for each costs 5 % of a handshake.
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(1000, Math.max(50, options.handshakeTimeout / 4)))
    this.#sweeper.unref()
  }

  /** Listens to a connection from its accept on. */
  readonly accept = (socket: Socket): void => {
    const arrival = recordArrival(socket, this.#listener, this.#options.monotonic(), (broken, error) => this.#tellFault(broken, error))
    this.#recorder.connectionOpened(this.#listener)
    const tooMany = this.#options.census.enter()
    socket.on('error', ignore)
    socket.once('close', containOn(socket, 'door close', () => this.#left(socket, arrival)))
    containOn(socket, 'door accept', () => this.#enter(socket, arrival, tooMany))()
  }

  #enter(socket: Socket, arrival: Arrival, tooMany: boolean): void {
    if (tooMany || this.#crowded(arrival)) return this.#refuse(socket, arrival, new Refusal('too-many-connections'))
    this.#pending.enter(arrival)
    this.#listen(socket, arrival)
  }

  settled(arrival: Arrival | undefined): void {
    if (arrival === undefined) return
    this.#options.census.endHandshake(arrival)
    this.#pending.leave(arrival)
  }

  close(): void {
    for (const { socket } of this.#pending.all()) socket.destroy()
    clearInterval(this.#sweeper)
  }

  #listen(socket: Socket, arrival: Arrival): void {
    const onReadable = containOn(socket, 'door readable', () => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) {
        if (socket.readableEnded) socket.destroy()
        return
      }
      const bytes = this.#joined(socket, chunk)
      const left = this.#awaitsProxy(arrival) ? this.#introduce(socket, arrival, bytes) : bytes
      if (left === undefined) return
      if (left.length > 0 && !this.#awaitsProxy(arrival) && this.#judge(socket, arrival, left)) return
      this.#partial.set(socket, left)
      socket.once('readable', onReadable)
    })
    socket.once('readable', onReadable)
    socket.once('end', destroy)
  }

  #joined(socket: Socket, chunk: Buffer): Buffer {
    const before = this.#partial.get(socket)
    if (before === undefined) return chunk
    this.#partial.delete(socket)
    return Buffer.concat([before, chunk])
  }

  #awaitsProxy(arrival: Arrival): boolean {
    const { balancers } = this.#options
    return balancers !== undefined && arrival.balancer === null && balancers.check(arrival.address, isIPv6(arrival.address) ? 'ipv6' : 'ipv4')
  }

  /** Reads the header that a listed balancer owes. Returns the bytes that are left to judge; undefined when it is refused. */
  #introduce(socket: Socket, arrival: Arrival, bytes: Buffer): Buffer | undefined {
    const header = parseProxyHeader(bytes)
    if (header === 'more') return bytes
    if (typeof header === 'string') {
      this.#refuse(socket, arrival, new Refusal(header === 'absent' ? 'proxy-header-missing' : 'proxy-header-invalid'))
      return undefined
    }
    this.#options.census.leaveAddress(arrival)
    amendArrival(arrival, header.client, header.link)
    if (this.#crowded(arrival)) {
      this.#refuse(socket, arrival, new Refusal('too-many-connections'))
      return undefined
    }
    return bytes.subarray(header.length)
  }

  /** Returns whether the bytes were enough for a verdict. */
  #judge(socket: Socket, arrival: Arrival, bytes: Buffer): boolean {
    const spoken = classify(bytes)
    if (spoken === 'more') return false
    if (spoken === 'tls' && this.#toTls !== undefined) return this.#greet(socket, arrival, bytes)
    if (spoken === 'http') return this.#answerPlain(socket, arrival, bytes)
    this.#recorder.plaintextSeen(spoken === 'tls' ? 'other' : spoken)
    this.#refuse(socket, arrival, new Refusal(this.#otherThanTls(spoken, arrival), { protocol: spoken }))
    return true
  }

  /** A PROXY header where none is configured is just another protocol (contract section 8). */
  #otherThanTls(spoken: FirstBytes, arrival: Arrival): Reason {
    if (spoken !== 'proxy-header' || this.#options.balancers === undefined) return 'plaintext-other'
    return arrival.balancer === null ? 'proxy-header-untrusted' : 'proxy-header-invalid'
  }

  #greet(socket: Socket, arrival: Arrival, bytes: Buffer): boolean {
    const offer = readClientHello(bytes)
    if (offer === 'more') return false
    arrival.offer = typeof offer === 'string' ? undefined : offer
    this.#recorder.helloRead(arrival.address, noteOf(arrival.offer))
    // OpenSSL has a slightly higher limit, and would wait for the rest of a hello between the two limits.
    if (offer === 'too-long') return this.#refuseHello(socket, arrival, 'tls-malformed', ILLEGAL_PARAMETER_ALERT)
    // OpenSSL would send handshake_failure, since SSL 3 has no protocol_version. RFC 8446 appendix D.2 asks for
    // protocol_version nevertheless (security.md T1).
    const isSsl3 = arrival.offer?.version === SSL3
    if (isSsl3) return this.#refuseHello(socket, arrival, 'tls-version', PROTOCOL_VERSION_ALERT)
    if (!this.#options.census.beginHandshake(arrival)) {
      this.#refuse(socket, arrival, new Refusal('too-many-handshakes'), describeOffer(arrival.offer))
      return true
    }
    socket.removeListener('end', destroy)
    socket.unshift(bytes)
    // Node reads what was put back in the turn after a TLS socket is made; this comes right before it.
    process.nextTick(containOn(socket, 'door enters TLS', this.#options.entersTls), arrival.offer)
    this.#toTls?.(socket)
    return true
  }

  #refuseHello(socket: Socket, arrival: Arrival, reason: 'tls-malformed' | 'tls-version', alert: Buffer): true {
    this.#pending.leave(arrival)
    this.#note(arrival, new Refusal(reason), describeOffer(arrival.offer))
    socket.write(alert)
    socket.destroySoon()
    return true
  }

  #answerPlain(socket: Socket, arrival: Arrival, bytes: Buffer): boolean {
    const head = readPlainHead(bytes)
    if (head === undefined) return false
    this.#sayHttps(socket, arrival, head)
    return true
  }

  #sayHttps(socket: Socket, arrival: Arrival, head: { method: string; host: string | undefined }): void {
    this.#pending.leave(arrival)
    this.#recorder.plaintextSeen('http')
    this.#note(arrival, refusePlaintext(socket, head, this.#options.plaintext), { protocol: 'http' })
  }

  #refuse(socket: Socket, arrival: Arrival, refusal: Refusal, facts: Detail = {}): void {
    this.#pending.leave(arrival)
    this.#note(arrival, refusal, facts)
    socket.destroy()
  }

  /** Records what a handler threw, once for each connection, also if it was refused before: the fault is ours. */
  #tellFault(arrival: Arrival, error: unknown): void {
    if (arrival.faulty) return
    arrival.faulty = true
    arrival.refused = true
    this.#recorder.refused(new Refusal('unexpected', {}, {}, error), describeArrival(arrival))
  }

  #note(arrival: Arrival, refusal: Refusal, facts: Detail): void {
    if (arrival.refused) return
    arrival.refused = true
    this.#recorder.refused(refusal, { ...describeArrival(arrival), ...facts })
  }

  #left(socket: Socket, arrival: Arrival): void {
    // Half a hello, and gone: a client that came only to look says nothing at all.
    if (this.#partial.get(socket)?.[0] === 0x16) this.#note(arrival, new Refusal('tls-aborted'), { offered: 'none' })
    this.#options.census.leave(arrival)
    this.#pending.leave(arrival)
    this.#partial.delete(socket)
    this.#recorder.connectionClosed(arrival.listener)
  }

  /** Not for balancers that have yet to say who came. */
  #crowded(arrival: Arrival): boolean {
    return !this.#awaitsProxy(arrival) && this.#options.census.enterAddress(arrival)
  }

  #sweep(): void {
    const before = this.#options.monotonic() - this.#options.handshakeTimeout
    for (const arrival of this.#pending.all()) if (arrival.acceptedAt <= before) containOn(arrival.socket, 'door sweep', () => this.#late(arrival.socket, arrival))()
  }

  #late(socket: Socket, arrival: Arrival): void {
    const bytes = this.#partial.get(socket) ?? Buffer.alloc(0)
    if (bytes.length > 0 && this.#awaitsProxy(arrival)) return this.#refuse(socket, arrival, new Refusal('proxy-header-invalid', { why: 'slow' }))
    const spoken: FirstBytes = bytes.length === 0 ? 'more' : classify(bytes)
    if (spoken === 'http') return this.#sayHttps(socket, arrival, plainHead(bytes.toString('latin1')))
    if (bytes.length === 0 && !arrival.handshaking) this.#recorder.plaintextSeen('silence')
    if (arrival.handshaking) this.#refuse(socket, arrival, new Refusal('tls-timeout'), describeOffer(arrival.offer))
    else this.#refuse(socket, arrival, new Refusal('hello-timeout'), { bytes: bytes.length })
  }
}

function ignore(): void {
  // The peer's resets are told by 'close'; an 'error' without a listener would end the process.
}

function destroy(this: Socket): void {
  this.destroy()
}
