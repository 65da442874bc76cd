// The terms of a wished SAS: version, interval, permissions, addresses, policy and the rest, each with its limit
// (spec/sas.md 17.1 steps 1, 6 to 8 and 10 to 12, and 17.2).
import type { SasName, SasValues } from '../fields.ts'
import { parseIpRange } from '../ip-range.ts'
import { type Permission, PERMISSIONS, writingLetters } from './permissions.ts'
import type { Place } from './place.ts'
import { type Faults, type Wish, type WishOption, fault, shown } from './wish.ts'
import type { UserDelegationKey } from '../signing-keys.ts'
import { isDate, parseTime } from '../times.ts'

/** What bounds a wish from outside. Times are ms since the epoch, durations ms. */
export interface Bounds {
  readonly now: number
  readonly maxLifetime: number
  readonly delegationKey: UserDelegationKey | undefined
}

type Values = Partial<SasValues>

const DEFAULT_VERSION = '2020-12-06'
const OLDEST_VERSION = '2018-11-09'
/** The newest whose layouts are known (spec/sas.md 4). */
const NEWEST_VERSION = '2026-10-06'
const SCOPE_VERSION = '2020-12-06'
const LATE_DELEGATION_VERSION = '2025-07-05'

const WEEK_MS = 7 * 86_400_000
const LONGEST_IDENTIFIER = 64
/** The end of what a four-digit year can say. */
const LAST_MOMENT = Date.UTC(9999, 11, 31, 23, 59, 59)
const DURATION = /^(-?)(\d{1,12})(ms|s|m|h)$/
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const OFFSET = /[+-]\d\d:\d\d$/
const MOMENT = 'a duration from now such as 30m or 24h, or a UTC time such as 2026-11-25T06:00:00Z'

const TEXTS: readonly (readonly [WishOption, SasName])[] = [
  ['cache-control', 'rscc'], ['content-disposition', 'rscd'], ['content-encoding', 'rsce'], ['content-language', 'rscl'], ['content-type', 'rsct'],
  ['start-partition', 'spk'], ['start-row', 'srk'], ['end-partition', 'epk'], ['end-row', 'erk'],
  ['encryption-scope', 'ses'],
]

/** A time, or a duration from `now`, in ms since the epoch; undefined where it is neither. */
export function readMoment(text: string, now: number): number | undefined {
  const [, minus, digits, unit = ''] = DURATION.exec(text) ?? []
  const moment = digits === undefined ? (OFFSET.test(text) ? undefined : parseTime(text)) : now + Number(`${minus}${digits}`) * (UNITS[unit] ?? NaN)
  return moment === undefined || moment < 0 || moment > LAST_MOMENT ? undefined : moment
}

/** Whole seconds and `Z`, as every SDK writes a time. */
function timeText(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}

/** The version that is given, else the default, or the first one that knows all that is wished. */
export function versionFor(wish: Wish, place: Place, { delegationKey }: Bounds, faults: Faults): string {
  const needed = requirements(wish, place, delegationKey).toSorted((a, b) => a.from < b.from ? 1 : -1)[0] ?? { from: OLDEST_VERSION, what: '' }
  const given = wish['signed-version']
  if (given === undefined) return needed.from > DEFAULT_VERSION ? needed.from : DEFAULT_VERSION
  if (!isDate(given) || given < OLDEST_VERSION || given > NEWEST_VERSION) {
    fault(faults, 'signed-version', shown(given), `a service version from ${OLDEST_VERSION} to ${NEWEST_VERSION}`)
  } else if (given < needed.from) fault(faults, 'signed-version', given, `${needed.from} or later ${needed.what}`)
  return given
}

/** Permissions, interval, addresses, policy, overrides, ranges and scope, as parameters. */
export function termsOf(wish: Wish, place: Place, bounds: Bounds, faults: Faults): Values {
  const values: Values = { ...intervalOf(wish, bounds, faults), sp: permissionsOf(wish, place, faults) }
  for (const [option, name] of TEXTS) values[name] = wish[option]
  values.sip = rangeOf(wish, faults)
  values.si = identifierOf(wish, bounds, faults)
  for (const [row, partition] of [['start-row', 'start-partition'], ['end-row', 'end-partition']] as const) {
    if (wish[row] !== undefined && wish[partition] === undefined) fault(faults, row, shown(wish[row]), `only with --${partition}`)
  }
  return values
}

function requirements(wish: Wish, { service, resource, from }: Place, key: UserDelegationKey | undefined): { readonly from: string; readonly what: string }[] {
  const letters = (wish.permissions ?? '').split('').flatMap((letter) => PERMISSIONS[resource].filter((permission) => permission.letter === letter))
  return [
    { from, what: resource === 'directory' ? 'for a directory' : 'for a version of a blob' },
    ...letters.map((permission) => ({ from: permission.from, what: `for the permission ${permission.letter}` })),
    ...(wish['encryption-scope'] === undefined ? [] : [{ from: SCOPE_VERSION, what: 'for an encryption scope' }]),
    ...(key !== undefined && (service === 'queue' || service === 'file') ? [{ from: LATE_DELEGATION_VERSION, what: `for a user delegation SAS of service ${service}` }] : []),
    ...(key?.signedDelegatedUserTenantId === undefined ? [] : [{ from: LATE_DELEGATION_VERSION, what: 'for a key with signedDelegatedUserTenantId' }]),
  ]
}

/** With a stored access policy what is not given is the policy's (spec/sas.md 9), so nothing is filled in. */
function permissionsOf(wish: Wish, { resource }: Place, faults: Faults): string | undefined {
  const given = wish.permissions ?? (wish.identifier === undefined ? 'r' : undefined)
  // Empty text has its fault already.
  if (given === undefined || given === '') return undefined
  const known: readonly Permission[] = PERMISSIONS[resource]
  const letters = given.split('')
  const strange = letters.filter((letter) => known.every((permission) => permission.letter !== letter))
  const order = known.map(({ letter }) => letter).join('')
  if (strange.length > 0) return fault(faults, 'permissions', shown(given), `letters of ${order} for a ${resource === 'account' ? 'token of an account' : resource}`)
  if (new Set(letters).size < letters.length) return fault(faults, 'permissions', shown(given), 'each letter once')
  return known.filter(({ letter }) => letters.includes(letter)).map(({ letter }) => letter).join('')
}

function intervalOf(wish: Wish, bounds: Bounds, faults: Faults): Values {
  const starts = momentOf(wish, 'starts', bounds, faults)
  const expires = momentOf(wish, 'expires', bounds, faults)
  if (wish.expires === undefined && wish.identifier === undefined) fault(faults, 'expires', 'nothing', `${MOMENT}; or --identifier with a stored access policy that says it`)
  if (expires !== undefined) checkLifetime(wish.expires ?? '', expires, starts, bounds, faults)
  if (bounds.delegationKey !== undefined) checkKeyInterval(starts ?? bounds.now, expires, bounds.delegationKey, faults)
  return { st: starts === undefined ? undefined : timeText(starts), se: expires === undefined ? undefined : timeText(expires) }
}

/** In whole seconds, cut off. */
function momentOf(wish: Wish, option: 'starts' | 'expires', { now }: Bounds, faults: Faults): number | undefined {
  const text = wish[option]
  if (text === undefined || text === '') return undefined
  const moment = readMoment(text, now)
  return moment === undefined ? fault(faults, option, shown(text), MOMENT) : Math.floor(moment / 1000) * 1000
}

/** From now on, or from a start that is still to come: a start that is set back against clock skew costs nothing. */
function checkLifetime(given: string, expires: number, starts: number | undefined, { now, maxLifetime, delegationKey }: Bounds, faults: Faults): void {
  const from = Math.max(now, starts ?? now)
  if (expires <= now) return fault(faults, 'expires', shown(given), 'a time to come')
  if (expires <= from) return fault(faults, 'expires', shown(given), 'a time after --starts')
  if (expires - from > maxLifetime) return fault(faults, 'expires', shown(given), `at most ${durationText(maxLifetime)} after now, or after --starts (storage.sas.maxLifetime)`)
  if (delegationKey !== undefined && expires - from > WEEK_MS) fault(faults, 'expires', shown(given), 'at most 7 days with a user delegation key')
}

/** The service checks that the token's interval lies within the key's (spec/sas.md 12). */
function checkKeyInterval(starts: number, expires: number | undefined, key: UserDelegationKey, faults: Faults): void {
  const from = parseTime(key.signedStartsOn)
  const until = parseTime(key.signedExpiresOn)
  if (from === undefined || until === undefined) return fault(faults, 'user-delegation-key', 'a time that cannot be read', 'signedStartsOn and signedExpiresOn as the service gave them')
  if (until <= starts) return fault(faults, 'user-delegation-key', `a key that ends at ${timeText(until)}`, 'a key that has not ended')
  if (from > starts) fault(faults, 'user-delegation-key', `a key that starts at ${timeText(from)}`, 'a key that has started; or --starts no earlier than the key')
  if (expires !== undefined && expires > until) fault(faults, 'expires', timeText(expires), `at most ${timeText(until)}, when the user delegation key ends`)
}

function rangeOf({ ip }: Wish, faults: Faults): string | undefined {
  if (ip === undefined || ip === '') return undefined
  return parseIpRange(ip) === undefined ? fault(faults, 'ip', shown(ip), 'an IPv4 address, or LOW-HIGH with low not above high') : ip
}

function identifierOf({ identifier }: Wish, { delegationKey }: Bounds, faults: Faults): string | undefined {
  if (identifier === undefined) return undefined
  if (delegationKey !== undefined) return fault(faults, 'identifier', shown(identifier), 'nothing with --user-delegation-key')
  return identifier.length > LONGEST_IDENTIFIER ? fault(faults, 'identifier', shown(identifier), `1 to ${LONGEST_IDENTIFIER} characters`) : identifier
}

/** An account SAS that may change everything everywhere needs a second word (spec/sas.md 17.2). */
export function accountTermsOf(wish: Wish, faults: Faults): Values {
  const ss = lettersOf(wish, 'services', 'btqf', 'letters of btqf: blob, table, queue, file', faults)
  const srt = lettersOf(wish, 'types', 'sco', 'letters of sco: service, container, object', faults)
  if (srt === 'sco' && writingLetters(wish.permissions ?? '') !== '' && wish['allow-broad'] !== true) {
    fault(faults, 'types', 'sco with permissions to write', 'fewer types, only letters of rlf, or --allow-broad')
  }
  return { ss, srt }
}

function lettersOf(wish: Wish, option: 'services' | 'types', order: string, allowed: string, faults: Faults): string | undefined {
  const given = wish[option]
  if (given === undefined) return fault(faults, option, 'nothing', allowed)
  if (given === '') return undefined
  const letters = given.split('')
  if (letters.some((letter) => !order.includes(letter)) || new Set(letters).size < letters.length) return fault(faults, option, shown(given), `${allowed}, each once`)
  return order.split('').filter((letter) => letters.includes(letter)).join('')
}

function durationText(ms: number): string {
  const [unit = 'ms', size = 1] = Object.entries(UNITS).findLast(([, each]) => ms % each === 0) ?? []
  return `${ms / size}${unit}`
}
