// Connections that end otherwise than with a reply in its turn: what Node's parser could not read, or did not get in time, more
// requests than anybody sends, methods that take the connection over.
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { arrivalOf } from '../../door/arrival.ts'
import { Refusal } from '../../refusal.ts'
import { serviceOf, type Snapshot } from '../admit.ts'
import { isEnding, lingerAtEnd } from '../deliver.ts'
import { refuseRaw } from './raw-reply.ts'
import { transactionOf, type Transaction, type TransactionContext } from '../transaction.ts'
import { currentReplies, endTurns } from './pipelining.ts'

export interface EndingOptions {
  readonly context: TransactionContext
  readonly snapshot: () => Snapshot
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  /** Tells of the refusal of a request. */
  readonly deliver: (transaction: Transaction, refusal: Refusal) => void
}

export class Endings {
  readonly #options: EndingOptions

  constructor(options: EndingOptions) {
    this.#options = options
  }

  /** Handles an error of Node's parser or of its timers. Node repeats it for all that still comes on the connection. */
  unparsable(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    if (socket.destroyed || error.code === 'ECONNRESET' || arrivalOf(socket)?.tlsVersion === '') {
      socket.destroy()
      return
    }
    // What follows a request that was to be the last is ignored. Node has noticed the end itself, but for one that stands in a trailer.
    if (error.code === 'HPE_CLOSED_CONNECTION') return endAfterReplies(socket)
    const refusal = new Refusal(UNPARSABLE.get(error.code ?? '') ?? 'http-malformed', { code: error.code ?? null })
    const latest = currentReplies(socket).at(-1)
    if (latest === undefined || latest.req.complete) this.endWith(socket, refusal, '')
    // The body broke off into something that is not HTTP while the request was being carried.
    else this.breakOff(latest, refusal)
  }

  /** Ends a connection with a refusal, after the replies to what came before. */
  endWith(socket: TLSSocket, refusal: Refusal, method: string): void {
    if (currentReplies(socket).length === 0) this.refuseSocket(socket, refusal, method)
    else endTurns(socket, () => this.refuseSocket(socket, refusal, method))
  }

  /** More requests behind one another than anybody sends: the one whose reply is next pays for it. */
  overwhelmed(socket: Socket): void {
    const [reply] = currentReplies(socket)
    if (reply !== undefined) this.breakOff(reply, new Refusal('overloaded', { why: 'pipelined' }))
  }

  /** Ends a request that is being carried. */
  breakOff(reply: ServerResponse, refusal: Refusal): void {
    const transaction = transactionOf(reply.req)
    if (transaction === undefined) return
    transaction.exchange?.abort()
    this.#options.deliver(transaction, refusal)
  }

  /** Ends a connection with a refusal at once. */
  refuseSocket(socket: TLSSocket, refusal: Refusal, method: string): void {
    if (isEnding(socket)) return
    const { context, snapshot, wallClock } = this.#options
    const arrival = arrivalOf(socket)
    const service = serviceOf(undefined, arrival?.offer?.serverName, snapshot().sites)
    refuseRaw(socket, refusal, { service, method, arrival, context, now: wallClock() })
  }
}

const UNPARSABLE = new Map([
  ['HPE_HEADER_OVERFLOW', 'headers-too-large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'headers-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'headers-timeout'],
] as const) as ReadonlyMap<string, 'headers-too-large' | 'headers-timeout'>

function endAfterReplies(socket: TLSSocket): void {
  const end = (): void => {
    if (isEnding(socket)) return
    lingerAtEnd(socket)
    socket.destroySoon()
  }
  if (currentReplies(socket).length === 0) end()
  else endTurns(socket, end)
}
