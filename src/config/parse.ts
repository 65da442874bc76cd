// From the text of a configuration file to a frozen Config, or to every fault in it.
import { createHash } from 'node:crypto'
import { SERVICE_NAMES, type ServiceName } from '../azure/services.ts'
import { verifyOf } from './client-rules.ts'
import type { Fault } from './fault.ts'
import { readNode, type NamedFile, type Reading } from './read.ts'
import { ruleFaults, ruleWarnings } from './rules.ts'
import { FILE, type AccountConfig, type ApiConfig, type Config, type Node, type Parsed, type Upstream } from './schema.ts'
import { readYaml } from './text.ts'
import { unbuiltFaults } from './unbuilt.ts'
import { completeApiUpstream, completeEndpoint, type Draft } from './upstream.ts'

export interface Surroundings {
  /** The file's name, for faults of its text. */
  readonly file: string
  /** The absolute directory that relative paths start from. */
  readonly directory: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** `files` holds every file that the text names, also where there are faults: as far as they could be read. */
export type ParseResult =
  | { readonly config: Config; readonly digest: string; readonly warnings: readonly Fault[]; readonly files: readonly NamedFile[]; readonly faults?: never }
  | { readonly faults: readonly Fault[]; readonly warnings: readonly Fault[]; readonly files: readonly NamedFile[] }

/**
 * Given the text of a configuration file, returns the Config, complete and deeply frozen, with a digest that is the same
 * for the same text and environment in any directory; or every fault at once.
 */
export function parseConfig(text: string, { file, directory, environment }: Surroundings): ParseResult {
  const yaml = readYaml(text, file)
  if ('faults' in yaml) return { faults: yaml.faults, warnings: [], files: [] }
  const reading: Reading = { environment, resolve: (name) => absolute(name, directory), faults: [], files: [] }
  const draft = (readNode(yaml.value, FILE as Node, '', reading) ?? {}) as Draft
  // A file that is no section at all has one fault: that.
  const whole = reading.faults.some((f) => f.path === '')
  const faults = whole ? reading.faults.map((f) => ({ ...f, path: file })) : [...reading.faults, ...unbuiltFaults(draft), ...ruleFaults(draft, reading.faults)]
  const warnings = ruleWarnings(draft)
  if (faults.length > 0) return { faults, warnings, files: reading.files }
  // Without a fault nothing is missing in the draft.
  return { config: complete(draft as Parsed), digest: digestOf(yaml.value, environment), warnings, files: reading.files }
}

/**
 * Returns the absolute path that `storage.sas.deny` names, whatever else the file says: a token must be revoked at once,
 * not once everything else is in order. Returns the fault where the file is no YAML or names none.
 */
export function denyFileIn(text: string, { file, directory, environment }: Surroundings): { readonly file: string } | { readonly faults: readonly Fault[] } {
  const yaml = readYaml(text, file)
  if ('faults' in yaml) return yaml
  const path = 'storage.sas.deny'
  const value = path.split('.').reduce<unknown>((part, key) => (typeof part === 'object' && part !== null && Object.hasOwn(part, key) ? (part as Readonly<Record<string, unknown>>)[key] : undefined), yaml.value)
  const node = path.split('.').reduce<Node | undefined>((part, key) => part?.properties?.[key], FILE as Node)
  const reading: Reading = { environment, resolve: (name) => absolute(name, directory), faults: [], files: [] }
  if (value === undefined || node === undefined) return { faults: [{ path, found: 'nothing', allowed: 'the name of the file that holds revoked tokens' }] }
  const name = readNode(value, node, path, reading)
  return typeof name === 'string' ? { file: name } : { faults: reading.faults }
}

// The reader makes its objects in the order of the schema, so equal configurations give equal text.
function digestOf(value: unknown, environment: Surroundings['environment']): string {
  const parsed = readNode(value, FILE as Node, '', { environment, resolve: (name) => name, faults: [], files: [] })
  return createHash('sha256').update(JSON.stringify(parsed)).digest('hex')
}

function complete({ storage, apis, ...rest }: Parsed): Config {
  return freeze({
    ...rest,
    ...(storage === undefined ? {} : { storage: { ...storage, accounts: storage.accounts.map(completeAccount) } }),
    apis: apis.map(completeApi),
  })
}

function completeAccount({ blob, dfs, file, queue, table, ...rest }: NonNullable<Parsed['storage']>['accounts'][number]): AccountConfig {
  const services = { blob, dfs, file, queue, table }
  const endpoints: { [S in ServiceName]?: Upstream } = {}
  for (const service of SERVICE_NAMES) {
    const endpoint = services[service]
    if (endpoint !== undefined) endpoints[service] = completeEndpoint(endpoint)
  }
  return { ...rest, ...endpoints }
}

function completeApi(api: Parsed['apis'][number]): ApiConfig {
  const { ca: _ca, serverName: _serverName, insecureLoopback: _insecure, clients, ...rest } = api
  return { ...rest, upstream: completeApiUpstream(api), ...(clients === undefined ? {} : { clients: { ...clients, verify: verifyOf(clients) } }) }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.values(value).forEach(freeze)
  return Object.freeze(value)
}

// node:path would ask the process for its directory, so the few steps are taken here.
function absolute(name: string, directory: string): string {
  const steps: string[] = []
  for (const step of (name.startsWith('/') ? name : `${directory}/${name}`).split('/')) {
    if (step === '..') steps.pop()
    else if (step !== '' && step !== '.') steps.push(step)
  }
  return `/${steps.join('/')}`
}
