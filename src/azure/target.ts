// Reads a request target without changing a byte of it, and refuses what two readers could read differently
// (contract section 4; spec/sas.md 7.1; security.md P1, P2).
import { refuse } from '../refusal.ts'

export interface Target {
  /** The path as the client sent it: up to the first `?`, in origin form. */
  readonly path: string
  /** The query as the client sent it, without the `?`; undefined when there is no `?`. */
  readonly query: string | undefined
  /** The path percent-decoded once, as UTF-8; `+` stays a plus. */
  readonly decodedPath: string
}

/** A query longer than this is refused as `headers-too-large` (contract section 4). */
export const QUERY_LIMIT = 8192

const RAW_FORBIDDEN = /[^\x21-\x7e]|[\\#]/
const CONTROL = /[\x00-\x1f\x7f-\x9f]/
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/
const ABSOLUTE = /^https:\/\/([^/?]*)(.*)$/i

/**
 * Splits a raw request target at its first `?`. `host` is the value of the Host header, which an absolute-form target
 * must repeat. Refuses with `target-ambiguous`, or `headers-too-large` for the query.
 */
export function parseTarget(raw: string, host: string): Target {
  if (RAW_FORBIDDEN.test(raw)) refuse('target-ambiguous', { why: 'raw byte' })
  const target = raw.charCodeAt(0) === 0x2f ? raw : originForm(raw, host)
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? undefined : target.slice(mark + 1)
  if (query !== undefined && query.length > QUERY_LIMIT) refuse('headers-too-large', { why: 'query' })
  if (path.startsWith('//')) refuse('target-ambiguous', { why: 'leading slashes' })
  return { path, query, decodedPath: decodePath(path) }
}

/** RFC 9112 section 3.2.2: an absolute-form target is taken where its authority is the Host. */
function originForm(raw: string, host: string): string {
  const parts = ABSOLUTE.exec(raw)
  if (parts === null || parts[1]?.toLowerCase() !== host.toLowerCase()) refuse('target-ambiguous', { why: 'form' })
  const rest = parts?.[2] ?? ''
  return rest.startsWith('/') ? rest : `/${rest}`
}

function decodePath(path: string): string {
  const decoded = path.includes('%') ? decodeOnce(path) : path
  if (decoded.includes('.') && DOT_SEGMENT.test(decoded)) refuse('target-ambiguous', { why: 'dot segment' })
  return decoded
}

function decodeOnce(path: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    refuse('target-ambiguous', { why: 'escape' })
  }
  if (CONTROL.test(decoded)) refuse('target-ambiguous', { why: 'control character' })
  return decoded
}
