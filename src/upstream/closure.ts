// Tells whether an upstream ended its stream by close_notify, or whether the connection ended under it: anybody on
// the wire can do the latter (RFC 8446 section 6.1, RFC 9112 section 9.8). Node ends a stream the same way for both; this is the
// one file that knows where its private handles show the difference. Pinned by test/upstream/closure.test.ts.
import type { Socket } from 'node:net'

interface Handle {
  /** Called with each piece of what was decrypted, and with nothing at the end. */
  onread: (this: Handle, piece?: ArrayBuffer) => unknown
  /** The connection under TLS, whose bytes are still encrypted; undefined without TLS. */
  readonly _parent?: { readonly bytesRead: number }
}

/**
 * Watches the end of a stream from here on. Returns a function that says, once the stream has ended, whether it was said to: by
 * an alert that came after the last piece, or in one turn with it. Without TLS there is no such word, and every end counts.
 */
export function watchClosure(socket: Socket): () => boolean {
  const handle = (socket as unknown as { _handle?: Handle | null })._handle
  const under = handle?._parent
  // Ended already: in one turn with the head, since each turn's pieces are read before the next turn begins.
  if (handle === null || handle === undefined || under === undefined) return () => true
  const { onread } = handle
  let said = true
  let before = under.bytesRead
  let sameTurn = true
  const nextTurn = (): void => void setImmediate(() => (sameTurn = false))
  nextTurn()
  handle.onread = function (piece) {
    if (piece === undefined) said = sameTurn || under.bytesRead > before
    before = under.bytesRead
    if (!sameTurn) nextTurn()
    sameTurn = true
    return onread.call(this, piece)
  }
  return () => said
}
