// The only writer of our own replies: from a Refusal to bytes, in the shape that the client's kind expects, and the end
// of the connection where going on would be unsafe (contract section 5).
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { errorReply } from '../azure/error-reply.ts'
import type { ServiceName } from '../azure/services.ts'
import { connectionUnder, containOn } from '../door/arrival.ts'
import type { Refusal } from '../refusal.ts'
import { fieldValue } from './headers.ts'
import type { Transaction } from './transaction.ts'

/** A body's rest up to this size is read and dropped, so that the connection can go on. */
const REST_LIMIT = 65536
const REST_MS = 20_000
const LINGER_MS = 2000

/** Tells the client of a refusal. Does nothing where the reply has begun: it is broken off then. */
export function deliverRefusal(transaction: Transaction, refusal: Refusal, service: ServiceName | undefined, now: number): void {
  const { request, reply } = transaction
  // A client that has left is told nothing, and nothing was refused to it.
  if (reply.destroyed) return
  // Told whole already: what is wrong behind a reply ends the connection, not the reply.
  if (reply.writableEnded && refusal.status !== null) return endBehind(reply, request.socket)
  transaction.refused(refusal)
  if (refusal.status === null || reply.headersSent) {
    breakOff(reply)
    return
  }
  const answer = errorReply(refusal, {
    service,
    requestId: transaction.requestId,
    version: fieldValue(request.rawHeaders, 'x-ms-version') ?? versionIn(transaction.target),
    clientRequestId: fieldValue(request.rawHeaders, 'x-ms-client-request-id'),
    now,
    head: request.method === 'HEAD',
  })
  const close = refusal.row.closes || !restIsShort(transaction)
  const headers = close ? [...answer.headers, 'Connection', 'close'] : [...answer.headers]
  if (close) lingerAtEnd(request.socket)
  transaction.sent += Buffer.byteLength(answer.body)
  reply.writeHead(answer.status, answer.reasonPhrase, headers)
  reply.end(answer.body)
  if (!request.complete) dropRest(request)
}

function endBehind(reply: ServerResponse, socket: Socket): void {
  lingerAtEnd(socket)
  if (reply.writableFinished) socket.destroySoon()
  else reply.once('finish', containOn(socket, 'deliver finish', () => socket.destroySoon()))
}

/** By a reset, once the reply has begun: where its end is that of the connection, a plain end would vouch for it. */
function breakOff(reply: ServerResponse): void {
  if (reply.headersSent && reply.socket !== null) connectionUnder(reply.socket as TLSSocket)?.resetAndDestroy()
  reply.destroy()
}

/** The version that a request asks for in its query: `api-version`, else that of its SAS (spec/sas.md 15.1). */
function versionIn(target: string): string | undefined {
  return (/[?&]api-version=([\d-]{10})(?:&|$)/.exec(target) ?? /[?&]sv=([\d-]{10})(?:&|$)/.exec(target))?.[1]
}

/** Reads the rest of a body and drops it, within the time that a slow body gets. */
export function dropRest(request: IncomingMessage): void {
  request.resume()
  // A request without a body is complete as soon as the parser has gone on: there is nothing to wait for.
  setImmediate(() => {
    if (!request.complete) endLateRest(request)
  })
}

/** The timer goes with the request and with its connection: it would hold both, and what was read of the body. */
function endLateRest(request: IncomingMessage): void {
  const { socket } = request
  const over = containOn(socket, 'deliver close', () => {
    clearTimeout(timer)
    request.removeListener('close', over)
    socket.removeListener('close', over)
  })
  const timer = setTimeout(() => socket.destroy(), REST_MS)
  timer.unref()
  request.once('close', over)
  socket.once('close', over)
  if (socket.destroyed) over()
}

/**
 * Returns whether what is left of the request's body ends soon, so that it can be read and dropped. A client that waits for
 * 100 Continue may send its body or not: only closing is safe.
 */
export function restIsShort(transaction: Transaction): boolean {
  const { request, fields } = transaction
  if (request.complete) return true
  if (transaction.awaitsContinue || fields === undefined || fields.chunked) return false
  const left = (fields.contentLength ?? 0) - (transaction.exchange?.received ?? 0)
  return left <= REST_LIMIT
}

/**
 * Makes the end of a connection gentle: after the reply what still comes is read and dropped for a while, since closing
 * with unread bytes makes the kernel reset the connection, and the reply could be lost with it.
 */
export function lingerAtEnd(socket: Socket): void {
  socket.destroySoon = lingering
}

/** Returns whether the end of a connection was settled so: what still comes on it is not to be carried. */
export function isEnding(socket: Socket): boolean {
  return socket.destroySoon === lingering
}

function lingering(this: Socket): void {
  // Asked for more than once: by whoever refuses, and by Node behind the last reply.
  if (this.destroyed || this.writableEnded) return
  this.end()
  setTimeout(() => this.destroy(), LINGER_MS).unref()
  this.once('end', () => this.destroy())
  this.resume()
}
