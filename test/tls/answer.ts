// What a TLS server answers to the bytes of a hello, read from the wire: its ServerHello, or its alert.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { until, within } from '../support/until.ts'

export interface ServerHello {
  readonly version: number
  readonly random: Buffer
  readonly suite: number
  readonly compression: number
  /** By type, in the order they came; those in EncryptedExtensions are not seen. */
  readonly extensions: ReadonlyMap<number, Buffer>
  /** A HelloRetryRequest (RFC 8446 section 4.1.3). */
  readonly retry: boolean
}

const ALERT = 21
const HANDSHAKE = 22
const RETRY = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')

/** A connection that sends bytes and reads records. */
export class Wire {
  readonly socket: Socket
  ended = false
  #bytes = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])))
    socket.on('error', () => (this.ended = true))
    socket.on('close', () => (this.ended = true))
    socket.on('end', () => (this.ended = true))
  }

  /** Whole records so far. */
  get records(): { readonly type: number; readonly payload: Buffer }[] {
    const out = []
    for (let at = 0; at + 5 <= this.#bytes.length; ) {
      const end = at + 5 + this.#bytes.readUInt16BE(at + 3)
      if (end > this.#bytes.length) break
      out.push({ type: this.#bytes[at] ?? 0, payload: this.#bytes.subarray(at + 5, end) })
      at = end
    }
    return out
  }

  /** `level/description` of the first alert in clear. */
  get alert(): string | undefined {
    const [level, description] = this.records.find(({ type, payload }) => type === ALERT && payload.length === 2)?.payload ?? []
    return level === undefined ? undefined : `${level}/${description}`
  }

  /** Handshake messages in clear so far. */
  get messages(): { readonly type: number; readonly body: Buffer }[] {
    const all = Buffer.concat(this.records.filter(({ type }) => type === HANDSHAKE).map(({ payload }) => payload))
    const out = []
    for (let at = 0; at + 4 <= all.length; ) {
      const end = at + 4 + all.readUIntBE(at + 1, 3)
      if (end > all.length) break
      out.push({ type: all[at] ?? 0, body: all.subarray(at + 4, end) })
      at = end
    }
    return out
  }

  get serverHello(): ServerHello | undefined {
    const message = this.messages.find(({ type }) => type === 2)
    return message === undefined ? undefined : parseServerHello(message.body)
  }

  /** Waits for what `what` says, or for the end. */
  async until(holds: () => boolean, what: string): Promise<void> {
    await until(() => this.ended || holds(), what)
  }

  send(bytes: Buffer): void {
    if (this.socket.writable) this.socket.write(bytes)
  }
}

/** A connection to that port of this machine; destroyed with the test. */
export async function wire(test: Test, port: number): Promise<Wire> {
  const socket = connect({ host: '127.0.0.1', port })
  test.teardown(() => socket.destroy())
  const made = new Wire(socket)
  await within(once(socket, 'connect'), 'a connection')
  return made
}

/** Sends a hello; returns the connection once there is a ServerHello, an alert or an end. */
export async function answerTo(test: Test, port: number, hello: Buffer): Promise<Wire> {
  const made = await wire(test, port)
  made.send(hello)
  await made.until(() => made.serverHello !== undefined || made.alert !== undefined, 'an answer')
  return made
}

function parseServerHello(body: Buffer): ServerHello {
  const random = body.subarray(2, 34)
  let at = 35 + (body[34] ?? 0)
  const suite = body.readUInt16BE(at)
  const compression = body[at + 2] ?? 0
  const extensions = new Map<number, Buffer>()
  for (at += 5; at + 4 <= body.length; at += 4 + body.readUInt16BE(at + 2)) extensions.set(body.readUInt16BE(at), body.subarray(at + 4, at + 4 + body.readUInt16BE(at + 2)))
  const version = extensions.get(43)?.readUInt16BE(0) ?? body.readUInt16BE(0)
  return { version, random, suite, compression, extensions, retry: random.equals(RETRY) }
}
