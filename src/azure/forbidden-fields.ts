// Header fields that no rule of an office allows, since they reach beyond the resource in the request's path or change what
// an operation is (contract section 10.3).

/** What each of these would do is in the reference pages of the operation that reads it. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  // Another method than that of the request line.
  'x-http-method', 'x-http-method-override', 'x-method-override',
  // Access for others: lists of rights, and containers open to everyone.
  'x-ms-acl', 'x-ms-blob-public-access',
  // Undelete and rename of containers and shares.
  'x-ms-deleted-container-name', 'x-ms-deleted-container-version', 'x-ms-source-container-name',
  'x-ms-deleted-share-name', 'x-ms-deleted-share-version', 'x-ms-source-share-name',
  // Immutability and legal hold.
  'x-ms-immutability-policy-until-date', 'x-ms-immutability-policy-mode', 'x-ms-legal-hold',
  // Credentials of others, and sources beside those that are judged.
  'x-ms-copy-source-authorization', 'x-ms-previous-snapshot-url',
])
/** The sources that are judged on their own; a name without the `x-ms-` is no field of the service. */
const SOURCES: ReadonlySet<string> = new Set(['x-ms-copy-source', 'x-ms-rename-source', 'x-ms-file-rename-source'])
const METADATA = 'x-ms-meta-'
/** Anything that a reader could follow. */
const URL_VALUE = /^[\s"'<(]*(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}/i
/** A soft-deleted path of the same filesystem, by its number. */
const UNDELETE_SOURCE = /^\?deletionid=\d{1,20}$/

/** Returns the name, in lower case, of the first field of a flat list that is never allowed; undefined where all may pass. */
export function forbiddenField(raw: readonly string[]): string | undefined {
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    if (name.startsWith('x-') && isForbidden(name, raw[i + 1] ?? '')) return name
  }
  return undefined
}

function isForbidden(name: string, value: string): boolean {
  if (FORBIDDEN.has(name)) return true
  if (!name.startsWith('x-ms-') || name.startsWith(METADATA) || SOURCES.has(name)) return false
  return name === 'x-ms-undelete-source' ? !UNDELETE_SOURCE.test(value) : URL_VALUE.test(value)
}
