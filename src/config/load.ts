// Reads a configuration with every file that it names, and takes all of them or none: each fault of the text and of the
// files is told at once.
import { dirname, resolve } from 'node:path'
import type { KeyObject } from 'node:crypto'
import type { DeniedTokens } from '../sas/denied.ts'
import type { UserDelegationKey } from '../sas/signing-keys.ts'
import type { Credential, TrustBundle } from '../tls/credential.ts'
import type { RevocationList } from '../tls/crl.ts'
import { readContents, type Contents } from './contents.ts'
import { appendableHere, foundFile, readAll, readBounded, type Appendable, type FileRead, type ReadFile } from './disk.ts'
import type { Fault } from './fault.ts'
import { coverageOf, servedNames } from './names.ts'
import { parseConfig } from './parse.ts'
import type { NamedFile } from './read.ts'
import type { Config } from './schema.ts'
import { placesIn } from './text.ts'

export interface Loaded {
  /** Absolute path of the configuration file. */
  readonly file: string
  readonly config: Config
  /** SHA-256 of the parsed configuration, hex; the same in every replica. */
  readonly digest: string
  /** In the order of `tls.certificates`. */
  readonly credentials: readonly Credential[]
  /** Names that clients use and that none of the certificates covers. */
  readonly uncovered: readonly string[]
  /** Of the APIs with a `clientCertificate`, by the API's name. */
  readonly clientCredentials: ReadonlyMap<string, Credential>
  /** By the account's name, newest first; an account without keys has an empty list. */
  readonly accountKeys: ReadonlyMap<string, readonly KeyObject[]>
  /** By the account's name. */
  readonly delegationKeys: ReadonlyMap<string, readonly UserDelegationKey[]>
  /** The authorities of client certificates, and their revocation lists; undefined where none are asked for. */
  readonly clientTrust: ClientTrust | undefined
  /** What replicas derive their session ticket keys from; undefined where each makes its own. */
  readonly ticketSecret: Buffer | undefined
  /** The revoked tokens of `storage.sas.deny`. */
  readonly denied: DeniedTokens | undefined
  /** Fields that go with each export of spans; credentials as a rule. */
  readonly traceHeaders: Readonly<Record<string, string>>
  /** By the absolute path that `Upstream.ca` names. */
  readonly trust: ReadonlyMap<string, TrustBundle>
  readonly warnings: readonly Fault[]
  /** Absolute paths of all files that the configuration names and that were read; not the configuration itself. */
  readonly files: readonly string[]
  /** What was read, the configuration too, by absolute path: a worker is given this, never what the disk holds later. */
  readonly contents: ReadonlyMap<string, FileRead>
}

export interface ClientTrust {
  readonly bundle: TrustBundle
  readonly lists: readonly RevocationList[]
}

/** Returns whether any name may need a client certificate. */
export function asksForCertificates(config: Config | undefined): boolean {
  return config !== undefined && (config.tls.clients.verify !== 'none' || config.apis.some(({ clients }) => clients !== undefined && clients.verify !== 'none'))
}

/** The configuration cannot be used. */
export class ConfigFaults extends Error {
  readonly file: string
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]

  constructor(file: string, faults: readonly Fault[], warnings: readonly Fault[]) {
    super(`${faults.length} faults in ${file}`)
    this.name = 'ConfigFaults'
    this.file = file
    this.faults = faults
    this.warnings = warnings
  }
}

export interface Circumstances {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** ms since the epoch. */
  readonly now: number
  /** The configuration is to be served: that no name has a certificate is a fault then. Commands that only read it pass nothing. */
  readonly serves?: boolean
  /** Where files come from; the disk unless said. */
  readonly read?: ReadFile
  /** True if what is written can be; on the disk unless said. */
  readonly appendable?: Appendable
}

/** Given the name of a configuration file, returns the configuration with what its files hold, or throws ConfigFaults. */
export async function loadConfig(name: string, { environment, now, serves = false, read = readBounded, appendable = appendableHere }: Circumstances): Promise<Loaded> {
  const file = resolve(name)
  const text = await read(file)
  if (typeof text === 'string') throw new ConfigFaults(file, [{ path: file, found: text, allowed: 'a file that can be read' }], [])
  const parsed = parseConfig(text.bytes.toString('utf8'), { file, directory: dirname(file), environment })
  const named = parsed.files.filter(({ use }) => use !== 'written' && use !== 'inventory' && ((use !== 'client-ca' && use !== 'crl') || asksForCertificates('config' in parsed ? parsed.config : undefined)))
  const held = await readAll(named.map((n) => n.file), read)
  const contents = readContents(named, held, now)
  const warnings = [...parsed.warnings, ...contents.warnings]
  const faults = [...(parsed.faults ?? []), ...contents.faults, ...await unwritable(parsed.files, appendable)]
  const placed = placer(text.bytes.toString('utf8'), file)
  if (parsed.faults !== undefined || faults.length > 0) throw new ConfigFaults(file, placed(faults), placed(warnings))
  const { config, digest } = parsed
  const arranged = arrange(config, contents)
  const coverage = coverageOf(servedNames(config), arranged.credentials)
  if (serves && coverage.faults.length > 0) throw new ConfigFaults(file, placed(coverage.faults), placed(warnings))
  const told = placed([...warnings, ...coverage.warnings])
  return Object.freeze({ file, config, digest, ...arranged, uncovered: coverage.uncovered, warnings: told, files: [...new Set(named.map((n) => n.file))], contents: kept(file, text, held) })
}

/** Returns what puts its place in the text on each fault; the text is read for that only where there is a fault. */
function placer(text: string, file: string): (faults: readonly Fault[]) => Fault[] {
  let placeOf: ReturnType<typeof placesIn> | undefined
  return (faults) => faults.map((fault) => {
    if (fault.line !== undefined) return fault
    placeOf ??= placesIn(text)
    return { ...fault, ...placeOf(fault.path === file ? '' : fault.path) }
  })
}

async function unwritable(files: readonly NamedFile[], appendable: Appendable): Promise<Fault[]> {
  const written = files.filter(({ use }) => use === 'written')
  const found = await Promise.all(written.map(({ file }) => appendable(file)))
  return written.flatMap(({ path, file }, i) => (found[i] === undefined ? [] : [{ path, found: foundFile(file, found[i] ?? ''), allowed: 'a file that can be appended to' }]))
}

function kept(file: string, text: FileRead, held: ReadonlyMap<string, FileRead | string>): ReadonlyMap<string, FileRead> {
  const files = [...held].filter((entry): entry is [string, FileRead] => typeof entry[1] !== 'string')
  return new Map([[file, text], ...files])
}

const present = <T>(items: readonly (T | undefined)[]): T[] => items.filter((item) => item !== undefined)

type Arranged = Pick<Loaded, 'credentials' | 'clientCredentials' | 'accountKeys' | 'delegationKeys' | 'ticketSecret' | 'denied' | 'traceHeaders' | 'clientTrust' | 'trust'>

function arrange(config: Config, { credentials, keys, delegationKeys, ticketSecrets, denied, traceHeaders, clientCas, lists, trust }: Contents): Arranged {
  return {
    credentials: present(config.tls.certificates.map((_, i) => credentials.get(`tls.certificates[${i}]`))),
    clientCredentials: new Map(config.apis.flatMap((api, i) =>
      present([credentials.get(`apis[${i}].clientCertificate`)]).map((credential) => [api.name, credential] as const))),
    accountKeys: new Map((config.storage?.accounts ?? []).map((account, i) =>
      [account.name, present(account.keys.map((_, k) => keys.get(`storage.accounts[${i}].keys[${k}]`)))] as const)),
    delegationKeys: new Map((config.storage?.accounts ?? []).map((account, i) =>
      [account.name, present((account.userDelegationKeys ?? []).map((_, k) => delegationKeys.get(`storage.accounts[${i}].userDelegationKeys[${k}]`)))] as const)),
    ticketSecret: ticketSecrets[0],
    denied: denied[0],
    traceHeaders: traceHeaders[0] ?? {},
    clientTrust: clientCas[0] === undefined ? undefined : { bundle: clientCas[0], lists },
    trust,
  }
}
