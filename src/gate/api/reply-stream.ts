// An upstream's reply as the object that @fastify/reply-from expects of undici's `request`: status, fields by name, and a
// body stream whose reading is what makes the upstream send on.
import { Readable } from 'node:stream'
import type { Exchange, ReplyHandler } from '../../upstream/exchange.ts'
import type { UpstreamFailure } from '../../upstream/failure.ts'
import type { ResponseHead } from '../../upstream/response-head.ts'

export interface PluginReply {
  readonly statusCode: number
  readonly headers: Record<string, string | string[]>
  readonly body: Readable
}

export type PluginCallback = (error: Error | null, reply?: PluginReply) => void

/** What is told while a reply passes. */
export interface ReplyEvents {
  /** May throw to refuse the reply. */
  readonly onHead: (head: ResponseHead) => void
  readonly onBytes: (count: number) => void
  /** After the head; returns the error that ends the stream. */
  readonly onBroken: (failure: UpstreamFailure) => Error
}

/** Collects a reply for the plugin: `callback` once, with the head or the failure before it. */
export class ReplyStream extends Readable implements ReplyHandler {
  exchange: Exchange | undefined
  readonly #callback: PluginCallback
  readonly #onHead: (head: ResponseHead) => void
  readonly #onBytes: (count: number) => void
  readonly #onBroken: (failure: UpstreamFailure) => Error
  #headed = false

  constructor(callback: PluginCallback, { onHead, onBytes, onBroken }: ReplyEvents) {
    super({ highWaterMark: 256 * 1024 })
    this.#callback = callback
    this.#onHead = onHead
    this.#onBytes = onBytes
    this.#onBroken = onBroken
  }

  onHead(head: ResponseHead): void {
    this.#onHead(head)
    this.#headed = true
    this.#callback(null, { statusCode: head.status, headers: byName(head.headers), body: this })
  }

  onData(chunk: Buffer): boolean {
    this.#onBytes(chunk.length)
    return this.push(chunk)
  }

  onEnd(): void {
    this.push(null)
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#headed) this.destroy(this.#onBroken(failure))
    else this.#callback(failure)
  }

  override _read(): void {
    this.exchange?.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.exchange?.abort()
    done(error)
  }
}

/** The one name that Fastify, which keeps fields in an object with a prototype, would lose (security.md D11). */
export const PROTOTYPE = '__proto__'

/** Names in lower case, repeated fields as a list (contract section 4 allows both on API routes). */
function byName(fields: readonly string[]): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase()
    const value = fields[i + 1] as string
    const before = out[name]
    if (name === PROTOTYPE) continue
    if (before === undefined) out[name] = value
    else if (Array.isArray(before)) before.push(value)
    else out[name] = [before, value]
  }
  return out
}
