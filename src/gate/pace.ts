// Watches how fast bodies move and how long upstreams take to answer: one timer for all requests, and memory only for
// those that last (contract section 3, minimumRate and upstreamTimeout; security.md D3, D4).
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connectionUnder } from '../door/arrival.ts'
import { Refusal } from '../refusal.ts'
import type { Roll } from '../roll.ts'
import type { Exchange } from '../upstream/exchange.ts'
import { UpstreamFailure } from '../upstream/failure.ts'
import type { Transaction } from './transaction.ts'

export interface PaceOptions {
  /** Bytes a second over any WINDOW seconds. */
  readonly minimumRate: number
  /** Milliseconds from the request's last byte to the reply's first. */
  readonly upstreamTimeout: number
  readonly live: Roll<Transaction>
  readonly monotonic: () => number
  /** Ends a transaction whose client is too slow. */
  cut(transaction: Transaction, refusal: Refusal): void
}

const TICK_MS = 1000
/** Seconds. */
const WINDOW = 20

/** What has moved, a sample a tick, since the phase began. */
interface Track {
  state: Exchange['state']
  readonly samples: number[]
}

/** Starts watching; gives the function that stops it. */
export function keepPace(options: PaceOptions): () => void {
  const tracks = new WeakMap<Transaction, Track>()
  const timer = setInterval(() => {
    for (const transaction of options.live.all()) watch(transaction, tracks, options)
  }, Math.min(TICK_MS, Math.max(50, options.upstreamTimeout / 4)))
  timer.unref()
  return () => clearInterval(timer)
}

function watch(transaction: Transaction, tracks: WeakMap<Transaction, Track>, options: PaceOptions): void {
  const { exchange, collected } = transaction
  if (collected !== undefined) return watchCollecting(transaction, collected, tracks, options)
  if (exchange === undefined || exchange.state === 'over') return
  if (exchange.state === 'sent' || exchange.state === 'waiting') return awaitReply(transaction, exchange, options)
  const moved = exchange.state === 'sending' ? exchange.received : delivered(transaction)
  if (isSlow(trackOf(transaction, exchange.state, tracks), moved, options)) tooSlow(transaction, exchange, options)
}

function watchCollecting(transaction: Transaction, collected: number, tracks: WeakMap<Transaction, Track>, options: PaceOptions): void {
  if (isSlow(trackOf(transaction, 'waiting', tracks), collected, options)) options.cut(transaction, new Refusal('body-too-slow'))
}

/** Adds a sample; whether less than the minimum moved over the last WINDOW. */
function isSlow({ samples }: Track, moved: number, options: PaceOptions): boolean {
  const now = options.monotonic()
  samples.push(now, moved)
  while (samples.length > 4 && now - (samples[2] as number) >= WINDOW * 1000) samples.splice(0, 2)
  const [since = now, before = moved] = samples
  return now - since >= WINDOW * 1000 && moved - before < options.minimumRate * WINDOW
}

function awaitReply(transaction: Transaction, exchange: Exchange, options: PaceOptions): void {
  const since = exchange.state === 'sent' ? exchange.sentAt : transaction.forwardedAt
  if (options.monotonic() - since < options.upstreamTimeout) return
  exchange.fail(new UpstreamFailure('timeout', 'NO_REPLY'))
}

function trackOf(transaction: Transaction, state: Exchange['state'], tracks: WeakMap<Transaction, Track>): Track {
  let track = tracks.get(transaction)
  if (track === undefined || track.state !== state) tracks.set(transaction, (track = { state, samples: [] }))
  return track
}

/** The side that is waited for is the one at fault. */
function tooSlow(transaction: Transaction, exchange: Exchange, options: PaceOptions): void {
  const clientIsSlow = exchange.state === 'replying' ? transaction.reply.writableNeedDrain : !exchange.bodyHeld
  if (clientIsSlow) options.cut(transaction, new Refusal('body-too-slow'))
  else if (!transaction.eventStream) exchange.fail(new UpstreamFailure('timeout', 'BODY_TOO_SLOW'))
}

interface Queued { readonly _handle?: { readonly writeQueueSize?: number } | null }

/** Bytes of the connection that the kernel has taken: what waits in our memory has not moved. */
function delivered(transaction: Transaction): number {
  const raw: (Socket & Queued) | undefined = connectionUnder(transaction.request.socket as TLSSocket)
  if (raw === undefined) return transaction.sent
  return raw.bytesWritten - (raw._handle?.writeQueueSize ?? 0)
}
