// Finds out whether a token was signed with one of our keys (spec/sas.md 1 step 8), and what it says about when and from where it
// may be used (step 9).
import type { BlockList } from 'node:net'
import type { Reading } from './canonical-resource.ts'
import { parseIpRange, rangeHolds } from './ip-range.ts'
import { signatureMatches } from './signature.ts'
import { signedHeaders, signedParameters } from './signed-request.ts'
import type { Signer } from './signing-keys.ts'
import { stringToSign } from './string-to-sign.ts'
import { NOT_MATCHING, NOT_WELL_FORMED, expiryBeforeStart, forbid, outsideInterval, rejectParameter } from './error-details.ts'
import { parseTime } from './times.ts'
import type { SasToken } from './token.ts'

/** What the lines need beside the token. */
export interface SignedContext {
  readonly account: string
  header(name: string): string | undefined
}

/** A reading with the text that it gives. */
export interface Candidate {
  readonly reading: Reading
  readonly text: string
}

export interface Proof extends Candidate {
  readonly signer: Signer
}

/** When and from where a token may be used: ms since the epoch; null where it does not say. */
export interface SasTerms {
  readonly startsOn: number | null
  readonly expiresOn: number | null
  readonly range: BlockList | null
  /** The token names a stored access policy. */
  readonly identified: boolean
}

/** The string to sign of a token in one reading; refuses as `signedHeaders` and `signedParameters` do. */
export function textOf(token: SasToken, { resource, snapshot }: Reading, context: SignedContext): string {
  const { layout, values } = token
  const made = { ACCOUNT: context.account, RES: resource, SNAP: snapshot, HDR: '', QRY: '' }
  // Two objects instead of one: copying all values would cost as much as joining them.
  if (!layout.signsRequest) return stringToSign(layout, values, made)
  const HDR = signedHeaders(token, (name) => context.header(name))
  return stringToSign(layout, values, { ...made, HDR, QRY: signedParameters(token) })
}

/** The first candidate and key that the signature fits. Refuses with `sas-signature`. */
export function verifySas(token: SasToken, candidates: readonly Candidate[], signers: readonly Signer[]): Proof {
  const given = Buffer.from(token.values.sig ?? '', 'base64')
  for (const { reading, text } of candidates) {
    for (const signer of signers) if (signatureMatches(given, text, signer.key)) return { reading, text, signer }
  }
  return forbid('sas-signature', token.kind, NOT_MATCHING, { version: token.version })
}

/** Refuses with `sas-signature` for a time, `sas-malformed` for an address that cannot be read. */
export function readTerms({ kind, values }: SasToken): SasTerms {
  const startsOn = readTime(values.st)
  const expiresOn = readTime(values.se)
  if (startsOn === undefined || expiresOn === undefined) forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'time' })
  const range = values.sip === undefined || values.sip === '' ? null : parseIpRange(values.sip)
  if (range === undefined) rejectParameter('sas-malformed', 'sip', 'The value is not an IPv4 address or a range of two.', kind)
  return { startsOn, expiresOn, range, identified: values.si !== undefined && values.si !== '' }
}

/**
 * At every request. `now` in ms since the epoch; `skew`, in ms, is for the start only (spec/sas.md 11.1). Refuses with
 * `sas-expired`, `sas-not-yet` or `sas-source-ip`.
 */
export function checkTerms({ startsOn, expiresOn, range }: SasTerms, kind: SasToken['kind'], at: { readonly now: number; readonly clientAddress: string }, skew: number): void {
  const told = (): string => outsideInterval(startsOn, expiresOn, at.now)
  if (expiresOn !== null && expiresOn <= at.now) forbid('sas-expired', kind, told(), { expiresOn })
  if (startsOn !== null && startsOn > at.now + skew) forbid('sas-not-yet', kind, told(), { startsOn })
  if (startsOn !== null && expiresOn !== null && expiresOn < startsOn) forbid('sas-expired', kind, expiryBeforeStart(expiresOn, startsOn), { startsOn, expiresOn })
  if (range !== null && !rangeHolds(range, at.clientAddress)) forbid('sas-source-ip', kind)
}

/** Null for none, which a stored access policy may hold instead; undefined for one that cannot be read. */
function readTime(text: string | undefined): number | null | undefined {
  return text === undefined || text === '' ? null : parseTime(text)
}
