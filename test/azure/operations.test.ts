// Each operation of Azurite's own tables, and of the Data Lake and file SDKs' sources, meets exactly one row of contract
// 10.3 or is named here as refused; what is disguised meets none.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { operationNames, operationOf, type Operation } from '../../src/azure/operations.ts'
import { SERVICE_NAMES, type ServiceName } from '../../src/azure/services.ts'

const require = createRequire(import.meta.url)
const MODULES = join(import.meta.dirname, '../../node_modules')

function of(service: ServiceName, method: string, target: string): Operation | undefined {
  const [path = '', query] = target.split('?')
  return operationOf({ service, method, decodedPath: decodeURIComponent(path), query })
}

const says = (operation: Operation | undefined): string => operation === undefined ? 'refused' : `${operation.name}: ${operation.needs.join('+') || 'open'} ${operation.kind} ${operation.resource}`.trim()

interface Parameter { readonly mapper: { readonly required?: boolean; readonly serializedName: string; readonly defaultValue?: string } }
interface Spec { readonly httpMethod: string; readonly path?: string; readonly queryParameters?: readonly Parameter[] }

const FILLED: Readonly<Record<string, string>> = {
  containerName: 'genoa-1', blob: 'a/b', queueName: 'genoa-1', messageid: 'id', table: 'Genoa1', partitionKey: 'p', rowKey: 'r',
}
const fill = (path: string): string => `/${path.replace(/^\//, '').replaceAll(/\{(\w+)\}/g, (_, name: string) => FILLED[name] ?? name)}`

function azurite(service: string): [name: string, method: string, target: string][] {
  const artifacts = join(MODULES, `azurite/dist/src/${service}/generated/artifacts`)
  const { default: operations } = require(join(artifacts, 'operation.js')) as { default: Record<string, string> }
  const { default: specs } = require(join(artifacts, 'specifications.js')) as { default: Record<string, Spec> }
  return Object.entries(specs).map(([number, { httpMethod, path = '', queryParameters = [] }]) => {
    const query = queryParameters.filter(({ mapper }) => mapper.required === true).map(({ mapper }) => `${mapper.serializedName}=${mapper.defaultValue ?? 'x'}`)
    // Its table says `true` of nothing but names, so `delimiter=x` and the like do no harm.
    return [operations[number] ?? number, httpMethod, `${fill(path)}?${query.join('&')}`]
  })
}

/** What Azurite can do and contract 10.3 has no row for. */
const REFUSED = new Set([
  'Service_SetProperties', 'Service_GetUserDelegationKey', 'Service_FilterBlobs', 'Container_SetAccessPolicy', 'Container_Restore',
  'Blob_SetImmutabilityPolicy', 'Blob_DeleteImmutabilityPolicy', 'Blob_SetLegalHold', 'Queue_SetAccessPolicy', 'Table_SetAccessPolicy',
])
const OPEN = /^(?:Service_GetProperties|Service_GetStatistics|.*_GetAccountInfo.*|.*_SubmitBatch|Table_Batch)$/
const RIGHT: readonly [RegExp, string][] = [
  [/^Messages_Dequeue$/, 'read+delete'],
  [/_List|_FilterBlobs$|^Table_Query$/, 'list'],
  [/Delete|^Messages_Clear$/, 'delete'],
  [/_Get|Download|_Query|Peek/, 'read'],
  [/./, 'write'],
]

for (const service of ['blob', 'queue', 'table'] as const) {
  void t.test(`every operation of Azurite's ${service} service meets one row or is refused`, async (test) => {
    const all = azurite(service)
    test.ok(all.length > 10)
    for (const [name, method, target] of all) {
      const found = of(service, method, target)
      const right = OPEN.test(name) ? '' : RIGHT.find(([pattern]) => pattern.test(name))?.[1]
      if (REFUSED.has(name)) test.equal(found, undefined, name)
      else test.equal(found?.needs.join('+'), right, `${name} ${method} ${target}: ${says(found)}`)
    }
  })
}

void t.test('every operation of the file SDK meets one row or is refused', async (test) => {
  const rows = ['service', 'share', 'directory', 'file'].flatMap((level) => {
    const text = readFileSync(join(MODULES, `@azure/storage-file-share/dist/esm/generated/api/${level}/operations.js`), 'utf8')
    return [...text.matchAll(/function _(\S+)Send\([^]*?expandUrlTemplate\("([^"{]*)[^]*?\.path\(path\)\s*\.(\w+)\(/g)].map(([, name = '', query = '', method = '']) => {
      const path = { service: '/', share: '/genoa', directory: '/genoa/d', file: '/genoa/d/f' }[level] ?? ''
      return [`${level} ${name}`, says(of('file', method.toUpperCase(), `${path}${query}`))]
    })
  })
  test.same(Object.fromEntries(rows), JSON.parse(readFileSync(join(import.meta.dirname, 'file-operations.json'), 'utf8')))
})

void t.test('every operation of the Data Lake SDK meets one row or is refused', async (test) => {
  const rows: readonly [method: string, target: string, expected: string][] = [
    ['GET', '/?resource=account', 'List Filesystems: list account'],
    ['PUT', '/genoa?resource=filesystem', 'Create Filesystem: write container genoa'],
    ['PATCH', '/genoa?resource=filesystem', 'Set Filesystem Properties: write container genoa'],
    ['HEAD', '/genoa?resource=filesystem', 'Get Filesystem Properties: read container genoa'],
    ['DELETE', '/genoa?resource=filesystem', 'Delete Filesystem: delete container genoa'],
    ['GET', '/genoa?resource=filesystem&recursive=true&directory=d', 'List Paths: list container genoa'],
    ['PUT', '/genoa/d/f?resource=file', 'Create Path: write container genoa'],
    ['PUT', '/genoa/d?resource=directory', 'Create Path: write container genoa'],
    ['PUT', '/genoa/d?mode=legacy', 'Create Path: write container genoa'],
    ['PATCH', '/genoa/f?action=append&position=0', 'Append Data: write container genoa'],
    ['PATCH', '/genoa/f?action=flush&position=5&close=true', 'Flush Data: write container genoa'],
    ['PATCH', '/genoa/f?action=setProperties', 'Set Path Properties: write container genoa'],
    ['PATCH', '/genoa/f?action=setAccessControl', 'refused'],
    ['PATCH', '/genoa/f?action=setAccessControlRecursive&mode=set', 'refused'],
    ['POST', '/genoa/f', 'Lease Path: write container genoa'],
    ['GET', '/genoa/f', 'Read Path: read container genoa'],
    ['HEAD', '/genoa/f', 'Get Path Properties: read container genoa'],
    ['HEAD', '/genoa/f?action=getStatus', 'Get Path Status: read container genoa'],
    ['HEAD', '/genoa/f?action=getAccessControl&upn=true', 'Get Path Access Control: read container genoa'],
    ['HEAD', '/genoa/f?action=checkAccess&fsAction=r--', 'Check Path Access: read container genoa'],
    ['DELETE', '/genoa/f?recursive=true', 'Delete Path: delete container genoa'],
    ['HEAD', '/genoa/?action=getAccessControl', 'Get Path Access Control: read container genoa'],
    // The SDK sends these to the blob host.
    ['PUT', '/genoa/f?comp=undelete', 'refused'], ['PUT', '/genoa/f?comp=expiry', 'refused'], ['GET', '/genoa?restype=container&comp=list', 'refused'],
    ['PUT', '/genoa?restype=container&comp=undelete', 'refused'], ['PUT', '/genoa?restype=container&comp=rename', 'refused'],
    ['GET', '/genoa', 'refused'], ['DELETE', '/genoa', 'refused'], ['DELETE', '/genoa/f?resource=filesystem', 'refused'], ['HEAD', '/?resource=account', 'refused'],
  ]
  for (const [method, target, expected] of rows) test.equal(says(of('dfs', method, target)), expected, `${method} ${target}`)
})

void t.test('one segment without restype is a blob in $root', async (test) => {
  test.match(of('blob', 'GET', '/genoa-1'), { name: 'Get Blob', resource: '$root', object: 'genoa-1' })
  test.match(of('blob', 'PUT', '/genoa-1'), { name: 'Put Blob', resource: '$root', needs: ['write'] })
  test.match(of('blob', 'DELETE', '/genoa-1'), { resource: '$root', needs: ['delete'] })
  test.equal(of('blob', 'GET', '/genoa-1?comp=list'), undefined)
})

void t.test('what is disguised, doubled or unknown is no operation', async (test) => {
  const rows: readonly [ServiceName, string, string][] = [
    ['blob', 'GET', '/genoa-1?restype=container&Comp=acl'], ['blob', 'GET', '/genoa-1?restype=container&%63omp=list'], ['blob', 'GET', '/genoa-1?restype=container&comp=l%69st'],
    ['blob', 'GET', '/genoa-1?restype=container&comp=list&comp=acl'], ['blob', 'PUT', '/genoa-1/b?comp=block&COMP=acl'], ['blob', 'PUT', '/genoa-1/b?comp'],
    ['blob', 'GET', '/genoa-1/b?comp='], ['blob', 'GET', '/genoa-1/b?comp%20=acl'], ['blob', 'GET', '/genoa-1/b?comp+=acl'], ['blob', 'GET', '/genoa-1/b?com%00p=acl'],
    ['blob', 'GET', '/genoa-1/b?%zz=1'], ['blob', 'GET', '/genoa-1/b?%EF%BD%83omp=acl'], ['blob', 'GET', '/genoa-1/b?snapshot=1&snapshot=2'], ['blob', 'GET', '/?comp=list&Marker=x'],
    ['blob', 'GET', '/Genoa-1/b'], ['blob', 'GET', '/genoa-1\\x/b'], ['blob', 'GET', '/genoa-1 /b'], ['blob', 'GET', '/$metrics/b'], ['blob', 'GET', '/genoa-1/b?restype=container'],
    ['blob', 'GET', '/?restype=container&comp=list'], ['blob', 'GET', '/'], ['blob', 'PATCH', '/genoa-1/b'], ['blob', 'POST', '/genoa-1/b'], ['blob', 'get', '/genoa-1/b'],
    ['blob', 'GET', '/genoa-1/b?resource=file'], ['blob', 'GET', '/genoa-1/b?action=x'], ['blob', 'GET', '/genoa-1/'],
    ['blob', 'GET', '/?comp=blobs&where=x'], ['blob', 'POST', '/?restype=service&comp=userdelegationkey'], ['blob', 'PUT', '/?restype=service&comp=properties'],
    ['queue', 'GET', '/genoa-1'], ['queue', 'GET', '/genoa-1/messages?peekonly=false'], ['queue', 'GET', '/genoa-1/messages?PeekOnly=true'], ['queue', 'GET', '/genoa-1/Messages'],
    ['queue', 'PUT', '/genoa-1/messages'], ['queue', 'GET', '/genoa-1/messages/id'], ['queue', 'GET', '/genoa-1/messages?comp=list'],
    ['table', 'GET', '/tables'], ['table', 'POST', '/TABLES'], ['table', 'DELETE', '/tables(\'Genoa1\')'], ['table', 'DELETE', '/Tables(\'Genoa1\')/x'], ['table', 'DELETE', '/Tables(\'Genoa1,b\')'],
    ['table', 'POST', '/$Batch'], ['table', 'GET', '/$metadata'], ['table', 'GET', '/Genoa1/x'], ['table', 'GET', '/Genoa1()/x'], ['table', 'GET', '/Genoa_1'], ['table', 'PUT', '/Genoa1?comp=acl'],
    ['file', 'GET', '/genoa'], ['file', 'PUT', '/genoa?restype=share&comp=undelete'], ['file', 'PUT', '/genoa/d?restype=share'], ['file', 'PUT', '/genoa/f?restype=hardlink'], ['file', 'GET', '/genoa/f?restype=symboliclink'],
    ['file', 'PUT', '/genoa?restype=share&comp=acl'], ['file', 'GET', '/genoa?comp=list'],
  ]
  for (const [service, method, target] of rows) test.equal(says(of(service, method, target)), 'refused', `${service} ${method} ${target}`)
})

void t.test('clients\' own ways of writing pass', async (test) => {
  const rows: readonly [ServiceName, string, string, string][] = [
    ['table', 'GET', '/Genoa1()?%24filter=a&%24top=1&NextPartitionKey=1%21&NextRowKey=2', 'Query Entities: read table genoa1'],
    ['table', 'GET', '/Tables()?$top=3', 'Query Tables: list account'],
    ['table', 'PUT', '/Genoa1(PartitionKey=%27a%27,RowKey=%27b%27)', 'Update Entity: write table genoa1'],
    ['table', 'GET', '/$MetricsHourPrimaryTransactionsBlob', 'Query Entities: read table $metricshourprimarytransactionsblob'],
    ['blob', 'GET', '/genoa-1/?restype=container&comp=list&&prefix=a%2Fb', 'List Blobs: list container genoa-1'],
    ['blob', 'GET', '/genoa-1//x', 'Get Blob: read container genoa-1'],
    ['blob', 'OPTIONS', '/genoa-1/x?sv=1', 'Preflight: open account'],
    ['queue', 'GET', '/genoa-1/messages?peekonly=true&numofmessages=2', 'Peek Messages: read queue genoa-1'],
  ]
  for (const [service, method, target, expected] of rows) test.equal(says(of(service, method, target)), expected, `${method} ${target}`)
})

void t.test('names of operations are one each', async (test) => {
  for (const service of SERVICE_NAMES) test.ok(operationNames(service).length > 5, service)
})
