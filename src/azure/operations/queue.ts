// The operations of the queue service (contract section 10.3). Getting a message hides it from others and can lead to its
// removal, so it needs `delete` too.
import { accountPlace, onlyThese, PLAIN_NAME, rowsOf, SERVICE_ROWS, type Place, type Row, type Service } from './rows.ts'
import type { DecidingParameters } from '../parameters.ts'

const ROWS: readonly [string, Row][] = [
  ...SERVICE_ROWS,
  ...rowsOf('account', [['list', 'GET', 'list', 'List Queues']]),
  ...rowsOf('queue', [
    ['read', 'GET HEAD', 'metadata', 'Get Queue Metadata'],
    ['read', 'GET HEAD', 'acl', 'Get Queue ACL'],
    ['write', 'PUT', '-', 'Create Queue'],
    ['write', 'PUT', 'metadata', 'Set Queue Metadata'],
    ['delete', 'DELETE', '-', 'Delete Queue'],
  ]),
  ...rowsOf('messages', [
    ['read', 'GET', 'peek', 'Peek Messages'],
    ['read+delete', 'GET', '-', 'Get Messages'],
    ['write', 'POST', '-', 'Put Message'],
    ['delete', 'DELETE', '-', 'Clear Messages'],
  ]),
  ...rowsOf('message', [
    ['write', 'PUT', '-', 'Update Message'],
    ['delete', 'DELETE', '-', 'Delete Message'],
  ]),
]

export const QUEUE: Service = { rows: new Map(ROWS), place: placeOf }

const MESSAGES = /^\/([^/]+)\/messages(?:\/([^/]+))?\/?$/

function placeOf(decodedPath: string, parameters: DecidingParameters): Place | undefined {
  const { comp: selector = '', restype } = parameters
  if (parameters.comp === '') return undefined
  if (decodedPath === '/') return rootPlace(parameters)
  if (restype !== undefined) return undefined
  const [, queue, message] = MESSAGES.exec(decodedPath) ?? []
  if (queue !== undefined) return messagesPlace(queue, message, parameters)
  const name = decodedPath.slice(1).replace(/\/$/, '')
  if (!onlyThese(parameters, 'comp') || !PLAIN_NAME.test(name)) return undefined
  return { level: 'queue', kind: 'queue', resource: name, object: '', selector }
}

function rootPlace(parameters: DecidingParameters): Place | undefined {
  const { comp = '', restype } = parameters
  if (!onlyThese(parameters, 'comp', 'restype')) return undefined
  if (restype === 'service') return accountPlace('service', comp)
  return restype === undefined ? accountPlace('account', comp) : undefined
}

function messagesPlace(queue: string, message: string | undefined, parameters: DecidingParameters): Place | undefined {
  const { peekonly } = parameters
  if (!onlyThese(parameters, 'peekonly') || !PLAIN_NAME.test(queue)) return undefined
  if (peekonly !== undefined && (peekonly !== 'true' || message !== undefined)) return undefined
  const level = message === undefined ? 'messages' : 'message'
  return { level, kind: 'queue', resource: queue, object: message ?? '', selector: peekonly === undefined ? '' : 'peek' }
}
