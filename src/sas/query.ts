// Splits a query into its parts and finds the SAS parameters among them, without changing a byte (spec/sas.md 7.2 and
// step 2 of section 1). It runs on every storage request, so it is one pass that makes no object for a parameter.
import { likenessOf } from './disguise.ts'
import { COMPANION_NAME, SAS_NAME, type CompanionName, type SasName, type SasValues, noValues } from './fields.ts'
import { rejectName, rejectParameter } from './error-details.ts'

export interface SasQuery {
  /** As the client sent it, without the `?`. */
  readonly text: string
  readonly values: Readonly<SasValues>
  /** Where each part begins; parts end before the next `&`. */
  readonly starts: readonly number[]
  /** What each part is: a SAS name, `''` for an empty part, null for any other parameter. */
  readonly names: readonly (SasName | '' | null)[]
  /** Some SAS name was percent-encoded, which a rewritten query does not repeat (spec/sas.md 8 step 1). */
  readonly encodedName: boolean
  /** Some SAS value holds a line feed, so lines of the string to sign could be shifted. */
  readonly lineFeed: boolean
  /** `snapshot` or `versionid` comes twice, in another spelling, or with a value that cannot be read in one way only. */
  readonly oddCompanion: CompanionName | undefined
}

type Draft = { -readonly [K in keyof SasQuery]: SasQuery[K] } & {
  readonly values: SasValues
  readonly starts: number[]
  readonly names: (SasName | '' | null)[]
  misspelt: SasName | undefined
  oddCompanion: CompanionName | undefined
}

/** The name `sig` in any case and any percent-encoding, with or without a value. */
const SIGNATURE = /(?:^|&)(?:s|%[57]3)(?:i|%[46]9)(?:g|%[46]7)(?:[=&]|$)/i

/** A name that stands for itself alone, so that no reader takes it for another one. */
const PLAIN_NAME = /^[a-z-]+$/
const CONTROL = /\p{Cc}/u
/** Every token has its version and one of these. */
const COMPANY = ['sp', 'se', 'si'] as const

/** Returns whether the query names a signature at all; an empty one, or one in an odd spelling, counts. */
export function hasSignature(query: string): boolean {
  return SIGNATURE.test(query)
}

/** Returns whether some reader may take the name of a parameter, as it stands in a URL, for `sig`. */
export function isSignatureName(name: string): boolean {
  return likenessOf(decodeText(name) ?? name) === 'sig'
}

/** Returns whether some reader may find a shared access signature in the query: it names one, perhaps in disguise, or the rest of one. */
export function mayHoldSas(query: string): boolean {
  const names = new Set(query.split('&').map((part) => likenessOf(decodeText(part.split('=', 1)[0] ?? '') ?? '%')))
  return hasSignature(query) || names.has('sig') || (names.has('sv') && COMPANY.some((name) => names.has(name)))
}

/** Returns whether a query holds a shared access signature that names addresses. Refuses as `readQuery` does. */
export function namesAddress(query: string): boolean {
  const { values } = readQuery(query)
  return values.sig !== undefined && values.sip !== undefined
}

/** Refuses with `sas-malformed` what has all of a shared access signature but its `sig`, which may be there in disguise. */
export function refuseUnsigned({ values }: SasQuery): void {
  if (values.sv !== undefined && COMPANY.some((name) => values[name] !== undefined)) rejectParameter('sas-malformed', 'sig', 'The parameter is missing or disguised.')
}

/** Refuses with `sas-malformed` a `snapshot` or `versionid` that could be read in two ways. */
export function refuseOddCompanion({ oddCompanion }: SasQuery): void {
  if (oddCompanion !== undefined) rejectParameter('sas-malformed', oddCompanion, 'The parameter has to come once, spelt exactly, and hold no control character.')
}

/**
 * Reads every part. Refuses with `sas-duplicate` (a SAS name twice, in any spelling), `sas-malformed` (a name that some
 * reader may take for a SAS name, a malformed escape in the value of one or in any name), also where there is no signature.
 */
export function readQuery(text: string): SasQuery {
  const draft: Draft = { text, values: noValues(), starts: [], names: [], encodedName: false, lineFeed: false, misspelt: undefined, oddCompanion: undefined }
  let equals = -1
  for (let start = 0; start <= text.length;) {
    let end = text.indexOf('&', start)
    if (end < 0) end = text.length
    // Looked for once for each `=`, not for each part, or a query of `&&&&` would cost its length squared.
    if (equals < start) equals = text.indexOf('=', start)
    if (equals < 0) equals = text.length
    draft.starts.push(start)
    draft.names.push(start === end ? '' : readPart(draft, start, equals < end ? equals : end, end))
    start = end + 1
  }
  if (draft.misspelt !== undefined) rejectParameter('sas-malformed', draft.misspelt, 'The name has to be spelt exactly.')
  return draft
}

/** The decoded values of ordinary parameters by decoded name; null where a name occurs more than once or its value is malformed. */
export function parameterValues(text: string, names: ReadonlySet<string>): ReadonlyMap<string, string | null> {
  const values = new Map<string, string | null>()
  for (const part of text.split('&')) {
    const equals = part.indexOf('=')
    const name = decodeText(equals < 0 ? part : part.slice(0, equals))
    if (name === undefined || !names.has(name)) continue
    const value = equals < 0 ? '' : decodeText(part.slice(equals + 1)) ?? null
    values.set(name, values.has(name) ? null : value)
  }
  return values
}

function readPart(draft: Draft, start: number, nameEnd: number, end: number): SasName | null {
  const written = draft.text.slice(start, nameEnd)
  const name = SAS_NAME.get(written) ?? unusualName(draft, written, nameEnd, end)
  if (name === null) return null
  if (draft.values[name] !== undefined) rejectParameter('sas-duplicate', name, 'The parameter occurs more than once.')
  const value = decodeText(draft.text.slice(nameEnd + 1, end))
  if (value === undefined || value.includes('\0')) rejectParameter('sas-malformed', name, 'The value holds a malformed escape.')
  if (value.includes('\n')) draft.lineFeed = true
  draft.values[name] = value
  return name
}

/** Not a SAS name as it stands: one in another spelling, a companion (whose value is noted here), or none of ours. */
function unusualName(draft: Draft, written: string, nameEnd: number, end: number): SasName | null {
  const decoded = decodeText(written)
  if (decoded === undefined || decoded.includes('\0')) rejectName()
  const companion = COMPANION_NAME.get(decoded)
  if (companion !== undefined) noteCompanion(draft, companion, decodeText(draft.text.slice(nameEnd + 1, end)))
  const name = SAS_NAME.get(decoded.toLowerCase())
  if (name === undefined) {
    if (companion === undefined && !PLAIN_NAME.test(written)) noteLikeness(draft, decoded)
    return null
  }
  if (written.includes('%')) draft.encodedName = true
  if (name !== decoded) draft.misspelt ??= name
  return name
}

function noteCompanion(draft: Draft, name: CompanionName, value: string | undefined): void {
  if (draft.values[name] !== undefined || value === undefined || CONTROL.test(value)) draft.oddCompanion ??= name
  draft.values[name] ??= value ?? ''
}

/** A disguised name is refused, not read: who else reads it, and as what, is not known. */
function noteLikeness(draft: Draft, decoded: string): void {
  const name = likenessOf(decoded)
  if (name === 'snapshot' || name === 'versionid') draft.oddCompanion ??= name
  else if (name !== undefined) draft.misspelt ??= name
}

/** `+` is a blank, then percent-decoding as strict UTF-8; undefined for a malformed escape. */
function decodeText(raw: string): string | undefined {
  const spaced = raw.includes('+') ? raw.replaceAll('+', ' ') : raw
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return undefined
  }
}
