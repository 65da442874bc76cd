// The last word to a client that spoke plain HTTP: a reply that its SDK understands, never a redirect, then the end
// (contract section 5). Nothing of the request goes anywhere.
import type { Socket } from 'node:net'
import { containOn } from './arrival.ts'
import { errorReply, replyBytes } from '../azure/error-reply.ts'
import type { ServiceName } from '../azure/services.ts'
import { Refusal } from '../refusal.ts'

export interface PlaintextOptions {
  /** Which storage name of ours a host is, if any: decides the shape of the reply. */
  storageName(host: string): { service: ServiceName; account: string } | undefined
  readonly requestId: () => string
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
}

/** What of a plain request decides the reply. */
export interface PlainHead {
  readonly method: string
  readonly host: string | undefined
}

/** A plain request's head is read this far to learn its Host, no further. */
const PLAIN_HEAD_LIMIT = 16384
// So that the reply is not lost to a reset, what still comes is read and dropped, up to these bounds.
const LINGER_BYTES = 8 * 1024 * 1024
const LINGER_MS = 2000

/** Reads method and Host from what came so far; undefined while the head is not whole. */
export function readPlainHead(bytes: Buffer): PlainHead | undefined {
  // Asked with every packet, which may hold one byte: the search must cost next to nothing.
  if (bytes.length < PLAIN_HEAD_LIMIT && !bytes.includes('\n\r\n') && !bytes.includes('\n\n')) return undefined
  return plainHead(bytes.toString('latin1', 0, PLAIN_HEAD_LIMIT))
}

/** The same from a head that will not become whole. */
export function plainHead(text: string): PlainHead {
  // The blanks around it are not the expression's to find: it would try every way to share them out.
  const host = /^host:([^\r\n]*)/im.exec(text)
  return { method: /^[A-Z-]+/.exec(text)?.[0] ?? '', host: host?.[1]?.trim() }
}

/** Writes the 400 and ends the connection. Returns the refusal, for the recorder. */
export function refusePlaintext(socket: Socket, head: PlainHead, options: PlaintextOptions): Refusal {
  const name = head.host === undefined ? undefined : options.storageName(head.host)
  const refusal = new Refusal('plaintext-http', {}, name === undefined ? {} : { AccountName: name.account })
  const reply = errorReply(refusal, {
    service: name?.service ?? 'blob',
    requestId: options.requestId(),
    version: undefined,
    clientRequestId: undefined,
    now: options.wallClock(),
    head: head.method === 'HEAD',
  })
  socket.end(replyBytes(reply))
  linger(socket)
  return refusal
}

function linger(socket: Socket): void {
  let left = LINGER_BYTES
  socket.on('data', containOn(socket, 'plaintext data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  }))
  socket.on('end', () => socket.destroy())
  // A total, not an idle time: a client that drips must not keep the connection.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}
