// What the tables of operations are made of: a service says at which level of the account a request aims and what selects
// the operation there; level, method and selector together find the row.
import type { DecidingParameters } from '../parameters.ts'

export const RIGHTS = ['read', 'list', 'write', 'delete'] as const
export type Right = (typeof RIGHTS)[number]

/** What an operation touches. An account has no name here: it is that of the host. */
export type ResourceKind = 'account' | 'container' | 'share' | 'queue' | 'table'

export interface Row {
  readonly name: string
  readonly needs: readonly Right[]
}

/** Where a request aims. */
export interface Place {
  readonly level: string
  readonly kind: ResourceKind
  readonly resource: string
  readonly object: string
  /** Empty where nothing but the method selects. */
  readonly selector: string
}

export interface Service {
  /** By `LEVEL METHOD SELECTOR`. */
  readonly rows: ReadonlyMap<string, Row>
  /** Returns undefined where the path or a parameter fits no level. */
  place(decodedPath: string, parameters: DecidingParameters): Place | undefined
}

/** One line: rights, method, selector (`-` for none) and name. */
type Line = readonly [rights: string, methods: string, selector: string, name: string]

/** Makes the rows of one level. Rights are joined by `+`, methods by a blank; `open` needs nothing. */
export function rowsOf(level: string, lines: readonly Line[]): [string, Row][] {
  return lines.flatMap(([rights, methods, selector, name]) => {
    const needs = rights === 'open' ? [] : RIGHTS.filter((right) => rights.split('+').includes(right))
    return methods.split(' ').map((method): [string, Row] => [`${level} ${method} ${selector === '-' ? '' : selector}`, { name, needs }])
  })
}

/** What every service has at its root. */
export const SERVICE_ROWS: readonly [string, Row][] = rowsOf('service', [
  ['open', 'GET', 'properties', 'Get Service Properties'],
  ['open', 'GET', 'stats', 'Get Service Stats'],
])

/** Splits a path at its first slash behind the leading one; `object` is undefined where there is none. */
export function splitPath(decodedPath: string): { readonly first: string; readonly object: string | undefined } {
  const slash = decodedPath.indexOf('/', 1)
  return slash < 0 ? { first: decodedPath.slice(1), object: undefined } : { first: decodedPath.slice(1, slash), object: decodedPath.slice(slash + 1) }
}

/** Returns the place of a request to the account itself. */
export function accountPlace(level: string, selector = ''): Place {
  return { level, kind: 'account', resource: '', object: '', selector }
}

/** Returns true where no parameter but `allowed` selects anything. */
export function onlyThese(parameters: DecidingParameters, ...allowed: readonly (keyof DecidingParameters)[]): boolean {
  return Object.keys(parameters).every((name) => (allowed as readonly string[]).includes(name))
}

/** Containers, shares and queues; a name with `$` only where the service knows it. */
export const PLAIN_NAME = /^[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])$/
