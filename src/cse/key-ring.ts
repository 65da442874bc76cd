// The key encryption keys of one account, and the content keys that they opened (spec/client-side-encryption.md 7.2).
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { Refusal, refuseCode } from '../refusal.ts'
import { bytesToWrap, contentKeyIn } from './content-key.ts'
import type { Envelope, WrittenEnvelope } from './envelope.ts'
import type { Kek } from './kek.ts'

export type KeyOperation = 'wrap' | 'unwrap'
export type KeyOutcome = 'ok' | 'kept' | 'failed' | 'unavailable'
/** Told of each operation with a key. */
export type CountKeys = (operation: KeyOperation, outcome: KeyOutcome) => void

const KEPT_MS = 600_000
const KEPT_LIMIT = 10_000

/** Made anew with each configuration, so that opened content keys are forgotten when keys change. */
export class KeyRing {
  /** In the order of the configuration. */
  readonly keys: ReadonlyMap<string, Kek>
  readonly current: Kek | undefined
  readonly #count: CountKeys
  readonly #opened = new LRUCache<string, Buffer>({ max: KEPT_LIMIT, ttl: KEPT_MS })
  /** One question for one wrapped key at a time. */
  readonly #asked = new Map<string, Promise<Buffer>>()

  constructor(keys: readonly Kek[], current: string | undefined, count: CountKeys = () => undefined) {
    this.keys = new Map(keys.map((key) => [key.kid, key]))
    this.current = current === undefined ? undefined : this.keys.get(current)
    this.#count = count
  }

  /** Returns the content key of an envelope. Refuses with `CseUnknownKey`, `CseUnwrapFailed`, `CseTampered` or `CseKeyUnavailable`. */
  async open({ keyId, algorithm, wrappedKey, protocol }: Envelope): Promise<Buffer> {
    const kek = this.keys.get(keyId) ?? refuseCode('CseUnknownKey', { kid: keyId.slice(0, 256) })
    const name = createHash('sha256').update(`${keyId}\n${algorithm}\n`).update(wrappedKey).digest('base64')
    const kept = this.#opened.get(name)
    if (kept === undefined) return contentKeyIn(await this.#unwrap(name, kek, wrappedKey, algorithm), protocol)
    this.#count('unwrap', 'kept')
    return contentKeyIn(kept, protocol)
  }

  /** Returns an envelope's members for a content key, wrapped with the current key. */
  async wrap(contentKey: Buffer): Promise<WrittenEnvelope> {
    const kek = this.current ?? refuseCode('CseKeyUnavailable', { why: 'no current key' })
    const { bytes, algorithm } = await this.#counted('wrap', kek.wrap(bytesToWrap(contentKey)))
    return { keyId: kek.kid, wrappedKey: bytes, algorithm }
  }

  #unwrap(name: string, kek: Kek, wrappedKey: Buffer, algorithm: string): Promise<Buffer> {
    const asked = this.#asked.get(name)
    if (asked !== undefined) return asked
    const answer = this.#counted('unwrap', kek.unwrap(wrappedKey, algorithm)).then((bytes) => {
      this.#opened.set(name, bytes)
      return bytes
    }).finally(() => this.#asked.delete(name))
    this.#asked.set(name, answer)
    return answer
  }

  async #counted<T>(operation: KeyOperation, work: Promise<T>): Promise<T> {
    try {
      const result = await work
      this.#count(operation, 'ok')
      return result
    } catch (error) {
      this.#count(operation, error instanceof Refusal && error.code === 'CseKeyUnavailable' ? 'unavailable' : 'failed')
      throw error
    }
  }
}
