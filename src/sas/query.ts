// Splits a query into its parts and finds the SAS parameters among them, without changing a byte (spec/sas.md 7.2 and
// step 2 of section 1). It runs on every storage request, so it is one pass that makes no object for a parameter.
import { COMPANION_NAME, SAS_NAME, type SasName, type SasValues, noValues } from './fields.ts'
import { rejectParameter } from './error-details.ts'

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
}

type Draft = { -readonly [K in keyof SasQuery]: SasQuery[K] } & {
  readonly values: SasValues
  readonly starts: number[]
  readonly names: (SasName | '' | null)[]
  misspelt: SasName | undefined
}

/** The name `sig` in any case and any percent-encoding, with or without a value. */
const SIGNATURE = /(?:^|&)(?:s|%[57]3)(?:i|%[46]9)(?:g|%[46]7)(?:[=&]|$)/i

/** A name that could decode to a SAS name: letters, plain or percent-encoded. Decoding it cannot fail. */
const LETTERS = /^(?:[a-z]|%[46][1-9a-f]|%[57][0-9a])+$/i
/** `versionid` with every letter encoded. */
const LONGEST_NAME = 27

/** Whether the query names a signature at all; an empty one, or one in an odd spelling, counts. */
export function hasSignature(query: string): boolean {
  return SIGNATURE.test(query)
}

/**
 * Reads every part. Refuses with `sas-duplicate` (a SAS name twice, in any spelling), `sas-malformed` (a SAS name not in
 * lower case, a malformed escape in the value of one), also where there is no signature.
 */
export function readQuery(text: string): SasQuery {
  const draft: Draft = { text, values: noValues(), starts: [], names: [], encodedName: false, lineFeed: false, misspelt: undefined }
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
  if (draft.misspelt !== undefined) rejectParameter('sas-malformed', draft.misspelt, 'The name has to be in lower case.')
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
  if (value === undefined) rejectParameter('sas-malformed', name, 'The value holds a malformed escape.')
  if (value.includes('\n')) draft.lineFeed = true
  draft.values[name] = value
  return name
}

/** Not a SAS name as it stands: one in another spelling, a companion (whose value is noted here), or none of ours. */
function unusualName(draft: Draft, written: string, nameEnd: number, end: number): SasName | null {
  if (written.length > LONGEST_NAME) return null
  const encoded = written.includes('%')
  if (encoded && !LETTERS.test(written)) return null
  const decoded = encoded ? decodeURIComponent(written) : written
  const companion = COMPANION_NAME.get(decoded)
  if (companion !== undefined) draft.values[companion] ??= decodeText(draft.text.slice(nameEnd + 1, end))
  const name = SAS_NAME.get(decoded.toLowerCase())
  if (name === undefined) return null
  if (encoded) draft.encodedName = true
  if (name !== decoded) draft.misspelt ??= name
  return name
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
