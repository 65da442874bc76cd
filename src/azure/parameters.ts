// The query parameters that decide which operation a request is. They count only as the reference pages spell them, and only
// once: the service ignores case and decodes names, so a second reading of a disguised name could be another operation.

/** The parameters that choose an operation, and their values as they came. */
export interface DecidingParameters {
  readonly comp?: string
  readonly restype?: string
  readonly resource?: string
  readonly action?: string
  readonly peekonly?: string
}

type Deciding = keyof DecidingParameters

const DECIDING: ReadonlySet<string> = new Set(['comp', 'restype', 'resource', 'action', 'peekonly'] satisfies Deciding[])
/** Every parameter of the five services, beside those of a SAS, which `sas/query.ts` judges. */
const DOCUMENTED: readonly string[] = [
  ...DECIDING,
  'timeout', 'prefix', 'delimiter', 'marker', 'startFrom', 'endBefore', 'maxresults', 'maxResults', 'include', 'showonly', 'where',
  'snapshot', 'versionid', 'prevsnapshot', 'deletetype', 'sharesnapshot', 'prevsharesnapshot', 'api-version',
  'blockid', 'blocklisttype', 'copyid',
  'popreceipt', 'visibilitytimeout', 'messagettl', 'numofmessages',
  'recursive', 'directory', 'continuation', 'upn', 'mode', 'position', 'retainUncommittedData', 'close', 'flush', 'paginated',
  'fsAction', 'forceFlag', 'beginFrom', 'sourceleaseid',
  '$filter', '$top', '$select', '$format', 'NextPartitionKey', 'NextRowKey', 'NextTableName',
]
const SPELLINGS: ReadonlySet<string> = new Set(DOCUMENTED)
const FOLDED: ReadonlySet<string> = new Set(DOCUMENTED.map(fold))

/** Reads the deciding parameters of a query (without its `?`); undefined where a parameter is disguised or stands twice. */
export function decidingParameters(query: string | undefined): DecidingParameters | undefined {
  if (query === undefined || query === '') return {}
  const found: Record<string, string> = {}
  const seen = new Set<string>()
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const written = equals < 0 ? part : part.slice(0, equals)
    const name = documentedName(written)
    if (name === undefined || seen.has(fold(name))) return undefined
    seen.add(fold(name))
    if (DECIDING.has(name)) found[name] = equals < 0 ? '' : part.slice(equals + 1)
  }
  return found
}

/** Returns a parameter's value, decoded; undefined where it is missing or malformed. Call after `decidingParameters`. */
export function parameterValue(query: string | undefined, name: string): string | undefined {
  for (const part of query?.split('&') ?? []) {
    const equals = part.indexOf('=')
    if (equals > 0 && decode(part.slice(0, equals)) === name) return decode(part.slice(equals + 1))
  }
  return undefined
}

/** The name as it is documented; an unknown one decoded. Undefined where a documented name is written in another way. */
function documentedName(written: string): string | undefined {
  if (SPELLINGS.has(written)) return written
  const decoded = decode(written)
  if (decoded === undefined) return undefined
  // Clients write the `$` of OData as `%24`; no other character of a documented name needs an escape.
  if (written.startsWith('%24') && !written.includes('%', 1) && SPELLINGS.has(decoded)) return decoded
  return FOLDED.has(fold(decoded)) ? undefined : decoded
}

/** One form for all spellings that any reader could take for the same name. */
function fold(name: string): string {
  return name.normalize('NFKC').replaceAll(/[\s\p{C}]/gu, '').toUpperCase().toLowerCase()
}

function decode(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
