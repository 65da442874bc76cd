// Which keys may have signed a token: the two of the account, or the one user delegation key that the token names
// (spec/sas.md 3 and 12). Keys are KeyObjects, which print as nothing and are five times as fast as bytes.
import type { KeyObject } from 'node:crypto'
import type { AccountKey } from '../azure/shared-key.ts'
import type { SasToken } from './token.ts'
import { parseTime } from './times.ts'

/** Field names as the SDKs write them; the texts exactly as the service gave them, since they are signed as text. */
export interface UserDelegationKey {
  readonly signedObjectId: string
  readonly signedTenantId: string
  readonly signedStartsOn: string
  readonly signedExpiresOn: string
  readonly signedService: string
  readonly signedVersion: string
  readonly signedDelegatedUserTenantId?: string
  readonly key: KeyObject
}

export interface SigningKeys {
  /** Newest first; empty where the gateway has none. */
  readonly account: readonly AccountKey[]
  readonly delegation: DelegationKeys
}

/** Whose key verified a token. */
export interface Signer {
  readonly slot: AccountKey['slot'] | 'delegation'
  readonly key: KeyObject
}

/** Learned ones of one account; a service lets a user have few at a time. */
const LEARNED_LIMIT = 1000

/**
 * The user delegation keys of one account, by the texts that name them. The secret is bound to all of these together. Those
 * from files are the configuration's alone; learned ones come and go.
 */
export class DelegationKeys {
  readonly #given = new Map<string, UserDelegationKey>()
  readonly #learned = new Map<string, UserDelegationKey>()

  /** `keys` are those from files. */
  constructor(keys: Iterable<UserDelegationKey> = []) {
    for (const key of keys) this.#given.set(nameOf(key), key)
  }

  /** The learned ones. */
  get learned(): readonly UserDelegationKey[] {
    return [...this.#learned.values()]
  }

  /**
   * Adds a key, in place of a learned key of the same name. Keys that have expired at `now` (ms since the epoch), or that
   * name no end, are removed first. Returns false where there is no room.
   */
  learn(key: UserDelegationKey, now: number): boolean {
    for (const [name, other] of this.#learned) if (isOver(other, now)) this.#learned.delete(name)
    const name = nameOf(key)
    if (this.#learned.size >= LEARNED_LIMIT && !this.#learned.has(name)) return false
    this.#learned.set(name, key)
    return true
  }

  /** The key that a user delegation token names; undefined where we lack it. */
  find({ values }: Pick<SasToken, 'values'>): UserDelegationKey | undefined {
    const name = join(values.skoid, values.sktid, values.skt, values.ske, values.sks, values.skv, values.skdutid)
    return this.#given.get(name) ?? this.#learned.get(name)
  }
}

function nameOf(key: UserDelegationKey): string {
  return join(key.signedObjectId, key.signedTenantId, key.signedStartsOn, key.signedExpiresOn, key.signedService, key.signedVersion, key.signedDelegatedUserTenantId)
}

/**
 * The keys to try, in order; none means that the token cannot be verified here (spec/sas.md 1 step 7). A delegation key that
 * has expired at `now` (ms since the epoch) is none; without `now` it still says whose signature it was.
 */
export function signersFor(token: SasToken, keys: SigningKeys, now?: number): readonly Signer[] {
  if (token.kind !== 'user-delegation') return keys.account
  const found = keys.delegation.find(token)
  if (found === undefined || (now !== undefined && isOver(found, now))) return []
  return [{ slot: 'delegation', key: found.key }]
}

function isOver({ signedExpiresOn }: UserDelegationKey, now: number): boolean {
  const expiresOn = parseTime(signedExpiresOn)
  return expiresOn === undefined || expiresOn <= now
}

/** Tokens with a line feed in a value are refused before, so the join is unambiguous. */
function join(...texts: readonly (string | undefined)[]): string {
  return texts.join('\n')
}
