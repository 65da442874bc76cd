// The operations of the table service (contract section 10.3). Names of tables compare without regard to case, so they are
// given in lower case.
import { accountPlace, onlyThese, rowsOf, SERVICE_ROWS, type Place, type Row, type Service } from './rows.ts'
import type { DecidingParameters } from '../parameters.ts'

const ROWS: readonly [string, Row][] = [
  ...SERVICE_ROWS,
  ...rowsOf('batch', [['open', 'POST', '-', 'Entity Group Transaction']]),
  ...rowsOf('tables', [
    ['list', 'GET', '-', 'Query Tables'],
    // The body names the table.
    ['write', 'POST', '-', 'Create Table'],
  ]),
  ...rowsOf('table', [
    ['read', 'GET', '-', 'Get Table'],
    ['delete', 'DELETE', '-', 'Delete Table'],
  ]),
  ...rowsOf('entities', [
    ['read', 'GET', '-', 'Query Entities'],
    ['read', 'GET', 'acl', 'Get Table ACL'],
    ['write', 'POST', '-', 'Insert Entity'],
    ['write', 'PUT', '-', 'Update Entity'],
    ['write', 'PATCH MERGE', '-', 'Merge Entity'],
    ['delete', 'DELETE', '-', 'Delete Entity'],
  ]),
]

export const TABLE: Service = { rows: new Map(ROWS), place: placeOf }

const NAME = '[A-Za-z][A-Za-z0-9]{2,62}|\\$Metrics[A-Za-z]+'
const ONE_TABLE = new RegExp(`^/Tables\\('(${NAME})'\\)$`)
const ENTITIES = new RegExp(`^/(${NAME})(\\([^/]*\\))?$`)
const WHOLE_NAME = new RegExp(`^(?:${NAME})$`)
/** OData's own resource; the service could read another spelling as the same. */
const RESERVED = 'tables'

function placeOf(decodedPath: string, parameters: DecidingParameters): Place | undefined {
  const { comp: selector = '', restype } = parameters
  if (!onlyThese(parameters, 'comp', 'restype') || parameters.comp === '') return undefined
  if (restype !== undefined) return restype === 'service' && decodedPath === '/' ? accountPlace('service', selector) : undefined
  if (decodedPath === '/$batch') return accountPlace('batch', selector)
  if (decodedPath === '/Tables' || decodedPath === '/Tables()') return accountPlace('tables', selector)
  const one = ONE_TABLE.exec(decodedPath)?.[1]
  if (one !== undefined) return tablePlace('table', one, '', selector)
  const [, name, key = ''] = ENTITIES.exec(decodedPath) ?? []
  return name === undefined || name.toLowerCase() === RESERVED ? undefined : tablePlace('entities', name, key, selector)
}

function tablePlace(level: string, name: string, object: string, selector: string): Place {
  return { level, kind: 'table', resource: name.toLowerCase(), object, selector }
}

/** Returns true for a name that a table can have. */
export function isTableName(name: string): boolean {
  return WHOLE_NAME.test(name) && name.toLowerCase() !== RESERVED
}
