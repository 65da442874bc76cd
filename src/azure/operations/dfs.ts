// The operations of the Data Lake service, dfs (contract section 10.3). `resource` and `action` select them, never `comp`.
import { isContainerName } from './blob.ts'
import { accountPlace, onlyThese, rowsOf, SERVICE_ROWS, splitPath, type Place, type Row, type Service } from './rows.ts'
import type { DecidingParameters } from '../parameters.ts'

const ROWS: readonly [string, Row][] = [
  ...SERVICE_ROWS,
  ...rowsOf('information', [['open', 'GET HEAD', 'properties', 'Get Account Information']]),
  ...rowsOf('account', [['list', 'GET', '-', 'List Filesystems']]),
  ...rowsOf('filesystem', [
    ['read', 'HEAD', '-', 'Get Filesystem Properties'],
    ['list', 'GET', '-', 'List Paths'],
    ['write', 'PUT', '-', 'Create Filesystem'],
    ['write', 'PATCH', '-', 'Set Filesystem Properties'],
    ['delete', 'DELETE', '-', 'Delete Filesystem'],
  ]),
  ...rowsOf('path', [
    ['read', 'GET', '-', 'Read Path'],
    ['read', 'HEAD', '-', 'Get Path Properties'],
    ['read', 'HEAD', 'getStatus', 'Get Path Status'],
    ['read', 'HEAD', 'getAccessControl', 'Get Path Access Control'],
    ['read', 'HEAD', 'checkAccess', 'Check Path Access'],
    ['write', 'PUT', '-', 'Create Path'],
    ['write', 'PATCH', 'append', 'Append Data'],
    ['write', 'PATCH', 'flush', 'Flush Data'],
    ['write', 'PATCH', 'setProperties', 'Set Path Properties'],
    ['write', 'POST', '-', 'Lease Path'],
    ['delete', 'DELETE', '-', 'Delete Path'],
  ]),
]

export const DFS: Service = { rows: new Map(ROWS), place: placeOf }

const CREATED: ReadonlySet<string | undefined> = new Set([undefined, 'file', 'directory'])

function placeOf(decodedPath: string, parameters: DecidingParameters): Place | undefined {
  const { resource, action: selector = '', restype, comp } = parameters
  if (restype !== undefined || comp !== undefined) return blobPlace(decodedPath, parameters)
  if (!onlyThese(parameters, 'resource', 'action') || parameters.action === '') return undefined
  if (decodedPath === '/') return resource === 'account' ? accountPlace('account', selector) : undefined
  const { first, object } = splitPath(decodedPath)
  if (!isContainerName(first)) return undefined
  if (resource === 'filesystem') return object === undefined || object === '' ? { level: 'filesystem', kind: 'container', resource: first, object: '', selector } : undefined
  // `/filesystem/` is its root directory; without the slash and without `resource` it is nothing that is documented.
  if (!CREATED.has(resource) || object === undefined) return undefined
  return { level: 'path', kind: 'container', resource: first, object, selector }
}

/** The few operations that the service shares with blob. */
function blobPlace(decodedPath: string, parameters: DecidingParameters): Place | undefined {
  if (!onlyThese(parameters, 'comp', 'restype')) return undefined
  const { comp = '', restype } = parameters
  if (restype === 'account') return accountPlace('information', comp)
  return restype === 'service' && decodedPath === '/' ? accountPlace('service', comp) : undefined
}
