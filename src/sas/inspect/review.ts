// What a reviewer would say of a token: what it allows where the gateway is not asked, and what is wider than it need be.
import type { SasValues } from '../fields.ts'
import type { TokenFacts } from './facts.ts'
import { writingLetters } from '../mint/permissions.ts'

export type SignatureState = 'right' | 'wrong' | 'unknown'

/** What the token would still do if it was taken to the service itself. */
export interface Outside {
  /** Null where it does nothing there. */
  readonly plainHttp: boolean | null
  readonly anyAddress: boolean | null
  readonly says: string
}

export interface ReviewGround {
  readonly now: number
  /** What counts as too long a life, ms. */
  readonly maxLifetime: number
}

type Values = Readonly<SasValues>

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const YEAR_DAYS = 365
const UNITS = [[YEAR_DAYS * DAY_MS, 'year'], [DAY_MS, 'day'], [HOUR_MS, 'hour'], [MINUTE_MS, 'minute']] as const

/** The service judges by itself: neither our refusals nor our tightening reach there. */
export function outsideOf(facts: TokenFacts, signature: SignatureState, { now }: ReviewGround): Outside {
  if (signature === 'wrong') return { plainHttp: null, anyAddress: null, says: 'nothing, unless a key that is not here made it' }
  if (facts.expiresOn !== null && Date.parse(facts.expiresOn) <= now) return { plainHttp: null, anyAddress: null, says: 'nothing any more: it has expired' }
  const plainHttp = facts.protocol !== 'https'
  const anyAddress = facts.addresses === null
  const says = [
    plainHttp ? 'works over plain http, unless the account demands secure transfer' : 'works over https only',
    anyAddress ? 'from any address' : `from ${facts.addresses} only`,
    facts.expiresOn === null ? 'until its stored access policy ends it' : `until ${facts.expiresOn}`,
    ...(signature === 'unknown' ? ['if its signature is right'] : []),
  ].join(', ')
  return { plainHttp, anyAddress, says }
}

/** In the order of weight. */
export function warningsFor(facts: TokenFacts, values: Values, secure: boolean, ground: ReviewGround): readonly string[] {
  return [...urgent(facts, secure), ...lifetime(facts, ground), ...breadth(facts, values), ...origin(facts)]
}

function* urgent({ protocol, kind }: TokenFacts, secure: boolean): Generator<string> {
  if (!secure) yield 'the URL says http: whoever uses it as it is sends the token in clear'
  if (protocol !== 'https') yield 'it allows plain http: ask the issuer for spr=https'
  if (kind === null) yield 'what kind of token it is cannot be told'
}

function* lifetime({ startsOn, expiresOn, identifier }: TokenFacts, { now, maxLifetime }: ReviewGround): Generator<string> {
  if (expiresOn === null) yield identifier === null ? 'no expiry that can be read' : `when it ends only the stored access policy ${identifier} knows`
  else {
    const life = Date.parse(expiresOn) - (startsOn === null ? now : Date.parse(startsOn))
    if (Date.parse(expiresOn) > now && life > maxLifetime) yield `${startsOn === null ? 'still valid' : 'valid'} for ${spanText(life)}: hours are usual`
  }
  if (startsOn === null) yield 'no start: it was good from the moment it was made'
}

function* breadth(facts: TokenFacts, { sp = '', ss = '', srt = '', sr = '' }: Values): Generator<string> {
  const writing = writingLetters(sp)
  if (facts.kind === 'account') {
    const all = 'btqf'.split('').every((letter) => ss.includes(letter)) && 'sco'.split('').every((letter) => srt.includes(letter))
    if (all && sp.includes('w') && sp.includes('d')) yield 'it allows everything in the whole account'
    else yield 'it is for the whole account: a token for one container or blob would reach less'
    if ('sco'.split('').every((letter) => srt.includes(letter))) yield 'all resource types: services and containers as well as what is in them'
  }
  if (writing !== '') yield `it can change things: ${facts.permissions.filter(({ letter }) => writing.includes(letter)).map(({ letter, means }) => `${letter} (${means})`).join(', ')}`
  if (facts.kind !== 'account' && (sr === 'c' || sr === 's')) yield `it is for a whole ${sr === 'c' ? 'container' : 'share'}`
}

function* origin({ addresses, identifier, kind }: TokenFacts): Generator<string> {
  if (addresses === null) yield 'no address range: it works from anywhere'
  if (kind === 'service' && identifier === null) yield 'no stored access policy: only a new account key revokes it'
  if (kind === 'account') yield 'an account SAS has no stored access policy: only a new account key revokes it'
}

/** A span of time in its largest unit: `3 years`. */
export function spanText(ms: number): string {
  const [size, word] = UNITS.find(([each]) => ms >= each) ?? [1000, 'second']
  const count = Math.floor(ms / size)
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
