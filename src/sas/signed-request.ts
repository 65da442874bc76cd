// What a user delegation SAS of 2026-04-06 and later signs of the request itself: `srh` names headers, `srq` names query
// parameters (spec/sas.md 13). Each gives one block of the string to sign.
import { SAS_NAME, type SasName } from './fields.ts'
import { parameterValues } from './query.ts'
import { NOT_WELL_FORMED, forbid, rejectParameter } from './error-details.ts'
import type { SasToken } from './token.ts'

/** RFC 9110 section 5.1: a field name is a token. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * `name:value` and a line feed for each header that `srh` names, in its order; values as they came. Refuses with
 * `sas-malformed` for a list that cannot be read, `sas-signature` for a header that the request lacks.
 */
export function signedHeaders(token: SasToken, header: (name: string) => string | undefined): string {
  let block = ''
  for (const name of readList(token, 'srh')) {
    if (!FIELD_NAME.test(name)) rejectParameter('sas-malformed', 'srh', 'The value is not a list of header names.', token.kind)
    block += `${name}:${present(header(name.toLowerCase()), token)}\n`
  }
  return block
}

/** A line feed and `name:value` for each parameter that `srq` names, decoded. SAS parameters are read from `token.values`. */
export function signedParameters(token: SasToken): string {
  const names = readList(token, 'srq')
  // No text can hold its own signature.
  if (names.includes('sig')) rejectParameter('sas-malformed', 'srq', 'The value names the signature.', token.kind)
  const ordinary = names.filter((name) => !SAS_NAME.has(name))
  const values = ordinary.length === 0 ? undefined : parameterValues(token.query.text, new Set(ordinary))
  let block = ''
  for (const name of names) {
    const sasName = SAS_NAME.get(name)
    block += `\n${name}:${present(sasName === undefined ? values?.get(name) : token.values[sasName], token)}`
  }
  return block
}

/** Returns whether `srq` lists the name, so that the parameter has to stay (spec/sas.md 13). */
export function listsParameter(token: SasToken, name: SasName): boolean {
  return token.layout.signsRequest && readList(token, 'srq').includes(name)
}

function readList({ values, kind }: SasToken, list: 'srh' | 'srq'): readonly string[] {
  const text = values[list] ?? ''
  if (text === '') return []
  const names = text.split(',')
  if (names.includes('')) rejectParameter('sas-malformed', list, 'The value is not a list of names.', kind)
  return names
}

/** Twice (null) is as bad as not at all: we would sign one and the service might read the other. */
function present(value: string | undefined | null, { kind }: SasToken): string {
  if (value === undefined || value === null || value.includes('\n')) forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'signed part of the request' })
  return value
}
