// Watches how fast bodies move and how long upstreams take to answer: one timer for all requests, and memory only for
// those that last (contract section 3, minimumRate and upstreamTimeout; security.md D3, D4).
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connectionUnder } from '../../door/arrival.ts'
import { Refusal } from '../../refusal.ts'
import type { Roll } from '../../members.ts'
import type { Exchange } from '../../upstream/exchange.ts'
import { UpstreamFailure } from '../../upstream/failure.ts'
import { readKernelState } from '../../host/kernel-state.ts'
import type { Transaction } from '../transaction.ts'

export interface PaceOptions {
  /** Bytes a second over any WINDOW seconds. */
  readonly minimumRate: number
  /** Milliseconds from the request's last byte to the reply's first. */
  readonly upstreamTimeout: number
  /** Milliseconds that a connection to an upstream may take; the pool tells when that is over. */
  readonly connectTimeout: number
  readonly live: Roll<Transaction>
  readonly monotonic: () => number
  /** Ends a transaction whose client is too slow. */
  cut(transaction: Transaction, refusal: Refusal): void
}

const TICK_MS = 1000
/** A batch has to be whole within this time. */
const COLLECTING_MS = 30_000
/** A closer look costs as much as the system has connections; between two there is most of two ticks. */
const CLOSER_MS = 1500
/** Seconds. */
const WINDOW = 20

/** Time and bytes, a pair a tick, of the last WINDOW. */
type Samples = number[]

/** What has moved since the phase began. */
interface Track {
  readonly phase: Phase
  /** Bytes that the client sent, or that the kernel took for it. */
  readonly moved: Samples
  /** Bytes that the client's system acknowledged; only while the kernel takes none. */
  readonly acknowledged: Samples
}

type Phase = Exchange['state'] | 'collecting' | 'flushing'

/** Starts watching; returns the function that stops it. */
export function keepPace(options: PaceOptions): () => void {
  const keeper = new PaceKeeper(options)
  const timer = setInterval(() => keeper.look(), Math.min(TICK_MS, Math.max(50, options.upstreamTimeout / 4)))
  timer.unref()
  return () => clearInterval(timer)
}

class PaceKeeper {
  readonly #options: PaceOptions
  readonly #tracks = new WeakMap<Transaction, Track>()
  #reading = false
  #lookedAt = -Infinity

  constructor(options: PaceOptions) {
    this.#options = options
  }

  look(): void {
    const stuck: Transaction[] = []
    for (const transaction of this.#options.live.all()) if (this.#watch(transaction) === 'stuck') stuck.push(transaction)
    const now = this.#options.monotonic()
    if (stuck.length === 0 || this.#reading || now - this.#lookedAt < CLOSER_MS) return
    this.#lookedAt = now
    void this.#lookCloser(stuck)
  }

  /** Returns `stuck` where the kernel takes nothing for the client: whether the client takes it is to be seen there. */
  #watch(transaction: Transaction): 'stuck' | undefined {
    const { exchange, collected, reply } = transaction
    if (collected !== undefined) return this.#watchCollecting(transaction, collected)
    if (exchange === undefined || exchange.state === 'over') return reply.writableEnded ? this.#watchReader(transaction, 'flushing') : undefined
    if (exchange.state === 'sent' || exchange.state === 'waiting') return awaitReply(transaction, exchange, this.#options)
    if (exchange.state === 'sending') return this.#watchBody(transaction, 'sending', exchange.received)
    return this.#watchReader(transaction, exchange.state)
  }

  /** What is held whole has a total time beside the rate of every body: each second of it costs memory (contract section 4). */
  #watchCollecting(transaction: Transaction, collected: number): undefined {
    if (this.#options.monotonic() - transaction.startedAt >= COLLECTING_MS) this.#tooSlow(transaction)
    else this.#watchBody(transaction, 'collecting', collected)
  }

  #watchBody(transaction: Transaction, phase: Phase, moved: number): undefined {
    const { moved: samples } = this.#trackOf(transaction, phase)
    this.#sample(samples, moved)
    if (this.#isSlow(samples)) this.#tooSlow(transaction)
  }

  #watchReader(transaction: Transaction, phase: Phase): 'stuck' | undefined {
    const { reply } = transaction
    // Behind the reply to an earlier request: that one is watched.
    if (reply.socket === null || reply.writableFinished) return undefined
    const { moved, acknowledged } = this.#trackOf(transaction, phase)
    this.#sample(moved, progress(transaction))
    if (!isWaitedFor(transaction)) {
      if (this.#isSlow(moved)) this.#tooSlow(transaction)
      return undefined
    }
    const [before = 0, last = 0] = [moved.at(-3), moved.at(-1)]
    if (last - before < this.#options.minimumRate) return 'stuck'
    if (!this.#isSlow(moved)) acknowledged.length = 0
    return undefined
  }

  async #lookCloser(stuck: readonly Transaction[]): Promise<void> {
    this.#reading = true
    const sockets = stuck.map(rawSocket)
    const states = await readKernelState(sockets.filter((socket) => socket !== undefined))
    this.#reading = false
    for (const [i, transaction] of stuck.entries()) {
      const socket = sockets[i]
      const track = this.#tracks.get(transaction)
      // Gone, or in another phase by now.
      if (socket === undefined || track === undefined || transaction.place < 0 || !isWaitedFor(transaction)) continue
      const held = states.get(socket)?.unacknowledged
      if (held !== undefined) this.#sample(track.acknowledged, progress(transaction) - held)
      if (this.#isSlow(track.moved) && (held === undefined || this.#isSlow(track.acknowledged, largestStep(track.acknowledged)))) this.#tooSlow(transaction)
    }
  }

  /** The side that is waited for is the one at fault. */
  #tooSlow(transaction: Transaction): void {
    const { exchange } = transaction
    if (exchange === undefined || isWaitedFor(transaction)) this.#options.cut(transaction, new Refusal('body-too-slow'))
    else if (!transaction.eventStream) exchange.fail(new UpstreamFailure('timeout', 'BODY_TOO_SLOW'))
  }

  #sample(samples: Samples, bytes: number): void {
    const now = this.#options.monotonic()
    samples.push(now, bytes)
    while (samples.length > 4 && now - (samples[2] ?? now) >= WINDOW * 1000) samples.splice(0, 2)
  }

  /** Returns whether less than the minimum moved over the last WINDOW; `slack` is what may have moved unseen, in bytes. */
  #isSlow(samples: Samples, slack = 0): boolean {
    const [since = 0, before = 0] = samples
    const [now = 0, moved = 0] = samples.slice(-2)
    return now - since >= WINDOW * 1000 && moved - before + slack < this.#options.minimumRate * WINDOW
  }

  #trackOf(transaction: Transaction, phase: Phase): Track {
    let track = this.#tracks.get(transaction)
    if (track?.phase !== phase) this.#tracks.set(transaction, (track = { phase, moved: [], acknowledged: [] }))
    return track
  }
}

/** Who made no step for so long, in ms, has stopped: what the kernels took at first is none. */
const STEP_WITHIN_MS = 16_000

/**
 * What a system acknowledges moves in steps: it opens its window only when a good part of its buffer is free again (RFC 9293
 * section 3.8.6.2.2). A reader that still makes steps may have taken nearly one more than can be seen from here.
 * Returns the largest step in bytes; 0 for a reader that has stopped.
 */
export function largestStep(samples: Samples): number {
  const now = samples.at(-2) ?? 0
  let [largest, last] = [0, -Infinity]
  for (let i = 3; i < samples.length; i += 2) {
    const step = (samples[i] ?? 0) - (samples[i - 2] ?? 0)
    if (step > 0) last = samples[i - 1] ?? 0
    largest = Math.max(largest, step)
  }
  return now - last <= STEP_WITHIN_MS ? largest : 0
}

/** Until there is a connection, its own time runs first: an upstream that cannot be reached is not one that is silent. */
function awaitReply(transaction: Transaction, exchange: Exchange, options: PaceOptions): undefined {
  const { upstreamTimeout, connectTimeout, monotonic } = options
  const [since, limit] = exchange.state === 'sent' ? [exchange.sentAt, upstreamTimeout] : [transaction.forwardedAt, connectTimeout + upstreamTimeout]
  if (monotonic() - since >= limit) exchange.fail(new UpstreamFailure('timeout', 'NO_REPLY'))
}

/** Returns whether it is the client that is waited for: to send its body, or to read the reply. */
function isWaitedFor({ exchange, reply }: Transaction): boolean {
  if (exchange === undefined || exchange.state === 'over') return true
  const sending = !exchange.bodyDone && !exchange.bodyHeld
  return exchange.state === 'replying' ? reply.writableNeedDrain || sending : sending
}

interface Queued { readonly _handle?: { readonly writeQueueSize?: number } | null }

function rawSocket(transaction: Transaction): (Socket & Queued) | undefined {
  return connectionUnder(transaction.request.socket as TLSSocket)
}

/**
 * Bytes of the connection that the kernel has taken, since what waits in our memory has not moved; and of a body that still goes
 * up, which an early reply may be waiting for.
 */
function progress(transaction: Transaction): number {
  const raw = rawSocket(transaction)
  const delivered = raw === undefined ? transaction.sent : raw.bytesWritten - (raw._handle?.writeQueueSize ?? 0)
  return delivered + (transaction.exchange?.received ?? 0)
}
