// The operations of the blob service (contract section 10.3).
import { accountPlace, onlyThese, PLAIN_NAME, rowsOf, SERVICE_ROWS, splitPath, type Place, type Row, type Service } from './rows.ts'
import type { DecidingParameters } from '../parameters.ts'

const SYSTEM_CONTAINERS: ReadonlySet<string> = new Set(['$root', '$web', '$logs', '$blobchangefeed'])

const ROWS: readonly [string, Row][] = [
  ...SERVICE_ROWS,
  ...rowsOf('information', [['open', 'GET HEAD', 'properties', 'Get Account Information']]),
  ...rowsOf('account', [
    ['list', 'GET', 'list', 'List Containers'],
    ['open', 'POST', 'batch', 'Blob Batch'],
  ]),
  ...rowsOf('container', [
    ['read', 'GET HEAD', '-', 'Get Container Properties'],
    ['read', 'GET HEAD', 'metadata', 'Get Container Metadata'],
    ['read', 'GET HEAD', 'acl', 'Get Container ACL'],
    ['list', 'GET', 'list', 'List Blobs'],
    ['list', 'GET', 'blobs', 'Find Blobs by Tags in Container'],
    ['write', 'PUT', '-', 'Create Container'],
    ['write', 'PUT', 'metadata', 'Set Container Metadata'],
    ['write', 'PUT', 'lease', 'Lease Container'],
    ['delete', 'DELETE', '-', 'Delete Container'],
    ['open', 'POST', 'batch', 'Blob Batch'],
  ]),
  ...rowsOf('blob', [
    ['read', 'GET', '-', 'Get Blob'],
    ['read', 'HEAD', '-', 'Get Blob Properties'],
    ['read', 'GET HEAD', 'metadata', 'Get Blob Metadata'],
    ['read', 'GET HEAD', 'blocklist', 'Get Block List'],
    ['read', 'GET HEAD', 'pagelist', 'Get Page Ranges'],
    ['read', 'GET HEAD', 'tags', 'Get Blob Tags'],
    ['read', 'POST', 'query', 'Query Blob Contents'],
    ['write', 'PUT', '-', 'Put Blob'],
    ['write', 'PUT', 'block', 'Put Block'],
    ['write', 'PUT', 'blocklist', 'Put Block List'],
    ['write', 'PUT', 'page', 'Put Page'],
    ['write', 'PUT', 'appendblock', 'Append Block'],
    ['write', 'PUT', 'properties', 'Set Blob Properties'],
    ['write', 'PUT', 'metadata', 'Set Blob Metadata'],
    ['write', 'PUT', 'lease', 'Lease Blob'],
    ['write', 'PUT', 'snapshot', 'Snapshot Blob'],
    ['write', 'PUT', 'tier', 'Set Blob Tier'],
    ['write', 'PUT', 'tags', 'Set Blob Tags'],
    ['write', 'PUT', 'copy', 'Abort Copy Blob'],
    ['write', 'PUT', 'incrementalcopy', 'Incremental Copy Blob'],
    ['write', 'PUT', 'undelete', 'Undelete Blob'],
    ['write', 'PUT', 'seal', 'Append Blob Seal'],
    ['write', 'PUT', 'expiry', 'Set Blob Expiry'],
    ['delete', 'DELETE', '-', 'Delete Blob'],
  ]),
]

export const BLOB: Service = { rows: new Map(ROWS), place: placeOf }

/** A path of one segment without `restype` is a blob in `$root`. */
function placeOf(decodedPath: string, parameters: DecidingParameters): Place | undefined {
  const { comp: selector = '', restype } = parameters
  // An empty value is documented nowhere; a service could take it for none.
  if (!onlyThese(parameters, 'comp', 'restype') || parameters.comp === '') return undefined
  if (restype === 'account') return accountPlace('information', selector)
  if (decodedPath === '/') return rootPlace(restype, selector)
  const { first, object } = splitPath(decodedPath)
  if (restype === undefined && object === undefined) return { level: 'blob', kind: 'container', resource: '$root', object: first, selector }
  if (!isContainerName(first)) return undefined
  if (restype === 'container') return object === undefined || object === '' ? { level: 'container', kind: 'container', resource: first, object: '', selector } : undefined
  if (restype !== undefined || object === undefined || object === '') return undefined
  return { level: 'blob', kind: 'container', resource: first, object, selector }
}

function rootPlace(restype: string | undefined, selector: string): Place | undefined {
  if (restype === 'service') return accountPlace('service', selector)
  return restype === undefined ? accountPlace('account', selector) : undefined
}

/** Returns true for a name that a container can have. */
export function isContainerName(name: string): boolean {
  return PLAIN_NAME.test(name) || SYSTEM_CONTAINERS.has(name)
}
