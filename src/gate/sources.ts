// Copy and rename sources: URLs in header fields, that the service itself will fetch (spec/sas.md section 14). One that
// would need an edit is refused: it is never waved through.
import { refuse } from '../refusal.ts'
import { hasSignature } from '../sas/admission.ts'

const HEADER_LIMIT = 8192
const ABSOLUTE = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i
const AUTHORITY = /^([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:]+\])\.?(?::\d{1,5})?$/i
const RAW_FORBIDDEN = /[^\x21-\x7e]|\\/

/** Judges the source fields of a request. Refuses with `copy-source-plaintext` or `copy-source-unknown`. */
export function judgeSources(noted: ReadonlyMap<string, string>, knownHosts: ReadonlySet<string>): void {
  for (const name of ['x-ms-copy-source', 'x-ms-file-rename-source']) {
    const source = noted.get(name)
    if (source !== undefined) judgeAbsolute(name, source, knownHosts)
  }
  const rename = noted.get('x-ms-rename-source')
  if (rename !== undefined) judgeRelative('x-ms-rename-source', rename)
}

function judgeAbsolute(name: string, source: string, knownHosts: ReadonlySet<string>): void {
  const parts = RAW_FORBIDDEN.test(source) || source.length > HEADER_LIMIT ? null : ABSOLUTE.exec(source)
  if (parts === null) unknown(name, 'not an absolute URL')
  const [, scheme, authority = '', , query] = parts
  if (scheme?.toLowerCase() !== 'https') refuse('copy-source-plaintext', { field: name }, { HeaderName: name })
  // No userinfo passes here: `@` is not in the pattern.
  const host = AUTHORITY.exec(authority)?.[1]?.toLowerCase()
  if (host === undefined) unknown(name, 'authority')
  if (!knownHosts.has(host)) unknown(name, 'host not configured')
  judgeQuery(name, query)
}

/** dfs rename: `/filesystem/path?SAS` without scheme and host. */
function judgeRelative(name: string, source: string): void {
  if (!source.startsWith('/') || source.startsWith('//') || RAW_FORBIDDEN.test(source)) unknown(name, 'not a path')
  const mark = source.indexOf('?')
  judgeQuery(name, mark < 0 ? undefined : source.slice(mark + 1))
}

function judgeQuery(name: string, query: string | undefined): void {
  if (query !== undefined && hasSignature(query)) unknown(name, 'carries a SAS')
}

function unknown(field: string, why: string): never {
  return refuse('copy-source-unknown', { field, why }, { HeaderName: field })
}
