// The requests of one connection take turns, in the order they came (RFC 9112 section 9.3.2: only safe ones may go side by
// side). Else one client that sends thousands without waiting would hold thousands of connections to an upstream.
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isEnding } from './deliver.ts'

const TURNS = Symbol('turns')
interface Turns {
  /** The reply that is being made. */
  current: ServerResponse | undefined
  /** What is to be done after it; undefined for the many connections on which nothing ever waits. */
  waiting: Waiting[] | undefined
  /** What follows cannot be read: nothing more comes. */
  closed: boolean
}

interface Waiting {
  /** Undefined for what is to be said after the last reply. */
  readonly reply: ServerResponse | undefined
  readonly begin: () => void
}

interface Carrying extends Socket { [TURNS]?: Turns }

/** Requests that may wait on one connection: more than any client sends that reads its replies. */
export const WAITING_LIMIT = 100

/** Calls `begin` when all earlier requests of the connection are answered, at once for most; not at all where it ends before. Gives false, and does nothing, where too many wait. */
export function takeTurn(reply: ServerResponse, begin: () => void): boolean {
  const turns = turnsOf(reply.req.socket)
  if (turns.current === undefined) {
    start(turns, reply)
    begin()
    return true
  }
  const waiting = (turns.waiting ??= [])
  if (waiting.length >= WAITING_LIMIT) return false
  waiting.push({ reply, begin })
  return true
}

/** The reply that is being made on a connection. */
export function currentReply(socket: Socket): ServerResponse | undefined {
  return turnsOf(socket).current
}

/** What follows the requests so far cannot be read: `end` says so, after their replies. A request that it cut short is never begun. */
export function endTurns(socket: Socket, end: () => void): void {
  const turns = turnsOf(socket)
  if (turns.closed) return
  turns.closed = true
  const waiting = (turns.waiting ??= [])
  if (waiting.at(-1)?.reply?.req.complete === false) waiting.pop()
  waiting.push({ reply: undefined, begin: end })
}

function turnsOf(socket: Carrying): Turns {
  return (socket[TURNS] ??= { current: undefined, waiting: undefined, closed: false })
}

function start(turns: Turns, reply: ServerResponse): void {
  turns.current = reply
  reply.once('close', over)
}

/** `this` is the reply that was made. */
function over(this: ServerResponse): void {
  const { socket } = this.req
  const turns = turnsOf(socket)
  turns.current = undefined
  const next = turns.waiting?.shift()
  // The connection has ended, or ends with this reply: nobody is there to be answered.
  if (next === undefined || !socket.writable || isEnding(socket)) return
  if (next.reply !== undefined) start(turns, next.reply)
  next.begin()
}
