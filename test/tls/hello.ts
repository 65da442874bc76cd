// ClientHellos for tests: recorded from real clients at run time, or written by hand to the byte.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { connect, type ConnectionOptions, type Server } from 'node:tls'
import { readClientHello, type ClientHello } from '../../src/tls/client-hello.ts'

export const opensslMissing = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is missing'

const u8 = (value: number): Buffer => Buffer.from([value])
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])
const vector8 = (...parts: Buffer[]): Buffer => lengthFirst(1, parts)
export const vector16 = (...parts: Buffer[]): Buffer => lengthFirst(2, parts)

function lengthFirst(size: 1 | 2 | 3, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length = Buffer.alloc(size)
  length.writeUIntBE(body.length, 0, size)
  return Buffer.concat([length, body])
}

export const numbers = (...values: number[]): Buffer => Buffer.concat(values.map(u16))

/** A hello as a test wishes it; whatever is left out is not in it. */
export interface HelloWish {
  readonly legacyVersion?: number
  readonly suites?: readonly number[]
  readonly compressions?: readonly number[]
  readonly serverName?: string
  readonly groups?: readonly number[]
  readonly versions?: readonly number[]
  /** Ids of groups; the shares themselves are of `shareBytes` bytes each. */
  readonly keyShares?: readonly number[] | undefined
  readonly shareBytes?: number
  readonly signatures?: readonly number[] | undefined
  readonly alpn?: readonly string[]
  readonly extensions?: readonly (readonly [type: number, data: Buffer])[]
  /** Leaves out the extensions with their length. */
  readonly bare?: boolean
}

/** The handshake message of a hello. */
export function helloMessage(wish: HelloWish = {}): Buffer {
  const extensions = wish.bare === true ? [] : [vector16(...extensionsOf(wish).map(([type, data]) => Buffer.concat([u16(type), vector16(data)])))]
  const body = Buffer.concat([
    u16(wish.legacyVersion ?? 0x0303), Buffer.alloc(32, 7), vector8(Buffer.alloc(32, 9)), vector16(numbers(...(wish.suites ?? [0x1301]))), vector8(Buffer.from(wish.compressions ?? [0])), ...extensions,
  ])
  return Buffer.concat([u8(1), lengthFirst(3, [body])])
}

function extensionsOf(wish: HelloWish): (readonly [number, Buffer])[] {
  const out: (readonly [number, Buffer])[] = []
  if (wish.serverName !== undefined) out.push([0, vector16(u8(0), vector16(Buffer.from(wish.serverName, 'latin1')))])
  if (wish.groups !== undefined) out.push([10, vector16(numbers(...wish.groups))])
  if (wish.signatures !== undefined) out.push([13, vector16(numbers(...wish.signatures))])
  if (wish.alpn !== undefined) out.push([16, vector16(...wish.alpn.map((name) => vector8(Buffer.from(name))))])
  if (wish.versions !== undefined) out.push([43, vector8(numbers(...wish.versions))])
  if (wish.keyShares !== undefined) out.push([51, vector16(...wish.keyShares.flatMap((group) => [u16(group), vector16(Buffer.alloc(wish.shareBytes ?? 32, 5))]))])
  return [...out, ...(wish.extensions ?? [])]
}

/** Puts a message into records of at most `size` bytes of payload. */
export function records(message: Buffer, size = 16384, version = 0x0301): Buffer {
  const out: Buffer[] = []
  for (let at = 0; at < message.length; at += size) out.push(u8(22), u16(version), vector16(message.subarray(at, at + size)))
  return Buffer.concat(out)
}

export const hello = (wish: HelloWish = {}): Buffer => records(helloMessage(wish))

/** A handshake message of TLS 1.2 in a record of its own. */
export const handshakeRecord = (type: number, body: Buffer): Buffer => records(Buffer.concat([u8(type), lengthFirst(3, [body])]), 16_384, 0x0303)

/** The payload of all handshake records in `bytes`. */
export function payload(bytes: Buffer): Buffer {
  const out: Buffer[] = []
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) out.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)))
  return Buffer.concat(out)
}

/** What a client's first flight is, up to the end of the hello's records. */
async function recorded(start: (port: number) => () => void): Promise<Buffer> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = start((server.address() as AddressInfo).port)
  const [socket] = await once(server, 'connection') as [Socket]
  socket.on('error', () => undefined)
  let bytes = Buffer.alloc(0)
  while (!isWhole(bytes)) bytes = Buffer.concat([bytes, ...(await once(socket, 'data') as Buffer[])])
  socket.destroy()
  stop()
  server.close()
  return bytes
}

function isWhole(bytes: Buffer): boolean {
  const message = payload(bytes)
  return message.length >= 4 && message.length >= 4 + message.readUIntBE(1, 3)
}

/** The hello of node:tls with these options. */
export function recordNode(options: ConnectionOptions): Promise<Buffer> {
  return recorded((port) => {
    const socket = connect({ host: '127.0.0.1', port, ...options })
    socket.on('error', () => undefined)
    return () => socket.destroy()
  })
}

/** The hello of `openssl s_client` with these arguments. */
export function recordOpenssl(...args: string[]): Promise<Buffer> {
  return recorded((port) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { stdio: 'ignore' })
    return () => child.kill()
  })
}

/** Reads the hello of each connection before a TLS server does, as the front door does; undefined where it cannot be read. */
export function eachHello(server: Server, note: (socket: Socket, read: ClientHello | undefined) => void): void {
  const [toTls] = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined)
    socket.once('readable', () => {
      const bytes = (socket.read() ?? Buffer.alloc(0)) as Buffer
      const read = readClientHello(bytes)
      note(socket, typeof read === 'string' ? undefined : read)
      socket.unshift(bytes)
      toTls?.call(server, socket)
    })
  })
}
