// Which operation of a storage service a request is, which resource it touches and what it needs there (contract section
// 10.3). Each request is exactly one row of the tables in `operations/`, or none: the default is deny, for whoever asks.
import { BLOB } from './operations/blob.ts'
import { DFS } from './operations/dfs.ts'
import { FILE } from './operations/file.ts'
import { QUEUE } from './operations/queue.ts'
import { TABLE } from './operations/table.ts'
import type { ResourceKind, Right, Service } from './operations/rows.ts'
import { decidingParameters } from './parameters.ts'
import type { ServiceName } from './services.ts'

export { type ResourceKind, type Right, RIGHTS } from './operations/rows.ts'

export interface Operation {
  readonly service: ServiceName
  /** As the reference pages call it, such as `Put Block List`. */
  readonly name: string
  readonly kind: ResourceKind
  /** The container, share or queue as it came, the table in lower case; empty for an account and where a body names it. */
  readonly resource: string
  /** The blob, path, file or message inside, decoded; empty where the operation concerns the resource itself. */
  readonly object: string
  /** All of these; empty for an operation that is open to every office of the account. */
  readonly needs: readonly Right[]
}

export interface OperationRequest {
  readonly service: ServiceName
  readonly method: string
  /** Percent-decoded once, with its leading slash, without an emulator's prefix. */
  readonly decodedPath: string
  /** As it came, without the `?`. */
  readonly query: string | undefined
}

const TABLES: Readonly<Record<ServiceName, Service>> = { blob: BLOB, dfs: DFS, file: FILE, queue: QUEUE, table: TABLE }
const NOTHING: readonly Right[] = []

/**
 * Returns the operation of a request; undefined where no row has it, or where a parameter is disguised or stands twice. The
 * fields of the request are another matter: `forbiddenField` of `forbidden-fields.ts`, and `sourceNeeds` below.
 */
export function operationOf({ service, method, decodedPath, query }: OperationRequest): Operation | undefined {
  const parameters = decidingParameters(query)
  if (parameters === undefined) return undefined
  if (method === 'OPTIONS') return { service, name: 'Preflight', kind: 'account', resource: '', object: '', needs: NOTHING }
  const table = TABLES[service]
  const place = table.place(decodedPath, parameters)
  const row = place === undefined ? undefined : table.rows.get(`${place.level} ${method} ${place.selector}`)
  if (place === undefined || row === undefined) return undefined
  const { kind, resource, object } = place
  return { service, name: row.name, kind, resource, object, needs: row.needs }
}

/** What an operation needs at the source that one of its fields names: a copy reads it, a rename takes it away. */
export const SOURCE_NEEDS: ReadonlyMap<string, readonly Right[]> = new Map<string, readonly Right[]>([
  ['x-ms-copy-source', ['read']],
  ['x-ms-rename-source', ['read', 'delete']],
  ['x-ms-file-rename-source', ['read', 'delete']],
])

/** Returns the names of all operations of a service, for tests and documents. */
export function operationNames(service: ServiceName): readonly string[] {
  return [...new Set([...TABLES[service].rows.values()].map(({ name }) => name))]
}
