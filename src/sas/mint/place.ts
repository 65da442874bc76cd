// Where a wished SAS is for: service, signed resource, names, and the path of its URL (spec/sas.md 17.1 steps 2 and 4, and the
// names of 17.2).
import { SERVICES, SERVICE_NAMES, type ServiceName } from '../../azure/services.ts'
import type { Resource } from './permissions.ts'
import { type Faults, type Wish, type WishFlag, type WishOption, checkFitting, fault, shown } from './wish.ts'
import { parseTime } from '../times.ts'

export interface Place {
  readonly service: ServiceName
  readonly resource: Resource
  /** The value of `sr`; undefined where the service has none. */
  readonly sr: string | undefined
  /** Segments below the container, for `sr=d`. */
  readonly depth: number | undefined
  /** Decoded names within the account, as the canonicalized resource has them. */
  readonly name: string
  /** A request parameter that the client sends beside the token: a snapshot or a version of the blob. */
  readonly companion: { readonly name: 'snapshot' | 'versionid'; readonly value: string } | undefined
  /** The first version that knows such a token. */
  readonly from: string
}

interface NameRule {
  readonly pattern: RegExp
  readonly longest: number
  readonly allowed: string
}

const CONTAINER_LIKE = '3 to 63 lower-case letters, digits and single dashes'
const PATH = 'no . or .. segment'
const NAMES: Readonly<Record<'container' | 'share' | 'queue' | 'table' | 'blob' | 'directory' | 'file', NameRule>> = {
  container: { pattern: /^(?:\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,})$/, longest: 63, allowed: `${CONTAINER_LIKE}, or $root, $web, $logs` },
  share: { pattern: /^[a-z0-9](?:-?[a-z0-9]){2,}$/, longest: 63, allowed: CONTAINER_LIKE },
  queue: { pattern: /^[a-z0-9](?:-?[a-z0-9]){2,}$/, longest: 63, allowed: CONTAINER_LIKE },
  table: { pattern: /^[A-Za-z][A-Za-z0-9]{2,}$/, longest: 63, allowed: '3 to 63 letters and digits, a letter first' },
  blob: { pattern: /[^./]$/s, longest: 1024, allowed: `1 to 1024 characters, ${PATH}, no dot or slash at the end` },
  directory: { pattern: /^(?:\/|[^/]+(?:\/[^/]+)*)$/s, longest: 1024, allowed: `1 to 1024 characters, ${PATH}, no empty segment; / for the container's root` },
  file: { pattern: /^[^/]+(?:\/[^/]+)*$/s, longest: 2048, allowed: `1 to 2048 characters, ${PATH}, no empty segment` },
}
/** The gateway counts a backslash as a slash here (azure/target.ts). */
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/

const TERMS: readonly WishOption[] = ['permissions', 'expires', 'starts', 'ip', 'signed-version', 'service']
const OVERRIDES: readonly WishOption[] = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-type']
const FITTING: Readonly<Record<'account' | 'blob' | 'file' | 'queue' | 'table', ReadonlySet<WishOption | WishFlag>>> = {
  account: new Set([...TERMS, 'services', 'types', 'encryption-scope', 'account-sas', 'allow-broad']),
  blob: new Set([...TERMS, ...OVERRIDES, 'identifier', 'encryption-scope', 'container', 'blob', 'directory', 'snapshot', 'version']),
  file: new Set([...TERMS, ...OVERRIDES, 'identifier', 'share', 'file']),
  queue: new Set([...TERMS, 'identifier', 'queue']),
  table: new Set([...TERMS, 'identifier', 'table', 'start-partition', 'start-row', 'end-partition', 'end-row']),
}

const PLACES: Readonly<Record<'blob' | 'file' | 'queue' | 'table', (wish: Wish, service: ServiceName, faults: Faults) => Place | undefined>> = {
  blob: blobPlace, file: filePlace, queue: queuePlace, table: tablePlace,
}

/** For a service SAS: reads service and names. Undefined after a fault that leaves nothing to go on with. */
export function servicePlace(wish: Wish, faults: Faults): Place | undefined {
  const service = SERVICE_NAMES.find((name) => name === wish.service)
  if (service === undefined) return fault(faults, 'service', wish.service === undefined ? 'nothing' : shown(wish.service), `one of ${SERVICE_NAMES.join(', ')}; or --account-sas`)
  const word = SERVICES[service].resourceWord
  checkFitting(wish, FITTING[word], `--service ${service}`, faults)
  return PLACES[word](wish, service, faults)
}

/** For an account SAS: the URL is that of `--service`, else of the first wished service that the account has here. */
export function accountPlace(wish: Wish, served: readonly ServiceName[], faults: Faults): Place | undefined {
  checkFitting(wish, FITTING.account, '--account-sas', faults)
  const wished = SERVICE_NAMES.filter((name) => (wish.services ?? '').includes(SERVICES[name].accountSasLetter))
  const service = wish.service === undefined ? wished.find((name) => served.includes(name)) : wished.find((name) => name === wish.service)
  if (service === undefined) {
    if (wish.service !== undefined) return fault(faults, 'service', shown(wish.service), wished.length === 0 ? 'a service that --services names' : wished.join(', '))
    return wished.length === 0 ? undefined : fault(faults, 'services', shown(wish.services ?? ''), `a service that the account has here: ${served.join(', ')}`)
  }
  return { service, resource: 'account', sr: undefined, depth: undefined, name: '', companion: undefined, from: '2018-11-09' }
}

/** The path of the URL: names encoded segment by segment. */
export function pathOf({ name }: Place): string {
  return `/${name.split('/').map(encodeURIComponent).join('/')}`
}

function blobPlace(wish: Wish, service: ServiceName, faults: Faults): Place | undefined {
  const { blob, directory, snapshot, version } = wish
  const container = readName(wish, 'container', faults, true)
  if (blob !== undefined && directory !== undefined) return fault(faults, 'directory', shown(directory), 'nothing beside --blob')
  if (snapshot !== undefined && version !== undefined) return fault(faults, 'version', shown(version), 'nothing beside --snapshot')
  for (const option of ['snapshot', 'version'] as const) {
    const given = wish[option]
    if (given !== undefined && blob === undefined) return fault(faults, option, shown(given), 'only with --blob')
    if (given !== undefined && given !== '' && parseTime(given) === undefined) fault(faults, option, shown(given), 'a time as the service wrote it, such as 2026-11-20T10:11:12.1234567Z')
  }
  if (directory !== undefined) return directoryPlace(wish, service, container, faults)
  const base = { service, depth: undefined }
  if (blob === undefined) return { ...base, resource: 'container', sr: 'c', name: container, companion: undefined, from: '2018-11-09' }
  const name = `${container}/${readName(wish, 'blob', faults)}`
  if (version !== undefined) return { ...base, resource: 'blob', sr: 'bv', name, companion: { name: 'versionid', value: version }, from: '2019-12-12' }
  const companion = snapshot === undefined ? undefined : { name: 'snapshot', value: snapshot } as const
  return { ...base, resource: 'blob', sr: companion === undefined ? 'b' : 'bs', name, companion, from: '2018-11-09' }
}

function directoryPlace(wish: Wish, service: ServiceName, container: string, faults: Faults): Place {
  const directory = readName(wish, 'directory', faults)
  const segments = directory === '/' ? [] : directory.split('/')
  return { service, resource: 'directory', sr: 'd', depth: segments.length, name: [container, ...segments].join('/'), companion: undefined, from: '2020-02-10' }
}

function filePlace(wish: Wish, service: ServiceName, faults: Faults): Place {
  const share = readName(wish, 'share', faults, true)
  const base = { service, depth: undefined, companion: undefined, from: '2018-11-09' }
  if (wish.file === undefined) return { ...base, resource: 'share', sr: 's', name: share }
  return { ...base, resource: 'file', sr: 'f', name: `${share}/${readName(wish, 'file', faults)}` }
}

function queuePlace(wish: Wish, service: ServiceName, faults: Faults): Place {
  return { service, resource: 'queue', sr: undefined, depth: undefined, name: readName(wish, 'queue', faults, true), companion: undefined, from: '2018-11-09' }
}

function tablePlace(wish: Wish, service: ServiceName, faults: Faults): Place {
  return { service, resource: 'table', sr: undefined, depth: undefined, name: readName(wish, 'table', faults, true), companion: undefined, from: '2018-11-09' }
}

/** The name as it is, also where it is at fault: then nothing is made of it. */
function readName(wish: Wish, option: keyof typeof NAMES, faults: Faults, required = false): string {
  const { pattern, longest, allowed } = NAMES[option]
  const name = wish[option]
  if (name === undefined) {
    if (required) fault(faults, option, 'nothing', allowed)
    return ''
  }
  // Empty text has its fault already.
  if (name !== '' && (!pattern.test(name) || name.length > longest || DOT_SEGMENT.test(name))) fault(faults, option, shown(name), allowed)
  return name
}
