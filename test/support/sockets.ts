// Clients that send exactly the bytes a test wants, and see exactly what came back and how the connection ended.
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { Test } from 'tap'
import type { Gate } from './gate.ts'
import { framingOf, Message, MessageReader } from './reading.ts'
import { storageHost } from './realm.ts'
import { pause, until, within } from './until.ts'

/** How a connection ended: FIN, RST or another error's code. */
export type Ending = 'fin' | 'rst' | (string & {})

export class Client<S extends Socket = Socket> {
  readonly socket: S
  /** Every byte that came. */
  readonly bytes: Buffer[] = []
  readonly messages: Message[] = []
  /** Undefined while it is open. */
  ending: Ending | undefined
  #whole = 0
  readonly #awaited: string[] = []
  readonly #reader: MessageReader

  constructor(socket: S) {
    this.socket = socket
    this.#reader = new MessageReader((message) => this.#framing(message), () => this.#whole++)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => {
      this.#reader.end()
      this.ending ??= 'fin'
    })
    socket.on('error', (error: NodeJS.ErrnoException) => (this.ending ??= error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'rst' : error.code ?? error.message))
    socket.on('close', () => (this.ending ??= 'fin'))
  }

  /** Sends bytes; text is Latin-1. Resolves when they are out, or cannot be sent any more. */
  send(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (!this.socket.writable) return resolve()
      this.socket.once('close', resolve)
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => {
        this.socket.removeListener('close', resolve)
        resolve()
      })
    })
  }

  /** Sends bytes in pieces, each in a packet of its own. */
  async sendPieces(...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      await this.send(piece)
      await pause(5)
    }
  }

  /** A request with these header lines beside Host; returns its reply. */
  async ask(line: string, headers: readonly string[] = [], body: string | Buffer = ''): Promise<Message> {
    const own = headers.some((header) => /^host:/i.test(header)) ? [] : [`Host: ${storageHost('blob')}`]
    return await this.request([`${line} HTTP/1.1`, ...own, ...headers, '', ''].join('\r\n'), body)
  }

  /** Sends a head as it stands, then a body; returns the whole reply. */
  async request(head: string, body: string | Buffer = ''): Promise<Message> {
    const number = this.expect(head)
    await this.send(Buffer.concat([Buffer.from(head, 'latin1'), typeof body === 'string' ? Buffer.from(body, 'latin1') : body]))
    return await this.reply(number)
  }

  /** Notes that a request goes out, so that its reply is read rightly. Returns the reply's number. */
  expect(head: string): number {
    this.#awaited.push(head.slice(0, head.indexOf(' ')))
    return this.#awaited.length
  }

  /** The reply with that number (from 1), whole: interim ones do not count. Throws when the connection ends before it is. */
  async reply(number = 1): Promise<Message> {
    await until(() => this.#whole >= number || this.ending !== undefined, `reply ${number}`)
    const reply = this.replies[number - 1]
    if (reply === undefined || !reply.complete) throw new Error(`no whole reply ${number}: ${JSON.stringify(Buffer.concat(this.bytes).toString('latin1').slice(0, 500))}, ended ${this.ending}`)
    return reply
  }

  /** The head of that reply, as soon as it is there. */
  async head(number = 1): Promise<Message> {
    await until(() => this.replies.length >= number || this.ending !== undefined, `the head of reply ${number}`)
    const reply = this.replies[number - 1]
    if (reply === undefined) throw new Error(`no reply ${number}, ended ${this.ending}`)
    return reply
  }

  /** Final replies so far, whole or not. */
  get replies(): Message[] {
    return this.messages.filter(({ status }) => status >= 200)
  }

  /** How the connection ended; waits for it. */
  async ended(): Promise<Ending> {
    await until(() => this.ending !== undefined, 'the end of the connection')
    return this.ending ?? ''
  }

  /** All that came, as Latin-1. */
  get text(): string {
    return Buffer.concat(this.bytes).toString('latin1')
  }

  close(): void {
    this.socket.destroy()
  }

  #take(chunk: Buffer): void {
    // Enough to look at in a failure; bodies are kept by their messages.
    if (this.bytes.length < 64) this.bytes.push(chunk)
    try {
      this.#reader.write(chunk)
    } catch {
      // Not HTTP, or broken: the test looks at the bytes.
    }
  }

  #framing(message: Message): number | 'chunked' | 'close' {
    this.messages.push(message)
    if (message.status < 200) {
      this.#whole--
      return 0
    }
    const method = this.#awaited[this.replies.length - 1] ?? ''
    return method === 'HEAD' || message.status === 204 || message.status === 304 ? 0 : framingOf(message, 'close')
  }
}

/** A TLS client of a gate, connected; by default with the name of its blob service. Destroyed with the test. */
export async function dial(t: Test, gate: Pick<Gate, 'port' | 'realm'>, options: ConnectionOptions = {}): Promise<Client<TLSSocket>> {
  const socket = connectTls({ host: '127.0.0.1', port: gate.port, servername: storageHost('blob'), ca: gate.realm.authority.pem, ...options })
  t.teardown(() => socket.destroy())
  const client = new Client(socket)
  await within(once(socket, 'secureConnect'), 'a TLS connection')
  return client
}

/** A client without TLS. */
export async function dialPlain(t: Test, port: number): Promise<Client> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  t.teardown(() => socket.destroy())
  await within(once(socket, 'connect'), 'a connection')
  return new Client(socket)
}

/** One request on a connection of its own. */
export async function askOnce(t: Test, gate: Pick<Gate, 'port' | 'realm'>, line: string, headers: readonly string[] = [], body: string | Buffer = ''): Promise<Message> {
  const host = headers.find((header) => /^host:/i.test(header))?.slice(5).trim().replace(/:\d+$/, '')
  const client = await dial(t, gate, host === undefined ? {} : { servername: host })
  const reply = await client.ask(line, headers, body)
  client.close()
  return reply
}
