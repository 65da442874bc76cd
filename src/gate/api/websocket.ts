// WebSockets (RFC 6455) after their admission: the upgrade is sent upstream on a connection of its own. Once the upstream agrees the
// bytes go both ways as they are; where it does not, its reply goes back like any other.
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { arrivalOf, connectionUnder, containOn } from '../../door/arrival.ts'
import { contain } from '../../contain.ts'
import type { Recorder } from '../../observe/recorder.ts'
import type { Refusal } from '../../refusal.ts'
import type { Roll, RollMember } from '../../members.ts'
import { watchClosure } from '../../upstream/closure.ts'
import { UpstreamFailure, brokenFailure, connectFailure, exchangeFailure, upstreamRefusal } from '../../upstream/failure.ts'
import { RawBody } from '../../upstream/raw-body.ts'
import { HEAD_LIMIT, parseResponseHead, type ResponseHead } from '../../upstream/response-head.ts'
import type { ApiRoute } from '../../upstream/routes.ts'
import { downstreamHeaders, type RequestFields } from '../headers.ts'

/** A permitted upgrade. */
export interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: TLSSocket
  /** What the client sent behind its head. */
  readonly early: Buffer
  readonly route: ApiRoute
  readonly target: string
  readonly fields: RequestFields
  /** Further fields for the upstream, each with its CRLF. */
  readonly extra: string
  readonly requestId: string
}

export interface TunnelContext {
  readonly via: () => string
  readonly recorder: Recorder
  readonly tunnels: Roll<Tunnel>
  /** Milliseconds from the head to the upstream's answer. */
  readonly upstreamTimeout: number
  readonly monotonic: () => number
  /** Tells the client of a refusal before anything was agreed. */
  refuse(socket: TLSSocket, refusal: Refusal): void
}

const HEAD_END = Buffer.from('\r\n\r\n')
/** Peers that vanish are noticed by the kernel: a silent WebSocket is no fault. */
const KEEP_ALIVE_MS = 60_000

/** Carries an upgrade to its end; refuses it where the upstream cannot be reached or does not answer in time. */
export function tunnel(upgrade: Upgrade, context: TunnelContext): void {
  const member = new Tunnel(upgrade, context)
  member.open().catch(containOn(upgrade.socket, 'websocket failed', (error: unknown) => member.fail(error)))
}

/** One open WebSocket. */
export class Tunnel implements RollMember {
  place = -1
  readonly #upgrade: Upgrade
  readonly #context: TunnelContext
  readonly #startedAt: number
  #far: Socket | undefined
  #status = 0
  #repliedAt = 0
  #sent = 0
  #received = 0

  constructor(upgrade: Upgrade, context: TunnelContext) {
    this.#upgrade = upgrade
    this.#context = context
    this.#startedAt = context.monotonic()
    context.tunnels.enter(this)
    upgrade.route.numbers.inFlight.value++
    upgrade.socket.on('error', ignore)
    upgrade.socket.once('close', this.#contained('close', () => this.#over()))
  }

  /** Rejects with an UpstreamFailure where no reply came. */
  async open(): Promise<void> {
    const { socket, route, target, fields, extra } = this.#upgrade
    const far = await route.origin.pool.connectAlone().catch((error: unknown) => Promise.reject(connectFailure(error)))
    this.#far = far
    far.on('error', ignore)
    if (socket.destroyed) return void far.destroy()
    far.write(`GET ${target} HTTP/1.1\r\nHost: ${route.origin.host}\r\n${fields.lines}Via: ${this.#context.via()}\r\n${extra}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, 'latin1')
    const { head, rest } = await readHead(far, this.#context.upstreamTimeout)
    this.#repliedAt = this.#context.monotonic()
    this.#status = head.status
    route.origin.pool.countAlone(head.status)
    if (head.status === 101) this.#join(far, head, rest)
    else this.#decline(far, head, rest)
  }

  fail(error: unknown): void {
    const { socket, route } = this.#upgrade
    this.#far?.destroy()
    if (socket.destroyed || this.#status !== 0) return void socket.destroy()
    const failure = exchangeFailure(error)
    route.origin.pool.countAlone(failure)
    this.#context.refuse(socket, upstreamRefusal(failure, route.origin.name))
  }

  /** Cuts it off, e.g. at the end of a drain. */
  end(): void {
    this.#upgrade.socket.destroy()
  }

  /** Both ends as one; whichever ends first takes the other along. */
  #join(far: Socket, head: ResponseHead, rest: Buffer): void {
    const { socket, early } = this.#upgrade
    far.setKeepAlive(true, KEEP_ALIVE_MS)
    connectionUnder(socket)?.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.write(replyHead(head, ['Connection', 'Upgrade', 'Upgrade', 'websocket']), 'latin1')
    socket.on('data', this.#contained('data', (chunk: Buffer) => (this.#received += chunk.length)))
    far.on('data', this.#contained('upstream data', (chunk: Buffer) => (this.#sent += chunk.length)))
    if (rest.length > 0) far.unshift(rest)
    if (early.length > 0) socket.unshift(early)
    socket.pipe(far)
    far.pipe(socket)
    far.once('close', this.#contained('upstream close', () => socket.destroySoon()))
  }

  /** The upstream's own reply, and the end of the connection; by a reset where that reply was cut short. */
  #decline(far: Socket, head: ResponseHead, rest: Buffer): void {
    const { socket } = this.#upgrade
    const body = new RawBody(head)
    const framing = head.framing === 'chunked' ? ['Transfer-Encoding', 'chunked'] : []
    socket.write(replyHead(head, [...framing, 'Connection', 'close']), 'latin1')
    socket.resume()
    far.on('data', this.#contained('declined data', (chunk: Buffer) => this.#pass(far, body, chunk)))
    const isSaid = watchClosure(far)
    far.once('end', this.#contained('declined end', () => {
      if (isSaid()) body.ended()
    }))
    // Its end is that of the connection: a plain one would vouch for a reply that was cut short.
    far.once('close', this.#contained('declined close', () => (body.done ? socket.destroySoon() : connectionUnder(socket)?.resetAndDestroy())))
    if (rest.length > 0) far.unshift(rest)
    if (body.done) far.destroy()
    else far.resume()
  }

  /** What a handler of either end throws ends the client's connection, which takes the other along. */
  #contained<A extends unknown[]>(name: string, handler: (...args: A) => unknown): (...args: A) => void {
    return containOn(this.#upgrade.socket, `websocket ${name}`, handler)
  }

  #pass(far: Socket, body: RawBody, chunk: Buffer): void {
    const { socket } = this.#upgrade
    try {
      const own = body.take(chunk)
      this.#sent += own.length
      if (!socket.write(own)) {
        far.pause()
        socket.once('drain', this.#contained('declined drain', () => far.resume()))
      }
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error
      far.destroy()
    }
    if (body.done) far.destroy()
  }

  #over(): void {
    const { request, socket, route, requestId, fields } = this.#upgrade
    const { tunnels, recorder, monotonic } = this.#context
    this.#far?.destroy()
    tunnels.leave(this)
    route.numbers.inFlight.value--
    // What was refused was told by the refusal.
    if (this.#status === 0) return
    const arrival = arrivalOf(socket)
    recorder.requestCompleted({
      requestId,
      numbers: route.numbers,
      method: 'GET',
      target: request.url ?? '',
      status: this.#status,
      received: this.#received,
      sent: this.#sent,
      duration: monotonic() - this.#startedAt,
      gatewayDuration: 0,
      upstreamDuration: this.#repliedAt - this.#startedAt,
      tls: arrival?.tlsVersion ?? '',
      address: arrival?.address ?? '',
      peer: arrival?.peer?.names[0] ?? null,
      traceparent: fields.traceparent,
      sas: null,
      refusal: null,
      broken: false,
    })
  }
}

function replyHead({ status, reasonPhrase, headers }: ResponseHead, own: readonly string[]): string {
  const fields = [...downstreamHeaders([...headers], { tightened: false, close: false }), ...own]
  let lines = `HTTP/1.1 ${status} ${reasonPhrase}\r\n`
  for (let i = 0; i < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`
  return `${lines}\r\n`
}

function readHead(far: Socket, timeout: number): Promise<Read> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(() => settle(new UpstreamFailure('timeout', 'NO_REPLY')), timeout)
    const settle = (result: Error | Read): void => {
      clearTimeout(timer)
      far.removeListener('data', onData)
      far.removeListener('close', onClose)
      far.pause()
      if (result instanceof Error) reject(result)
      else resolve(result)
    }
    const broken = (error: unknown): void => settle(brokenFailure(error))
    const onData = contain('websocket head data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const read = takeHead(bytes)
      if (read !== undefined) settle(read)
    }, broken)
    const onClose = contain('websocket head close', () => settle(new UpstreamFailure('reset', 'CLOSED')), broken)
    far.on('data', onData)
    far.once('close', onClose)
  })
}

interface Read {
  readonly head: ResponseHead
  /** What came behind it. */
  readonly rest: Buffer
}

/** Undefined until it is whole; interim replies other than 101 are read past. */
function takeHead(bytes: Buffer): Read | undefined {
  let at = 0
  for (;;) {
    const end = bytes.indexOf(HEAD_END, at)
    if (end < 0 && bytes.length > HEAD_LIMIT) throw new UpstreamFailure('reset', 'REPLY_HEAD_TOO_LARGE')
    if (end < 0) return undefined
    const head = parseResponseHead(bytes.toString('latin1', at, end), 'GET')
    at = end + HEAD_END.length
    if (head.status >= 200 || head.status === 101) return { head, rest: bytes.subarray(at) }
  }
}

function ignore(): void {
  // The end of a connection is told by 'close'.
}
