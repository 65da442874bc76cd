// Which resource a token was signed for, read from the request's path (spec/sas.md 6). Where the specification leaves two
// readings, both are given; the signature decides, and the token is signed again with the reading that verified (6.5).
import { SERVICES, type ServiceName } from '../azure/services.ts'
import type { SasValues } from './fields.ts'
import { NOT_WELL_FORMED, WRONG_LEVEL, forbid } from './error-details.ts'
import type { SasToken } from './token.ts'

/** One way to read a request: canonicalized resource and snapshot line. */
export interface Reading {
  readonly resource: string
  readonly snapshot: string
}

/** Names within an account, the first of them without a slash before it; snapshot where it is signed. */
interface Place {
  readonly name: string
  readonly snapshot?: string | undefined
}

type Values = Readonly<SasValues>
/** The readings, likeliest first; none where the target has no such level. */
type Level = (path: string, values: Values) => readonly Place[]

const BLOB_LEVELS: ReadonlyMap<string, Level> = new Map<string, Level>([
  ['b', (path, { snapshot }) => blob(path, '', snapshot)],
  ['bs', (path, { snapshot }) => blob(path, snapshot)],
  ['bv', (path, { versionid }) => blob(path, versionid)],
  ['c', container],
  ['d', (path, { sdd }) => directory(path, sdd)],
])
const FILE_LEVELS: ReadonlyMap<string, Level> = new Map<string, Level>([
  ['s', topLevel],
  ['f', (path) => (restOf(path) === '' ? [] : [{ name: path }])],
])

const WITHOUT_RESOURCE: readonly Reading[] = [{ resource: '', snapshot: '' }]
const WHOLE_NUMBER = /^\d{1,4}$/

/**
 * The readings of a token at a decoded path (leading slash, no account in it), at most two. Refuses with `sas-resource`
 * for an `sr` or `sdd` that does not fit the path, `sas-signature` where a needed `sr` is missing.
 */
export function readingsOf(token: SasToken, decodedPath: string, service: ServiceName, account: string): readonly Reading[] {
  if (token.kind === 'account') return WITHOUT_RESOURCE
  const places = levelOf(token, service)(decodedPath.slice(1), token.values)
  if (places.length === 0) forbid('sas-resource', token.kind, WRONG_LEVEL)
  const root = `/${SERVICES[service].resourceWord}/${account}/`
  return places.map(({ name, snapshot = '' }) => ({ resource: root + name, snapshot }))
}

/** Returns the same reading in another account: the one whose key signs what goes upstream. */
export function readingIn({ resource, snapshot }: Reading, account: string): Reading {
  return { resource: resource.replace(/^(\/[a-z]+\/)[^/]+/, (_, word: string) => word + account), snapshot }
}

/**
 * `tn` is not signed as such, so where the path names a table it has to be the same one, whatever the case; a batch names
 * none (spec/sas.md 6.4). Refuses with `sas-resource`.
 */
export function checkTable(token: SasToken, decodedPath: string, service: ServiceName): void {
  if (service !== 'table' || token.kind === 'account') return
  const tn = token.values.tn ?? ''
  const table = tableOf(decodedPath.slice(1))
  if (tn === '' || table === '' || table.toLowerCase() === tn.toLowerCase()) return
  forbid('sas-resource', token.kind, WRONG_LEVEL, { why: 'tn' })
}

function levelOf({ kind, values }: SasToken, service: ServiceName): Level {
  if (service === 'queue') return topLevel
  if (service === 'table') return signedTable
  const { sr } = values
  if (sr === undefined || sr === '') forbid('sas-signature', kind, NOT_WELL_FORMED, { why: 'missing', parameter: 'sr' })
  return (service === 'file' ? FILE_LEVELS : BLOB_LEVELS).get(sr) ?? forbid('sas-resource', kind, WRONG_LEVEL, { why: 'sr' })
}

/** A path of one segment is a blob in the root container (6.3). The second reading is for libraries that sign the snapshot with `sr=b`. */
function blob(path: string, ...snapshots: readonly (string | undefined)[]): readonly Place[] {
  const name = path.includes('/') ? path : `$root/${path}`
  if (path === '' || restOf(name) === '') return []
  const [first, second] = snapshots
  return second === undefined || second === '' ? [{ name, snapshot: first }] : [{ name, snapshot: first }, { name, snapshot: second }]
}

/** A single segment names a container, or a blob in the root container. */
function container(path: string): readonly Place[] {
  const name = firstOf(path)
  if (name === '') return path === '' ? [{ name: '$root' }] : []
  return name === path ? [{ name }, { name: '$root' }] : [{ name }]
}

/** The first `sdd` segments below the container; some page writes the directory with a slash at the end (19.3). */
function directory(path: string, sdd = ''): readonly Place[] {
  const [name = '', ...below] = path.split('/')
  const depth = Number(sdd)
  if (name === '' || !WHOLE_NUMBER.test(sdd) || below.length < depth) return []
  const signed = [name, ...below.slice(0, depth)].join('/')
  return [{ name: signed }, { name: `${signed}/` }]
}

/** A queue or share, also for a path below it. */
function topLevel(path: string): readonly Place[] {
  const name = firstOf(path)
  return name === '' ? [] : [{ name }]
}

function signedTable(path: string, { tn }: Values): readonly Place[] {
  const name = tn === undefined || tn === '' ? tableOf(path) : tn
  return name === '' ? [] : [{ name: name.toLowerCase() }]
}

/** Everything before the key in parentheses; `''` where the path names no table. */
function tableOf(path: string): string {
  const key = path.indexOf('(')
  const name = key < 0 ? path : path.slice(0, key)
  return name === '$batch' ? '' : name
}

function firstOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? path : path.slice(0, slash)
}

function restOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(slash + 1)
}
