// Sends requests through a real pool and collects what its handler is told.
import type { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import { createTrafficMetrics } from '../../src/observe/metrics.ts'
import { Recorder, type UpstreamNumbers } from '../../src/observe/recorder.ts'
import { clientOptions } from '../../src/tls/policy.ts'
import type { Exchange } from '../../src/upstream/exchange.ts'
import type { UpstreamFailure } from '../../src/upstream/failure.ts'
import { UpstreamPool, type PoolOptions } from '../../src/upstream/pool.ts'
import type { ResponseHead } from '../../src/upstream/response-head.ts'
import type { Realm } from '../support/realm.ts'
import { within } from '../support/until.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined, line: () => undefined }

export function newNumbers(): UpstreamNumbers {
  return new Recorder(createTrafficMetrics(), quiet, () => 0).upstreamNumbers('tideoffice.blob')
}

export interface TestPool {
  readonly pool: UpstreamPool
  readonly numbers: UpstreamNumbers
  /** Monotonic milliseconds, as the pool sees them; a test moves them on. */
  readonly clock: { now: number }
  /** How many connections there are. */
  readonly sockets: { value: number }
}

/** A pool to a local port: plain, or over verified TLS to `serverName`. Gone with the test. */
export function openPool(t: Test, port: number, options: Partial<PoolOptions> & { readonly realm?: Realm } = {}): TestPool {
  const { realm, ...more } = options
  const clock = { now: 1000 }
  const sockets = { value: 0 }
  const numbers = newNumbers()
  const secureContext = realm === undefined ? undefined : createSecureContext({ ...clientOptions(), ca: realm.authority.pem })
  const pool = new UpstreamPool({
    name: 'tideoffice.blob', host: '127.0.0.1', port, serverName: '127.0.0.1', secureContext, connectTimeout: 20_000, maxConnections: 100, numbers, monotonic: () => clock.now, sockets, broken: (error) => t.fail('a handler threw', { error: String(error) }), ...more,
  })
  t.teardown(() => pool.destroy())
  return { pool, numbers, clock, sockets }
}

export interface Wish {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly string[]
  readonly body?: Readable
  /** With a length when it is given, in chunks otherwise. */
  readonly length?: number
  /** Called with each piece; false pauses. */
  readonly onData?: (chunk: Buffer) => boolean
  readonly onHead?: (head: ResponseHead) => void
}

/** What became of one exchange. */
export class Outcome {
  exchange: Exchange | undefined
  head: ResponseHead | undefined
  failure: UpstreamFailure | undefined
  /** The events in their order. */
  readonly events: string[] = []
  readonly chunks: Buffer[] = []
  readonly #over = Promise.withResolvers<this>()

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }

  get bytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0)
  }

  /** Resolves at the reply's end or its failure, and when the pool has its connection back. */
  get over(): Promise<this> {
    return within(this.#over.promise.then(async (it) => {
      // A connection cools for a turn of the event loop.
      await setImmediate()
      return await setImmediate(it)
    }), 'the end of an exchange')
  }

  finish(): void {
    this.#over.resolve(this)
  }
}

export function send(pool: UpstreamPool, wish: Wish = {}): Outcome {
  const { method = 'GET', path = '/', headers = [], body } = wish
  const outcome = new Outcome()
  const framing = body === undefined ? [] : [wish.length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${wish.length}`]
  const head = [`${method} ${path} HTTP/1.1`, 'Host: far.example', ...headers, ...framing, '', ''].join('\r\n')
  outcome.exchange = pool.send({ method, head, body, chunked: body !== undefined && wish.length === undefined }, {
    onHead: (it) => {
      outcome.events.push(`head ${it.status}`)
      outcome.head = it
      wish.onHead?.(it)
    },
    onData: (chunk) => {
      if (outcome.events.at(-1) !== 'data') outcome.events.push('data')
      outcome.chunks.push(Buffer.from(chunk))
      return wish.onData?.(chunk) ?? true
    },
    onEnd: () => {
      outcome.events.push('end')
      outcome.finish()
    },
    onFailure: (failure) => {
      outcome.events.push(`${failure.kind} ${failure.code}`)
      outcome.failure = failure
      outcome.finish()
    },
  })
  return outcome
}
