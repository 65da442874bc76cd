// What /status says, and the gauges of state: versions, certificates with days left, listeners, routes, counts by reason.
import { readFileSync } from 'node:fs'
import type { Loaded } from '../config/load.ts'
import type { ExposedValues } from '../observe/family.ts'
import type { IssuerCount } from '../observe/issuers.ts'
import type { ClientOffers } from '../observe/offers.ts'
import type { RefusedCount } from '../observe/refused-by.ts'
import type { StateMetrics } from '../observe/metrics.ts'
import { SERVICE_NAMES } from '../azure/services.ts'
import { certificatesOf, daysLeft } from './certificates.ts'
import type { ReloadRecord } from './running.ts'
import { tlsStatusOf } from './tls-status.ts'

/** Address ranges with most refusals that /status lists. */
const RANGES_SHOWN = 100

export interface Versions {
  readonly tidegate: string
  readonly node: string
  readonly openssl: string
  readonly undici: string
  readonly fastify: string
}

interface PackageFile { readonly version: string }

function versionIn(url: URL): string {
  try {
    return (JSON.parse(readFileSync(url, 'utf8')) as PackageFile).version
  } catch {
    return 'unknown'
  }
}

/** The versions that run here. */
export function readVersions(): Versions {
  const root = new URL('../../', import.meta.url)
  return {
    tidegate: versionIn(new URL('package.json', root)),
    node: process.versions.node,
    openssl: process.versions.openssl,
    undici: versionIn(new URL('node_modules/undici/package.json', root)),
    fastify: versionIn(new URL('node_modules/fastify/package.json', root)),
  }
}

/** The oldest versions without known faults (security.md section 2, F8). Node has one for each line that it maintains. */
const MINIMUM: Partial<Record<keyof Versions, readonly string[]>> = { node: ['24.22.1', '26.12.1'], undici: ['7.30.1'], fastify: ['5.12.8'] }

/** Which versions are below the stated minimum, as sentences. */
export function versionWarnings(versions: Versions): string[] {
  return Object.entries(MINIMUM)
    .map(([name, lines]) => ({ name, version: versions[name as keyof Versions], lines }))
    .map((it) => ({ ...it, least: minimumFor(it.version, it.lines) }))
    .filter(({ version, least }) => isBelow(version, least))
    .map(({ name, version, least }) => `${name} ${version} is below ${least}`)
}

/** The minimum of the version's own line, else that of the next older line, else the oldest there is. */
function minimumFor(version: string, lines: readonly string[]): string {
  const major = Number.parseInt(version, 10)
  return lines.findLast((line) => Number.parseInt(line, 10) <= major) ?? lines[0] ?? version
}

function isBelow(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number))
  for (let i = 0; i < 3; i++) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Sets the gauges that the configuration in force decides. */
export function recordState(metrics: StateMetrics, loaded: Loaded, versions: Versions, generation: number): void {
  metrics.certificateExpiry.clear()
  metrics.configInfo.clear()
  for (const { name, use, validUntil } of certificatesOf(loaded)) metrics.certificateExpiry.child(name, use).value = validUntil / 1000
  metrics.namesWithoutCertificate.child().value = loaded.uncovered.length
  metrics.generation.child().value = generation
  metrics.connectionsLimit.child().value = loaded.config.limits.connections
  metrics.configInfo.child(loaded.digest.slice(0, 16)).value = 1
  metrics.buildInfo.child(versions.tidegate, versions.node, versions.openssl).value = 1
}

export interface StatusFacts {
  readonly loaded: Loaded
  readonly generation: number
  readonly reloads: readonly ReloadRecord[]
  readonly versions: Versions
  readonly addresses: object
  /** Of all workers, as one list. */
  readonly numbers: readonly ExposedValues[]
  readonly issuers: readonly IssuerCount[]
  readonly offers: readonly ClientOffers[]
  readonly refusedBy: readonly RefusedCount[]
  readonly missing: readonly string[]
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The body of /status. */
export function statusOf({ loaded, generation, reloads, versions, addresses, numbers, issuers, offers, refusedBy, missing, now }: StatusFacts): object {
  return {
    version: versions.tidegate,
    versions,
    versionWarnings: versionWarnings(versions),
    ready: missing.length === 0,
    missing,
    configuration: { file: loaded.file, generation, hash: loaded.digest.slice(0, 16), warnings: loaded.warnings, reloads },
    certificates: certificatesOf(loaded).map((it) => ({ ...it, validUntil: new Date(it.validUntil).toISOString(), daysLeft: daysLeft(it, now) })),
    namesWithoutCertificate: loaded.uncovered,
    listeners: addresses,
    routes: routesOf(loaded),
    refusals: refusalsIn(numbers),
    refusedBy: refusedBy.slice(0, RANGES_SHOWN).map((entry) => ({ ...entry, lastSeen: new Date(entry.lastSeen).toISOString() })),
    sas: sasStatus(numbers, issuers),
    tls: tlsStatusOf(loaded.config.tls.profile, numbers, offers),
  }
}

/** Tokens by account, kind and outcome; and who brings tokens that would work over plain http: their issuers must be fixed. */
function sasStatus(numbers: readonly ExposedValues[], issuers: readonly IssuerCount[]): object {
  const family = numbers.find(({ name }) => name === 'tidegate_sas_total')
  const outcomes = (family?.values ?? []).filter(({ value }) => value > 0).map(({ labels, value }) => ({ ...labels, count: value }))
  const open = issuers.filter((issuer) => issuer.open > 0)
  return {
    outcomes,
    httpsOnlyEverywhere: open.length === 0,
    mustBeFixed: open.map((issuer) => ({ ...issuer, lastSeen: new Date(issuer.lastSeen).toISOString() })),
  }
}

/** A name that is served, and whereto. */
export interface Route {
  readonly host: string
  readonly prefix?: string
  readonly upstream: string
  /** Metric label: the account or the API. */
  readonly route: string
  readonly service: string
}

/** Every name that the configuration serves. */
export function routesOf({ config }: Loaded): Route[] {
  const storage = (config.storage?.accounts ?? []).flatMap((account) => SERVICE_NAMES.flatMap((service) => {
    const upstream = account[service]
    return upstream === undefined ? [] : [{ host: `${account.name}.${service}.${config.storage?.domain}`, upstream: upstream.url.origin, route: account.name, service }]
  }))
  return [...storage, ...config.apis.map((api) => ({ host: api.host, prefix: api.prefix, upstream: api.upstream.url.origin, route: api.name, service: 'api' }))]
}

function refusalsIn(numbers: readonly ExposedValues[]): Record<string, number> {
  const family = numbers.find(({ name }) => name === 'tidegate_refusals_total')
  return Object.fromEntries((family?.values ?? []).filter(({ value }) => value > 0).map(({ labels, value }) => [labels['reason'] ?? '', value]))
}
