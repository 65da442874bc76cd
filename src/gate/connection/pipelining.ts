// The requests of one connection take turns, in the order they came; a few that are safe go side by side, and no others may
// (RFC 9112 section 9.3.2). Else one client that sends on without waiting would have its writes overtake each other, and
// would hold as many connections to an upstream as it sends requests.
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { containOn } from '../../door/arrival.ts'
import { isEnding } from '../deliver.ts'

/** Replies that are made at the same time on one connection. */
const SIDE_BY_SIDE = 8
/** Requests that may wait on one connection: more than any client sends that reads its replies. */
const WAITING_LIMIT = 500
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

interface Turns {
  /** Replies being made, the oldest first. */
  readonly current: ServerResponse[]
  /** What is to be done after them. */
  readonly waiting: Waiting[]
  /** What follows cannot be read: nothing more comes. */
  closed: boolean
}

interface Waiting {
  /** Undefined for what is to be said after the last reply. */
  readonly reply: ServerResponse | undefined
  readonly begin: () => void
}

const TURNS = Symbol('turns')
interface Carrying extends Socket { [TURNS]?: Turns }

/**
 * Calls `begin` when it is the turn of this reply's request, at once for most; never, where the connection ends before.
 * Returns false, and does nothing, where too many wait.
 */
export function takeTurn(reply: ServerResponse, begin: () => void): boolean {
  const turns = turnsOf(reply.req.socket)
  if (turns.waiting.length === 0 && mayStart(turns, reply)) start(turns, { reply, begin })
  else if (turns.waiting.length >= WAITING_LIMIT) return false
  else turns.waiting.push({ reply, begin })
  return true
}

/** The replies that are being made on a connection, the oldest first. */
export function currentReplies(socket: Socket): readonly ServerResponse[] {
  return turnsOf(socket).current
}

/**
 * What follows the requests so far cannot be read: `end` says so, after their replies. A request that it cut short is never
 * begun.
 */
export function endTurns(socket: Socket, end: () => void): void {
  const turns = turnsOf(socket)
  if (turns.closed) return
  turns.closed = true
  if (turns.waiting.at(-1)?.reply?.req.complete === false) turns.waiting.pop()
  turns.waiting.push({ reply: undefined, begin: end })
}

function turnsOf(socket: Carrying): Turns {
  return (socket[TURNS] ??= { current: [], waiting: [], closed: false })
}

function mayStart({ current }: Turns, reply: ServerResponse | undefined): boolean {
  return current.length === 0 || (current.length < SIDE_BY_SIDE && isSafe(reply) && isSafe(current[0]))
}

function isSafe(reply: ServerResponse | undefined): boolean {
  return SAFE.has(reply?.req.method ?? '')
}

function start(turns: Turns, { reply, begin }: Waiting): void {
  if (reply !== undefined) {
    turns.current.push(reply)
    reply.once('close', containOn(reply.req.socket, 'turns close', over))
  }
  begin()
}

/** `this` is the reply that was made. */
function over(this: ServerResponse): void {
  const { socket } = this.req
  const turns = turnsOf(socket)
  turns.current.splice(turns.current.indexOf(this), 1)
  // Where the connection has ended, or ends with this reply, nobody is there to be answered.
  for (let [next] = turns.waiting; next !== undefined && socket.writable && !isEnding(socket) && mayStart(turns, next.reply); [next] = turns.waiting) {
    turns.waiting.shift()
    start(turns, next)
  }
}
