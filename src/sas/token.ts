// A shared access signature as read and not yet believed: its kind, version and layout (spec/sas.md 1, steps 4 to 6,
// and 7). What is refused here needs no key.
import { SERVICES, type ServiceName } from '../azure/services.ts'
import { DELEGATION_NAMES, type SasKind, type SasName, type SasValues } from './fields.ts'
import type { SasQuery } from './query.ts'
import { isSignature } from './signature.ts'
import { type Layout, layoutFor } from './string-to-sign.ts'
import { NO_LAYOUT, NO_PROTOCOL, NOT_WELL_FORMED, forbid, rejectParameter } from './error-details.ts'
import { isDate } from './times.ts'

export interface SasToken {
  readonly kind: SasKind
  readonly version: string
  readonly layout: Layout
  readonly query: SasQuery
  /** Decoded; `sig` has the form of a signature. */
  readonly values: Readonly<SasValues>
}

const ACCOUNT_NAMES: readonly SasName[] = ['ss', 'srt']
const SERVICE_ONLY_NAMES: readonly SasName[] = ['sr', 'si', 'tn']

const REQUIRED: Readonly<Record<SasKind, readonly SasName[]>> = {
  'account': ['ss', 'srt', 'sp', 'se'],
  'service': ['sp', 'se'],
  'user-delegation': ['sp', 'se'],
}

/**
 * Reads the token of a query that holds a `sig`. Refuses with `sas-mixed`, `sas-malformed` (`sv`), `sas-version`,
 * `sas-protocol-value`, and `sas-signature` for fields that are missing, not well formed, or there without being signed.
 */
export function readSas(query: SasQuery, service: ServiceName): SasToken {
  const { values } = query
  const kind = classify(values)
  const version = readVersion(values.sv, kind)
  const layout = layoutFor(kind, SERVICES[service].resourceWord, version)
  if (layout === undefined) forbid('sas-version', kind, version < '2015-04-05' ? NO_PROTOCOL : NO_LAYOUT, { version })
  checkProtocol(values.spr, kind)
  if (!isSignature(values.sig ?? '')) forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'sig' })
  checkFields(values, layout)
  // Lines are joined by line feeds: a value that held one could stand for two lines (and none needs one).
  if (query.lineFeed) forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'line feed' })
  return { kind, version, layout, query, values }
}

/** Step 4. Until the kinds are told apart a refusal names none. */
function classify(values: Readonly<SasValues>): SasKind {
  const delegation = firstPresent(values, DELEGATION_NAMES)
  if (firstPresent(values, ACCOUNT_NAMES) !== undefined) {
    const other = firstPresent(values, SERVICE_ONLY_NAMES) ?? delegation
    if (other !== undefined) rejectParameter('sas-mixed', other, 'The parameter does not belong to an account SAS.')
    return 'account'
  }
  if (delegation === undefined) return 'service'
  if (values.si !== undefined) rejectParameter('sas-mixed', 'si', 'The parameter does not belong to a user delegation SAS.')
  requireFields(values, DELEGATION_NAMES, 'user-delegation')
  return 'user-delegation'
}

/** Step 5; without a version there is no protocol line. */
function readVersion(sv: string | undefined, kind: SasKind): string {
  if (sv === undefined) forbid('sas-version', kind, NO_PROTOCOL)
  if (!isDate(sv)) rejectParameter('sas-malformed', 'sv', 'The value is not a service version.', kind)
  return sv
}

/** Step 6. The service's own comparison is exact, so ours is. */
function checkProtocol(spr: string | undefined, kind: SasKind): void {
  if (spr === undefined || spr === '' || spr === 'https' || spr === 'https,http') return
  rejectParameter('sas-protocol-value', 'spr', 'The value is neither https nor https,http.', kind)
}

/** Spec/sas.md 9: a stored access policy may hold what is not in the token. 7.3: nothing rides along unsigned. */
function checkFields(values: Readonly<SasValues>, { kind, riders }: Layout): void {
  if (values.si === undefined || values.si === '') requireFields(values, REQUIRED[kind], kind)
  const rider = firstPresent(values, riders)
  if (rider !== undefined) forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'not signed', parameter: rider })
}

function requireFields(values: Readonly<SasValues>, names: readonly SasName[], kind: SasKind): void {
  for (const name of names) {
    if (values[name] === undefined || values[name] === '') forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'missing', parameter: name })
  }
}

function firstPresent(values: Readonly<SasValues>, names: readonly SasName[]): SasName | undefined {
  for (const name of names) if (values[name] !== undefined) return name
  return undefined
}
