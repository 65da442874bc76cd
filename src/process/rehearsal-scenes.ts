// What happens in the rehearsal (rehearsal.ts): each kind of request and each way in which one breaks, once.
import type { KeyObject } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { readingsOf } from '../sas/canonical-resource.ts'
import { readQuery } from '../sas/query.ts'
import { sign } from '../sas/signature.ts'
import { readSas } from '../sas/token.ts'
import { textOf } from '../sas/verify.ts'

/** What the scenes are played on. */
export interface Stage {
  /** Where the gate of the rehearsal listens. */
  readonly port: number
  /** Its certificate, PEM; it is its own authority. */
  readonly certificate: string
  /** The account's. */
  readonly key: KeyObject
}

export const DOMAIN = 'rehearsal.invalid'
export const ACCOUNT = 'rehearsal'
export const STORAGE_HOST = `${ACCOUNT}.blob.${DOMAIN}`
export const API_HOST = `api.${DOMAIN}`

const SMALL = Buffer.alloc(1024)
/** More than all buffers on the way take at once. */
const LARGE = Buffer.alloc(786_432)
const ANY_SIGNATURE = `${'A'.repeat(43)}=`

/** The upstream: reads what it is sent, and answers as storage does. */
export function standIn(request: IncomingMessage, reply: ServerResponse): void {
  const path = request.url ?? ''
  request.on('error', ignore)
  reply.on('error', ignore)
  request.resume()
  request.once('end', () => {
    const body = request.method === 'PUT' || request.method === 'DELETE' ? EMPTY : path.startsWith('/c/large') ? LARGE : SMALL
    const length = path.startsWith('/c/list') ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(body.length)]
    const fields = ['Content-Type', 'application/octet-stream', 'ETag', '"0x8D"', 'x-ms-request-id', 'rehearsal', 'x-ms-version', '2024-11-04', ...length]
    reply.writeHead(path.startsWith('/c/none') ? 404 : 200, fields)
    reply.end(request.method === 'HEAD' ? undefined : body)
  })
}

const EMPTY = Buffer.alloc(0)

/** In this order: what most clients do comes first. */
export const SCENES: readonly ((stage: Stage) => Promise<void>)[] = [keptConnection, sharedAccess, bulk, api, givenUp, unreadable, notTls, leftHandshake, olderClient, volume]

async function keptConnection(stage: Stage): Promise<void> {
  await over(stage, {}, async (socket) => {
    for (const path of ['/c/small', '/c/small', '/c/list', '/c/none']) await ask(socket, head('GET', path))
    await ask(socket, head('HEAD', '/c/small'))
    await ask(socket, `${head('PUT', '/c/small', 'Content-Length: 5')}hello`)
    await ask(socket, `${head('PUT', '/c/small', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`)
    await ask(socket, head('DELETE', '/c/small'))
  })
}

/** One that is verified and tightened, the same again, one that is not ours. */
async function sharedAccess(stage: Stage): Promise<void> {
  const terms = 'sv=2021-12-02&sr=b&sp=r&se=9999-01-01T00%3A00%3A00Z'
  const token = readSas(readQuery(`${terms}&sig=${encodeURIComponent(ANY_SIGNATURE)}`), 'blob')
  const [reading] = readingsOf(token, '/c/small', 'blob', ACCOUNT)
  if (reading === undefined) return
  const signature = sign(textOf(token, reading, { account: ACCOUNT, header: () => undefined }), stage.key)
  await over(stage, {}, async (socket) => {
    for (const sig of [signature, signature, ANY_SIGNATURE]) await ask(socket, head('GET', `/c/small?${terms}&sig=${encodeURIComponent(sig)}`))
  })
}

/** Both ways, each with a reader or writer that has to wait. */
async function bulk(stage: Stage): Promise<void> {
  await over(stage, {}, (socket) => sendAndRead(socket, head('GET', '/c/large', 'Connection: close')))
  await over(stage, {}, async (socket) => {
    socket.write(head('PUT', '/c/large', `Connection: close\r\nContent-Length: ${LARGE.length}`))
    await sendAndRead(socket, LARGE)
  })
}

async function api(stage: Stage): Promise<void> {
  await over(stage, { servername: API_HOST }, async (socket) => {
    await ask(socket, head('GET', '/small', '', API_HOST))
    await ask(socket, `${head('POST', '/small', 'Content-Length: 5', API_HOST)}hello`)
  })
}

/** An upload that ends before its end, and an upload and a download whose client is gone with the first word that it gets. */
async function givenUp(stage: Stage): Promise<void> {
  const length = `Content-Length: ${2 * LARGE.length}`
  await over(stage, {}, async (socket) => {
    socket.end(`${head('PUT', '/c/large', length)}part`)
    await closed(socket)
  })
  for (const text of [head('PUT', '/c/large', `${length}\r\nExpect: 100-continue`), head('GET', '/c/large')]) {
    await over(stage, {}, async (socket, connection) => {
      await ask(socket, text)
      connection.resetAndDestroy()
    })
  }
}

async function unreadable(stage: Stage): Promise<void> {
  await over(stage, {}, (socket) => ask(socket, head('GET', '/', '', 'nobody.invalid')))
  await over(stage, {}, (socket) => sendAndRead(socket, 'GET / HTTP/1.1\r\nno field\r\n\r\n'))
}

async function notTls({ port }: Stage): Promise<void> {
  const socket = dial(port)
  socket.write(head('GET', '/'))
  await closed(socket)
}

/** Enough for a hello to be answered. */
const MOMENT_MS = 2
/** The beginning of a record that would hold a hello. */
const HALF_A_HELLO = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])

/** Clients that are gone, politely or not, before a word, in the middle of their hello, and when the handshake has begun. */
async function leftHandshake({ port, certificate }: Stage): Promise<void> {
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    for (const said of [EMPTY, HALF_A_HELLO]) {
      const socket = dial(port)
      socket.once('connect', () => socket.write(said, () => socket[leave]()))
      await closed(socket)
    }
    const connection = dial(port)
    const socket = connectTls({ socket: connection, servername: STORAGE_HOST, ca: certificate })
    connection.once('connect', () => setTimeout(() => connection[leave](), MOMENT_MS))
    await closed(socket)
  }
}

/** TLS 1.2, and a session of 1.3 that is resumed. */
async function olderClient(stage: Stage): Promise<void> {
  await over(stage, { maxVersion: 'TLSv1.2' }, (socket) => ask(socket, head('GET', '/c/small')))
  let session: Buffer | undefined
  await over(stage, {}, async (socket) => {
    socket.on('session', (latest) => (session = latest))
    await ask(socket, head('GET', '/c/small'))
  })
  await over(stage, session === undefined ? {} : { session }, (socket) => ask(socket, head('GET', '/c/small')))
}

// Few connections, since each has both its ends and its upstream's in this process: a worker may have little room for files.
const VOLUME_CONNECTIONS = 4
const VOLUME_REQUESTS = 128

/**
 * Many small requests at a time. V8 compiles the functions of a request well only after some hundred calls, on the core that
 * serves: without this, a worker's first clients pay a second of it.
 */
async function volume(stage: Stage): Promise<void> {
  const request = head('GET', '/c/small')
  await Promise.all(Array.from({ length: VOLUME_CONNECTIONS }, () => over(stage, {}, async (socket) => {
    for (let i = 0; i < VOLUME_REQUESTS; i++) await ask(socket, request)
  })))
}

/** Opens a connection and TLS over it, does something with them, and ends them. Rejects where they do not come up. */
async function over({ port, certificate }: Stage, options: ConnectionOptions, act: (socket: TLSSocket, connection: Socket) => Promise<void>): Promise<void> {
  const connection = dial(port)
  const socket = connectTls({ socket: connection, servername: STORAGE_HOST, ca: certificate, ALPNProtocols: ['http/1.1'], ...options })
  try {
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject).once('close', reject))
    socket.on('error', ignore)
    await act(socket, connection)
  } finally {
    socket.destroy()
  }
}

/** A connection whose faults are told by its end: an 'error' without a listener would end the worker. */
function dial(port: number): Socket {
  return connectTcp({ host: '127.0.0.1', port }).on('error', ignore)
}

function head(method: string, path: string, field = '', host = STORAGE_HOST): string {
  const more = field === '' ? '' : `${field}\r\n`
  return `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\nx-ms-version: 2024-11-04\r\nAuthorization: SharedKey ${ACCOUNT}:${ANY_SIGNATURE}\r\n${more}\r\n`
}

/** Sends a request; resolves with the first bytes of its reply, which is small, or with the end of the connection. */
function ask(socket: Socket, request: string): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.removeListener('close', done)
      resolve()
    }
    socket.once('data', done)
    socket.once('close', done)
    socket.write(request)
  })
}

function sendAndRead(socket: Socket, bytes: Buffer | string): Promise<void> {
  socket.write(bytes)
  return closed(socket)
}

/** Reads until the connection has ended, however that comes. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', ignore)
    socket.once('close', () => resolve())
    socket.resume()
  })
}

function ignore(): void {
  // A scene that breaks off is one.
}
