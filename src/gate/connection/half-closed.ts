// Clients that have sent close_notify while replies are owed to them. In TLS that ends one direction only (RFC 8446 section 6.1):
// who still reads gets the replies. Most have left, though, and Node says the same of both; the kernel knows whether a FIN came.
import type { Server, TLSSocket } from 'node:tls'
import { connectionUnder, containOn } from '../../door/arrival.ts'
import { readKernelState } from '../../host/kernel-state.ts'
import { currentReplies } from './pipelining.ts'

/** The first look, for all that came since; one look costs as much as the system has connections. */
const SOON_MS = 100
const AGAIN_MS = 1000

/** Has an https server give replies that are owed after the end of what the client sends. */
export function answerHalfClosed(server: Server): void {
  // Node's own name for it, not in its types.
  Object.assign(server, { httpAllowHalfOpen: true })
  const halfClosed = new HalfClosed()
  server.on('secureConnection', (socket: TLSSocket) => {
    containOn(socket, 'half-closed secureConnection', () => {
      socket.allowHalfOpen = true
      socket.once('end', containOn(socket, 'half-closed end', () => {
        if (currentReplies(socket).length > 0) halfClosed.watch(socket)
      }))
    })()
  })
}

/** Keeps connections open whose clients still read, and ends those whose clients have left. */
class HalfClosed {
  readonly #sockets = new Set<TLSSocket>()
  #timer: NodeJS.Timeout | undefined
  #soon = false

  /** What the client sends has ended, and replies are owed: watches the connection until it closes. */
  watch(socket: TLSSocket): void {
    this.#sockets.add(socket)
    socket.once('close', containOn(socket, 'half-closed close', () => this.#sockets.delete(socket)))
    if (!this.#soon) this.#lookIn(SOON_MS)
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer)
    this.#soon = ms === SOON_MS
    this.#timer = setTimeout(() => void this.#look(), ms)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    this.#soon = false
    const pairs = [...this.#sockets].map((socket) => ({ socket, raw: connectionUnder(socket) }))
    const states = await readKernelState(pairs.flatMap(({ raw }) => (raw === undefined ? [] : [raw])))
    for (const { socket, raw } of pairs) if (raw === undefined || states.get(raw)?.established !== true) socket.destroy()
    if (this.#sockets.size > 0 && !this.#soon) this.#lookIn(AGAIN_MS)
  }
}
