// An upstream that keeps what it saw, byte for byte, and answers as each test scripts it. Raw sockets and its own HTTP
// reading: what it could not have seen through node:http is the point.
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket, type SecureContextOptions } from 'node:tls'
import type { Test } from 'tap'
import { once } from 'node:events'
import { framingOf, Message, MessageReader } from './reading.ts'
import { SERVICES, upstreamHost, type Realm } from './realm.ts'
import { until } from './until.ts'

export { Message } from './reading.ts'

/** One request at the upstream, from its head on: the script answers it. */
export interface Turn {
  readonly request: Message
  /** Counts connections from 1. */
  readonly connection: number
  /** Counts requests from 1, over all connections. */
  readonly number: number
  /** When the body has come to its end; never, if it does not. */
  readonly whole: Promise<void>
  /** Resolves when the bytes have left, or the connection is gone. */
  write(bytes: string | Buffer): Promise<void>
  /** A whole reply with a length. */
  reply(status?: number, headers?: readonly string[], body?: string | Buffer): Promise<void>
  /** FIN after what was written. */
  end(): void
  /** FIN without the word of TLS that the stream ends. */
  cut(): void
  /** RST, at once. */
  reset(): void
  /** Reads nothing more, until `resume`. */
  pause(): void
  resume(): void
  readonly socket: Socket
}

export type Script = (turn: Turn) => void | Promise<void>

export interface Upstream {
  readonly port: number
  readonly seen: readonly Message[]
  /** Connections accepted, and those still open. */
  readonly connections: { readonly total: number; readonly open: number }
  /** What TLS made of connections that failed. */
  readonly faults: readonly string[]
  /** Answers every request from now on. */
  script(script: Script): void
  /** The request with that number, as soon as its head is there. */
  request(number: number): Promise<Message>
  /** Closes every connection by RST, or by FIN. */
  drop(how: 'reset' | 'end'): void
  /** Stops listening and drops what is open. */
  close(): Promise<void>
  /** Listens again on the same port. */
  open(): Promise<void>
}

export interface UpstreamOptions {
  /** Speaks no TLS. */
  readonly plain?: boolean
  /** Says this, in plaintext, to whoever connects. */
  readonly greeting?: string
  /** Another certificate, or other TLS settings. */
  readonly tls?: SecureContextOptions
  /** Names beside those of the storage services. */
  readonly names?: readonly string[]
  /** A port of its own choice by default. */
  readonly port?: number
}

/** The default: reads the body, then 200 with a short text. */
export const ok: Script = async (turn) => {
  await turn.whole
  await turn.reply(200, ['Content-Type: text/plain'], 'ok')
}

/** Starts one; it stops with the test. */
export async function startUpstream(t: Test, realm: Realm, options: UpstreamOptions = {}): Promise<Upstream> {
  const names = ['127.0.0.1', ...SERVICES.flatMap((service) => [upstreamHost(service), upstreamHost(service, 'tideoffice-secondary')]), ...(options.names ?? [])]
  const tls = options.plain === true ? undefined : options.tls ?? await realm.authority.issue({ names })
  const recording = new Recording(tls, options.greeting)
  await recording.listen(options.port ?? 0)
  t.teardown(() => recording.close())
  return recording
}

class Recording implements Upstream {
  readonly seen: Message[] = []
  readonly faults: string[] = []
  readonly connections = { total: 0, open: 0 }
  port = 0
  #script: Script = ok
  #number = 0
  readonly #server: Server
  readonly #raw = new Set<Socket>()
  readonly #tls: SecureContextOptions | undefined
  readonly #greeting: string | undefined

  constructor(tls: SecureContextOptions | undefined, greeting: string | undefined) {
    this.#tls = tls
    this.#greeting = greeting
    this.#server = createServer((raw) => this.#accept(raw))
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (typeof address === 'object' && address !== null) this.port = address.port
  }

  open(): Promise<void> {
    return this.listen(this.port)
  }

  script(script: Script): void {
    this.#script = script
  }

  async request(number: number): Promise<Message> {
    await until(() => this.seen.length >= number, `request ${number} at the upstream`)
    return this.seen[number - 1] as Message
  }

  drop(how: 'reset' | 'end'): void {
    for (const raw of this.#raw) {
      if (how === 'reset') raw.resetAndDestroy()
      else raw.end()
    }
  }

  async close(): Promise<void> {
    for (const raw of this.#raw) raw.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(raw: Socket): void {
    const connection = ++this.connections.total
    this.connections.open++
    this.#raw.add(raw)
    raw.on('error', () => undefined)
    raw.once('close', () => {
      this.connections.open--
      this.#raw.delete(raw)
    })
    if (this.#greeting !== undefined) raw.write(this.#greeting)
    this.#converse(raw, this.#tls === undefined ? raw : this.#secure(raw, this.#tls), connection)
  }

  #secure(raw: Socket, tls: SecureContextOptions): Socket {
    const secure = new TLSSocket(raw, { isServer: true, secureContext: createSecureContext(tls), ALPNProtocols: ['http/1.1'] })
    secure.on('error', (error: NodeJS.ErrnoException) => this.faults.push(error.code ?? error.message))
    return secure
  }

  #converse(raw: Socket, socket: Socket, connection: number): void {
    let finished: (() => void) | undefined
    const reader = new MessageReader((request) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      finished = resolve
      this.seen.push(request)
      // Once the reader knows how the body is framed.
      queueMicrotask(() => void this.#script(turnOf(request, raw, socket, { connection, number: ++this.#number, whole: promise })))
      return framingOf(request, 0)
    }, () => finished?.())
    socket.on('data', (chunk: Buffer) => reader.write(chunk))
  }
}

function turnOf(request: Message, raw: Socket, socket: Socket, more: Pick<Turn, 'connection' | 'number' | 'whole'>): Turn {
  const write = (bytes: string | Buffer): Promise<void> => new Promise((resolve) => {
    if (socket.destroyed || !socket.writable) return resolve()
    socket.once('close', resolve)
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => {
      socket.removeListener('close', resolve)
      resolve()
    })
  })
  const reply = async (status = 200, headers: readonly string[] = [], body: string | Buffer = ''): Promise<void> => {
    const bytes = Buffer.from(body as string)
    const lines = [`HTTP/1.1 ${status} ${status < 400 ? 'OK' : 'Not so'}`, ...headers, ...(status === 204 || status === 304 ? [] : [`Content-Length: ${bytes.length}`]), '', '']
    await write(Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), request.method === 'HEAD' ? Buffer.alloc(0) : bytes]))
  }
  return {
    ...more, request, socket, write, reply,
    end: () => void socket.end(),
    cut: () => void raw.end(),
    reset: () => void raw.resetAndDestroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  }
}
