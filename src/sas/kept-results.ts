// Remembers what a token came to, since the same token always comes to the same (spec/sas.md 8). Never what depends on the
// moment: times, address and `tn` are checked at every request.
import { LRUCache } from 'lru-cache'
import type { SasPolicy, SasVerdict } from './admission.ts'
import type { Signer } from './signing-keys.ts'
import type { SasToken } from './token.ts'
import type { Candidate, SasTerms } from './verify.ts'

/** Clients choose the names: their length is bounded with their number. */
const BYTES_LIMIT = 16 * 1024 * 1024
const ENTRY_BYTES = 600

export interface KeptResult {
  readonly signer: Signer
  readonly terms: SasTerms
  /** The new one in base64; null where the token is sent upstream as it came. */
  readonly signature: string | null
}

/** A whole request that was judged: the next one with the same bytes skips the reading, never the checks of the moment. */
export interface KeptRequest {
  readonly policy: SasPolicy
  readonly terms: SasTerms
  readonly verdict: SasVerdict
}

/** Bounded: the least recently used result goes first. Serves one set of policies; other `sip` settings are other results. */
export class KeptResults {
  readonly #results: LRUCache<string, KeptResult>
  readonly #requests: LRUCache<string, KeptRequest>

  constructor(max: number) {
    this.#results = bounded(max)
    this.#requests = bounded(max)
  }

  get size(): number {
    return this.#results.size
  }

  /**
   * The result of this reading of the token, if its key is still among `signers`: a key that was withdrawn takes its
   * results along. Forgets a token that has expired at `now` (ms since the epoch).
   */
  find(name: string, signers: readonly Signer[], now: number): KeptResult | undefined {
    const result = this.#results.get(name)
    if (result === undefined) return undefined
    const { terms: { expiresOn }, signer } = result
    if ((expiresOn === null || expiresOn > now) && signers.some(({ key }) => key === signer.key)) return result
    this.#results.delete(name)
    return undefined
  }

  /** The request of these bytes, if it was judged under this very policy: new keys are a new policy. */
  findRequest(name: string, policy: SasPolicy): KeptRequest | undefined {
    const kept = this.#requests.get(name)
    return kept?.policy === policy ? kept : undefined
  }

  keepRequest(name: string, request: KeptRequest): void {
    this.#requests.set(name, request)
  }

  keep(name: string, result: KeptResult): void {
    this.#results.set(name, result)
  }
}

function bounded<V extends object>(max: number): LRUCache<string, V> {
  return new LRUCache<string, V>({ max, maxSize: BYTES_LIMIT, sizeCalculation: (_, name) => name.length * 2 + ENTRY_BYTES })
}

/** `max` results, at least one. */
export function createKeptResults(max: number): KeptResults {
  return new KeptResults(max)
}

/**
 * All that a result depends on: the whole text that is signed (with account, resource, the snapshot line, signed headers
 * and parameters), the lists of the latter, the layout, the signature, and the `sip` that goes upstream.
 */
export function nameOf(token: SasToken, { text }: Candidate, sip: string | undefined): string {
  const { layout, values } = token
  const lists = layout.signsRequest ? `${values.srh ?? ''}\n${values.srq ?? ''}` : ''
  return `${layout.kind} ${layout.from}\n${text}\n${values.sig ?? ''}\n${sip ?? ''}\n${lists}`
}
