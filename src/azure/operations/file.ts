// The operations of the file service (contract section 10.3).
import { accountPlace, onlyThese, PLAIN_NAME, rowsOf, SERVICE_ROWS, splitPath, type Place, type Row, type Service } from './rows.ts'
import type { DecidingParameters } from '../parameters.ts'

const HANDLES = [
  ['read', 'GET HEAD', 'listhandles', 'List Handles'],
  ['write', 'PUT', 'forceclosehandles', 'Force Close Handles'],
] as const

const ROWS: readonly [string, Row][] = [
  ...SERVICE_ROWS,
  ...rowsOf('account', [['list', 'GET', 'list', 'List Shares']]),
  ...rowsOf('share', [
    ['read', 'GET HEAD', '-', 'Get Share Properties'],
    ['read', 'GET HEAD', 'metadata', 'Get Share Metadata'],
    ['read', 'GET HEAD', 'acl', 'Get Share ACL'],
    ['read', 'GET HEAD', 'stats', 'Get Share Stats'],
    ['read', 'GET HEAD', 'filepermission', 'Get Permission'],
    ['write', 'PUT', '-', 'Create Share'],
    ['write', 'PUT', 'metadata', 'Set Share Metadata'],
    ['write', 'PUT', 'properties', 'Set Share Properties'],
    ['write', 'PUT', 'lease', 'Lease Share'],
    ['write', 'PUT', 'snapshot', 'Snapshot Share'],
    ['write', 'PUT', 'filepermission', 'Create Permission'],
    ['delete', 'DELETE', '-', 'Delete Share'],
  ]),
  ...rowsOf('directory', [
    ['read', 'GET HEAD', '-', 'Get Directory Properties'],
    ['read', 'GET HEAD', 'metadata', 'Get Directory Metadata'],
    ['list', 'GET', 'list', 'List Directories and Files'],
    ['write', 'PUT', '-', 'Create Directory'],
    ['write', 'PUT', 'metadata', 'Set Directory Metadata'],
    ['write', 'PUT', 'properties', 'Set Directory Properties'],
    ['write', 'PUT', 'rename', 'Rename Directory'],
    ['delete', 'DELETE', '-', 'Delete Directory'],
    ...HANDLES,
  ]),
  ...rowsOf('file', [
    ['read', 'GET', '-', 'Get File'],
    ['read', 'HEAD', '-', 'Get File Properties'],
    ['read', 'GET HEAD', 'metadata', 'Get File Metadata'],
    ['read', 'GET HEAD', 'rangelist', 'List Ranges'],
    ['write', 'PUT', '-', 'Create File'],
    ['write', 'PUT', 'range', 'Put Range'],
    ['write', 'PUT', 'metadata', 'Set File Metadata'],
    ['write', 'PUT', 'properties', 'Set File Properties'],
    ['write', 'PUT', 'lease', 'Lease File'],
    ['write', 'PUT', 'copy', 'Abort Copy File'],
    ['write', 'PUT', 'rename', 'Rename File'],
    ['delete', 'DELETE', '-', 'Delete File'],
    ...HANDLES,
  ]),
  // The root directory of a share, named without `restype`.
  ...rowsOf('root', HANDLES),
]

export const FILE: Service = { rows: new Map(ROWS), place: placeOf }

function placeOf(decodedPath: string, parameters: DecidingParameters): Place | undefined {
  const { comp: selector = '', restype } = parameters
  if (!onlyThese(parameters, 'comp', 'restype') || parameters.comp === '') return undefined
  if (decodedPath === '/') {
    if (restype === 'service') return accountPlace('service', selector)
    return restype === undefined ? accountPlace('account', selector) : undefined
  }
  const { first, object = '' } = splitPath(decodedPath)
  if (!PLAIN_NAME.test(first)) return undefined
  const at = (level: string): Place => ({ level, kind: 'share', resource: first, object, selector })
  if (restype === 'share') return object === '' ? at('share') : undefined
  if (restype === 'directory') return at('directory')
  if (restype !== undefined) return undefined
  return at(object === '' ? 'root' : 'file')
}
