// What a refused SAS request is told: the fixed texts of spec/sas.md 15.2 and 15.3. None repeats a value of the client
// except times, once parsed; the string to sign stays out, since it holds names.
import { type Detail, type Reason, refuse } from '../refusal.ts'
import type { CompanionName, SasKind, SasName } from './fields.ts'

export const NOT_MATCHING = 'Signature did not match.'
export const NOT_WELL_FORMED = 'Signature fields not well formed.'
export const NO_PROTOCOL = 'sv has no signed protocol; ask for a SAS of 2015-04-05 or later'
export const NO_LAYOUT = 'sv has no SAS of this kind for this service; ask for a newer one'
export const NO_KEY = 'this gateway cannot verify the SAS'
export const LONG_LIVED = 'the SAS is valid for longer than this gateway carries'
export const NO_IDENTIFIER = 'this gateway carries only SAS with a stored access policy (si)'
export const REVOKED = 'the SAS has been revoked at this gateway'
export const WRONG_LEVEL = 'The signed resource is not allowed at this resource level.'

type Forbidden = Extract<Reason, 'sas-version' | 'sas-no-key' | 'sas-signature' | 'sas-not-yet' | 'sas-expired' | 'sas-source-ip' | 'sas-resource' | 'sas-lifetime' | 'sas-denied'>
type Invalid = Extract<Reason, 'sas-malformed' | 'sas-duplicate' | 'sas-mixed' | 'sas-protocol-value'>

/** A 403: the token was understood and does not let this request pass. `told` is one of the texts of this file. */
export function forbid(reason: Forbidden, kind: SasKind, told?: string, detail?: Detail): never {
  refuse(reason, { kind, ...detail }, told === undefined ? {} : { AuthenticationErrorDetail: told })
}

/** A 400: parameter `name` cannot be read in one way only. `why` is a fixed text. `kind` once it is known. */
export function rejectParameter(reason: Invalid, name: SasName | CompanionName, why: string, kind?: SasKind): never {
  const detail = { parameter: name, why }
  refuse(reason, kind === undefined ? detail : { kind, ...detail }, { QueryParameterName: name, Reason: why })
}

/** A 400: the name of some parameter cannot be decoded. Which one is not told, since it may hold a signature. */
export function rejectName(): never {
  const why = 'The name of a parameter holds a malformed escape.'
  refuse('sas-malformed', { why }, { Reason: why })
}

/** Outside of its interval. `startsOn`, `expiresOn` and `now` are ms since the epoch, null where the token has none. */
export function outsideInterval(startsOn: number | null, expiresOn: number | null, now: number): string {
  if (startsOn === null && expiresOn !== null) return expiryBeforeStart(expiresOn, now)
  const expiry = expiresOn === null ? '' : ` - Expiry [${rfc1123(expiresOn)}]`
  return `Signature not valid in the specified time frame: Start [${rfc1123(startsOn ?? now)}]${expiry} - Current [${rfc1123(now)}]`
}

/** An interval that is empty; a token without a start begins now. */
export function expiryBeforeStart(expiresOn: number, startsOn: number): string {
  return `Signed expiry time [${rfc1123(expiresOn)}] has to be after signed start time [${rfc1123(startsOn)}]`
}

/** ECMAScript writes the UTC string in the form of RFC 1123. */
function rfc1123(time: number): string {
  return new Date(time).toUTCString()
}
