// Which valid tokens are carried (contract 3.3, `storage.sas.accept`): the longest lifetime, and whether a token must name a
// stored access policy, so that it can be revoked. Judged at each request, since a token without a start begins now.
import type { Reason } from '../refusal.ts'
import { LONG_LIVED, NO_IDENTIFIER, forbid } from './error-details.ts'
import type { SasKind, SasValues } from './fields.ts'
import { parseTime } from './times.ts'

/** `storage.sas.accept`, as admission asks it. */
export interface AcceptRules {
  /** Milliseconds; undefined for no limit. */
  readonly maxLifetime?: number
  /** Service and account SAS without `si` are refused. */
  readonly requireIdentifier: boolean
  /** `report` says what would be refused, and carries it. */
  readonly mode: 'refuse' | 'report'
}

/** What a token says about its life: ms since the epoch, null where it does not say, undefined where it cannot be read. */
export interface TokenLife {
  readonly startsOn: number | null | undefined
  readonly expiresOn: number | null | undefined
  /** It names a stored access policy. */
  readonly identified: boolean
}

export type WouldRefuse = Extract<Reason, 'sas-lifetime'>

type Why = 'lifetime' | 'identifier'

/**
 * Judges a token's life at `now` (ms since the epoch). Refuses with `sas-lifetime`; in mode `report` it returns that
 * reason instead, and undefined for a token that the rules carry.
 */
export function judgeLife(life: TokenLife, kind: SasKind, rules: AcceptRules | undefined, now: number): WouldRefuse | undefined {
  const why = rules === undefined ? undefined : faultOf(life, kind, rules, now)
  if (why === undefined || rules === undefined) return undefined
  if (rules.mode === 'report') return 'sas-lifetime'
  return forbid('sas-lifetime', kind, why === 'lifetime' ? LONG_LIVED : NO_IDENTIFIER, { why })
}

/** Returns the life of a token that no key here verified, whose times may be anything. */
export function lifeOf({ st, se, si }: Readonly<SasValues>): TokenLife {
  return { startsOn: timeOf(st), expiresOn: timeOf(se), identified: si !== undefined && si !== '' }
}

function faultOf({ startsOn, expiresOn, identified }: TokenLife, kind: SasKind, { maxLifetime, requireIdentifier }: AcceptRules, now: number): Why | undefined {
  if (requireIdentifier && !identified && kind !== 'user-delegation') return 'identifier'
  if (maxLifetime === undefined || expiresOn === null) return undefined
  // A time that cannot be read bounds nothing: what its life would be is the service's guess.
  if (expiresOn === undefined || startsOn === undefined) return 'lifetime'
  return expiresOn - (startsOn ?? now) > maxLifetime ? 'lifetime' : undefined
}

function timeOf(text: string | undefined): number | null | undefined {
  return text === undefined || text === '' ? null : parseTime(text)
}
