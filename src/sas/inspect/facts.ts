// What a token says, explained: where, what, when, from where. Read from decoded values, believed by nobody.
import type { ServiceName } from '../../azure/services.ts'
import type { SasKind, SasName, SasValues } from '../fields.ts'
import { type Resource, permissionFor } from '../mint/permissions.ts'
import { shown, visible } from '../mint/wish.ts'
import { parseTime } from '../times.ts'

export interface ExplainedLetter {
  readonly letter: string
  readonly means: string
}

export interface TokenFacts {
  readonly kind: SasKind | null
  readonly version: string | null
  /** In words: what the token is for. */
  readonly resource: string
  readonly permissions: readonly ExplainedLetter[]
  /** The stored access policy that says what the token does not. */
  readonly identifier: string | null
  /** ISO 8601 in UTC; null where the token has none, or none that can be read. */
  readonly startsOn: string | null
  readonly expiresOn: string | null
  /** As the service reads it: none means both. */
  readonly protocol: string
  /** Addresses that may use it; null for any. */
  readonly addresses: string | null
  /** What else it says, in words. */
  readonly also: readonly string[]
}

const BLOB_RESOURCES: Readonly<Record<string, Resource>> = { b: 'blob', bs: 'blob', bv: 'blob', c: 'container', d: 'directory' }
const SERVICE_LETTERS: Readonly<Record<string, string>> = { b: 'blob', q: 'queue', t: 'table', f: 'file' }
const TYPE_LETTERS: Readonly<Record<string, string>> = { s: 'service', c: 'container', o: 'object' }

const OVERRIDES: readonly (readonly [SasName, string])[] = [
  ['rscc', 'Cache-Control'], ['rscd', 'Content-Disposition'], ['rsce', 'Content-Encoding'], ['rscl', 'Content-Language'], ['rsct', 'Content-Type'],
]

type Values = Readonly<SasValues>

/** Explains the values of a token for `service`, at a decoded path without account. */
export function factsOf(values: Values, kind: SasKind | null, service: ServiceName, decodedPath: string): TokenFacts {
  const resource = resourceFor(values, kind, service)
  return {
    kind,
    version: values.sv === undefined ? null : shown(values.sv),
    resource: kind === 'account' ? accountWords(values) : placeWords(values, resource, decodedPath),
    permissions: explain(values.sp ?? '', resource),
    identifier: given(values.si) ? shown(values.si) : null,
    startsOn: isoTime(values.st),
    expiresOn: isoTime(values.se),
    protocol: given(values.spr) ? shown(values.spr) : 'https,http',
    addresses: given(values.sip) ? shown(values.sip) : null,
    also: [...alsoOf(values)],
  }
}

/** Whose letters `sp` are. */
function resourceFor({ sr = '' }: Values, kind: SasKind | null, service: ServiceName): Resource {
  if (kind === 'account') return 'account'
  if (service === 'queue' || service === 'table') return service
  if (service === 'file') return sr === 'f' ? 'file' : 'share'
  return BLOB_RESOURCES[sr] ?? 'blob'
}

function explain(sp: string, resource: Resource): ExplainedLetter[] {
  return sp.split('').map((letter) => ({ letter: visible(letter), means: permissionFor(resource, letter)?.means ?? 'nothing that is known' }))
}

function accountWords({ ss = '', srt = '' }: Values): string {
  return `the account's services ${namesOf(ss, SERVICE_LETTERS)}; resource types ${namesOf(srt, TYPE_LETTERS)}`
}

function namesOf(letters: string, names: Readonly<Record<string, string>>): string {
  return letters.split('').map((letter) => names[letter] ?? `unknown ${visible(letter)}`).join(', ') || 'none'
}

function placeWords(values: Values, resource: Resource, decodedPath: string): string {
  const path = decodedPath.slice(1)
  const [first = '', ...rest] = path.split('/')
  const words: Readonly<Record<Exclude<Resource, 'account'>, () => string>> = {
    container: () => first,
    blob: () => `${rest.length === 0 ? '$root/' : ''}${path}`,
    directory: () => [first, ...rest.slice(0, Math.max(0, Number(values.sdd ?? 0) || 0))].join('/'),
    share: () => first,
    file: () => path,
    queue: () => first,
    table: () => given(values.tn) ? values.tn : path.replace(/\(.*$/s, ''),
  }
  const name = resource === 'account' ? '' : words[resource]()
  return `${resource} ${visible(name)}${companionOf(values)}${rangeOf(values)}`
}

function companionOf({ sr, snapshot, versionid }: Values): string {
  if (sr === 'bs') return `, snapshot ${given(snapshot) ? shown(snapshot) : 'not named in the URL'}`
  return sr === 'bv' ? `, version ${given(versionid) ? shown(versionid) : 'not named in the URL'}` : ''
}

function rangeOf({ spk, srk, epk, erk }: Values): string {
  return edgeOf('from', spk, srk) + edgeOf('to', epk, erk)
}

function edgeOf(word: string, partition: string | undefined, row: string | undefined): string {
  return given(partition) ? `, ${word} partition ${shown(partition)}${given(row) ? ` row ${shown(row)}` : ''}` : ''
}

function* alsoOf(values: Values): Generator<string> {
  const headers = OVERRIDES.filter(([name]) => given(values[name])).map(([, header]) => header)
  if (headers.length > 0) yield `replies say another ${headers.join(', ')} than what is stored`
  if (given(values.ses)) yield `encryption scope ${shown(values.ses)}`
  if (given(values.skoid)) yield `the user delegation key is of object ${shown(values.skoid)}, tenant ${shown(values.sktid ?? '')}, and ends ${isoTime(values.ske) ?? 'at a time that cannot be read'}`
  if (given(values.sduoid)) yield `only together with a bearer token of user ${shown(values.sduoid)}`
  if (given(values.srh)) yield `only with these request headers as they were signed: ${shown(values.srh)}`
  if (given(values.srq)) yield `only with these parameters as they were signed: ${shown(values.srq)}`
}

function isoTime(text: string | undefined): string | null {
  const time = text === undefined ? undefined : parseTime(text)
  return time === undefined ? null : new Date(time).toISOString().replace('.000Z', 'Z')
}

/** An empty parameter is the same as absent. */
function given(value: string | undefined): value is string {
  return value !== undefined && value !== ''
}
