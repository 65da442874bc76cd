// Paths that an upstream may read otherwise than the gateway does. Where routes of one host have different rules, a path that
// leads to another route once it is folded would reach a guarded prefix through an open one; and a segment that some
// servers take for `..` would leave its prefix (contract section 4, "Targets"; security.md F3).
import { refuse } from '../refusal.ts'
import type { PeerRules } from '../tls/peer.ts'
import { isApis, matchPrefix, type ApiRoute, type Route, type Site } from './routes.ts'

/** Every server that we know reads a path without these in the same way; most paths are like that. */
const ODD = /[%;A-Z]|\/\/|\.(?:\/|$)/
/** A run of escapes. What of it cannot be decoded stays as it is, so that one bad escape does not hide the others. */
const ESCAPES = /(?:%[0-9a-f]{2})+/gi
const ASCII_ESCAPE = /%[0-7][0-9a-f]/gi
/** The parameters of a segment, for servers that know `/` alone as its end, and for those that know `\` too. */
const PARAMETERS = [/;[^/]*/g, /;[^/\\]*/g]
/** Parameters of a segment; `?` and `#` end a path for servers that decode before they split. */
const REST = /[;?#].*$/s
const DOTS_AND_BLANKS = /^[\s\0.]+$/

/**
 * Refuses with `target-ambiguous` a path on an API's host that an upstream may take for another one. `path` is as it was
 * sent; `common` are the rules of routes that have none of their own.
 */
export function refuseDisguises(site: Site, route: Route, path: string, common: PeerRules): void {
  if (!isApis(site)) return
  const folded = foldedRoutes(site, common)
  if (!ODD.test(path) && folded?.oddPrefix !== true) return
  const { sent, decoded } = readingsOf(path)
  if (sent.some(hasDotSegment) || decoded.some(hasDotSegment)) refuse('target-ambiguous', { why: 'dot segment in disguise' })
  if (folded !== undefined && decoded.some((form) => leadsElsewhere(folded, route, form))) refuse('target-ambiguous', { why: 'folds to another route' })
}

/** What servers make of a path that decode it never, or up to twice, and cut parameters before, between or after that. */
function readingsOf(path: string): { sent: readonly string[]; decoded: readonly string[] } {
  const sent = withoutParameters([path])
  const once = withoutParameters(sent.map(decode))
  return { sent, decoded: [...new Set([...once, ...withoutParameters(once.map(decode))])] }
}

function withoutParameters(forms: readonly string[]): readonly string[] {
  return [...new Set(forms.flatMap((form) => (form.includes(';') ? [form, ...PARAMETERS.map((pattern) => form.replaceAll(pattern, ''))] : [form])))]
}

/** Full-width dots and slashes count too: some servers fold them to their ASCII forms. */
function hasDotSegment(form: string): boolean {
  return form.normalize('NFKC').split(/[/\\]/).some(isDots)
}

function isDots(segment: string): boolean {
  const bare = segment.replace(REST, '')
  return bare.includes('.') && DOTS_AND_BLANKS.test(bare)
}

/** The routes of a host whose rules differ, longest folded prefix first. */
interface FoldedRoutes {
  readonly routes: readonly { readonly prefix: string; readonly route: ApiRoute }[]
  readonly rules: ReadonlyMap<Route, string>
  /** Some prefix is not what it folds to, so that a plain path may lead to it. */
  readonly oddPrefix: boolean
}

/** Made once for each host: a reload makes new sites. */
const known = new WeakMap<readonly ApiRoute[], FoldedRoutes | 'alike'>()

function foldedRoutes(site: readonly ApiRoute[], common: PeerRules): FoldedRoutes | undefined {
  let folded = known.get(site)
  if (folded === undefined) known.set(site, (folded = foldRoutes(site, common)))
  return folded === 'alike' ? undefined : folded
}

function foldRoutes(site: readonly ApiRoute[], common: PeerRules): FoldedRoutes | 'alike' {
  const rules = new Map<Route, string>(site.map((route) => [route, rulesOf(route, common)]))
  if (new Set(rules.values()).size < 2) return 'alike'
  const routes = site.map((route) => ({ prefix: foldPath(route.prefix), route }))
  return { rules, oddPrefix: site.some(({ prefix }) => foldPath(prefix) !== prefix), routes: routes.toSorted((a, b) => b.prefix.length - a.prefix.length) }
}

/** Everything that decides who may use a route, as text to compare. */
function rulesOf({ clients }: ApiRoute, common: PeerRules): string {
  const { verify, allow } = clients ?? common
  return JSON.stringify([verify, verify === 'none' ? null : allow?.toSorted() ?? null])
}

/** A path that no folded prefix holds leads nowhere else. Routes with the same rules may be taken for each other. */
function leadsElsewhere({ routes, rules }: FoldedRoutes, route: Route, form: string): boolean {
  const other = matchPrefix(routes, foldPath(form))?.route
  return other !== undefined && rules.get(other) !== rules.get(route)
}

/**
 * Folds a path as far as any server does: letters in one case, `\` and repeated slashes as one `/`, segments without
 * parameters and without dots and blanks at their end.
 */
function foldPath(path: string): string {
  const segments = path.normalize('NFKC').toUpperCase().toLowerCase().split(/[/\\]+/)
  return segments.map((segment) => withoutEnd(segment.replace(REST, ''))).join('/').replaceAll(/\/{2,}/g, '/').replace(/\/$/, '')
}

/** By hand: as an expression, dots before another character would cost their number squared. */
function withoutEnd(segment: string): string {
  let end = segment.length
  while (end > 0 && DOTS_AND_BLANKS.test(segment.charAt(end - 1))) end--
  return segment.slice(0, end)
}

function decode(text: string): string {
  return text.includes('%') ? text.replaceAll(ESCAPES, (run) => whole(run) ?? run.replaceAll(ASCII_ESCAPE, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))) : text
}

function whole(run: string): string | undefined {
  try {
    return decodeURIComponent(run)
  } catch {
    return undefined
  }
}
