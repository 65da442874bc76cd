// The names that clients use, against the names that our certificates cover: a gateway with which nobody can connect says so.
import { SERVICE_NAMES } from '../azure/services.ts'
import type { Credential } from '../tls/credential.ts'
import type { Fault } from './fault.ts'
import type { Config } from './schema.ts'

/** A name that the configuration serves, and the key that makes it one. */
export interface ServedName {
  readonly path: string
  readonly name: string
}

const SHOWN = 4

/** Returns every host name that clients may ask for, each once. */
export function servedNames({ storage, apis }: Config): ServedName[] {
  const accounts = (storage?.accounts ?? []).flatMap((account, index) => SERVICE_NAMES.flatMap((service): ServedName[] => {
    const upstream = account[service]
    if (upstream === undefined) return []
    const path = `storage.accounts[${index}].${service}`
    const secondary = upstream.secondary === undefined ? [] : [{ path: `${path}.secondary`, name: `${account.name}-secondary.${service}.${storage?.domain}` }]
    return [{ path, name: `${account.name}.${service}.${storage?.domain}` }, ...secondary]
  }))
  const hosts = apis.map(({ host }, index): ServedName => ({ path: `apis[${index}].host`, name: host }))
  const seen = new Set<string>()
  return [...accounts, ...hosts].filter(({ name }) => !seen.has(name) && seen.add(name) !== undefined)
}

/** Returns whether a certificate is for a host name, as clients judge it (RFC 9525): by its subject alternative names alone. */
export function covers({ chain: [leaf] }: Credential, name: string): boolean {
  return leaf?.checkHost(name, { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false, singleLabelSubdomains: false }) !== undefined
}

/** What the names come to. */
export interface Coverage {
  /** Served names that no certificate covers. */
  readonly uncovered: readonly string[]
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]
}

/**
 * Compares names with certificates. That none is covered is a fault, since no client that verifies could connect; a single
 * name is a warning.
 */
export function coverageOf(names: readonly ServedName[], credentials: readonly Credential[]): Coverage {
  const uncovered = names.filter(({ name }) => !credentials.some((credential) => covers(credential, name)))
  const theirs = listed([...new Set(credentials.flatMap((credential) => credential.names))])
  const told = uncovered.map(({ name }) => name)
  if (uncovered.length === 0) return { uncovered: told, faults: [], warnings: [] }
  if (uncovered.length === names.length) {
    const found = `certificates for ${theirs}, which cover none of the names that clients use: ${listed(told)}`
    return { uncovered: told, faults: [{ path: 'tls.certificates', found, allowed: 'a certificate that covers these names' }], warnings: [] }
  }
  return { uncovered: told, faults: [], warnings: uncovered.map(({ path, name }) => ({ path, found: `${name}, which no certificate covers: they are for ${theirs}`, allowed: 'a certificate that covers it' })) }
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no name at all'
  return `${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''}`
}
