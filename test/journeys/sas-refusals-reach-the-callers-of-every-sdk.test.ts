// What a refusal looks like to the program behind an SDK (spec/sas.md 15.4).
import { AzureSASCredential, TableClient } from '@azure/data-tables'
import { BlobServiceClient } from '@azure/storage-blob'
import { DataLakeServiceClient } from '@azure/storage-file-datalake'
import { ShareServiceClient } from '@azure/storage-file-share'
import { QueueServiceClient } from '@azure/storage-queue'
import { spawn, spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { issue } from '../sas/second.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, SERVICES } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: Object.fromEntries(SERVICES.map((service) => [service, upstream.port])) })

const second = (time: number): string => new Date(time).toISOString().replace(/\.\d+/, '')
const FIT = { sv: '2025-05-05', ss: 'bfqt', srt: 'sco', sp: 'rwdlacup', se: second(Date.now() + 3_600_000) }
const token = (change: Readonly<Record<string, string>> = {}): string => issue({ service: 'blob', account: ACCOUNT, path: '/', params: Object.entries({ ...FIT, ...change }) }, Buffer.from(realm.key1, 'base64'))

interface Case { readonly reason: string; readonly status: number; readonly code: string; readonly query: string }

const CASES: readonly Case[] = [
  { reason: 'sas-signature', status: 403, code: 'AuthenticationFailed', query: token().replace(/sig=(?:%..|[^%]){6}/, 'sig=AAAAAA') },
  { reason: 'sas-expired', status: 403, code: 'AuthenticationFailed', query: token({ se: second(Date.now() - 1000) }) },
  { reason: 'sas-source-ip', status: 403, code: 'AuthorizationSourceIPMismatch', query: token({ sip: '10.0.0.1' }) },
  { reason: 'sas-version', status: 403, code: 'AuthenticationFailed', query: token({ sv: '2014-02-14' }) },
  { reason: 'sas-duplicate', status: 400, code: 'InvalidQueryParameterValue', query: `${token()}&sp=r` },
  { reason: 'sas-protocol-value', status: 400, code: 'InvalidQueryParameterValue', query: token({ spr: 'http' }) },
  { reason: 'sas-mixed', status: 400, code: 'InvalidQueryParameterValue', query: `${token()}&sr=b` },
]

/** What an SDK throws, as far as the five have it in common. */
interface Told {
  readonly statusCode?: number
  readonly code?: string
  readonly message: string
  readonly details?: { readonly errorCode?: string; readonly code?: string; readonly authenticationErrorDetail?: string; readonly odataError?: { readonly code?: string } }
  readonly response?: { readonly headers: { get(name: string): string | undefined } }
}

async function toldBy(act: () => Promise<unknown>): Promise<Told> {
  try {
    await act()
  } catch (error) {
    return error as Told
  }
  throw new Error('it was not refused')
}

/** The SDK's caller sees status and code; nothing went up, nothing was tried again. */
async function each(test: Test, codeOf: (told: Told) => string | undefined, act: (query: string) => Promise<unknown>): Promise<void> {
  const before = upstream.seen.length
  for (const { reason, status, code, query } of CASES) {
    const told = await toldBy(() => act(query))
    test.equal(told.statusCode, status, reason)
    test.equal(codeOf(told), code, reason)
    test.equal(told.response?.headers.get('x-tidegate-reason'), reason)
    test.notMatch(told.message, /sig=[A-Za-z0-9%]{20}/)
  }
  test.equal(upstream.seen.length, before)
}

const blob = (query: string) => new BlobServiceClient(`${endpoint(gate, 'blob')}?${query}`, undefined, ONCE).getContainerClient('c').getBlockBlobClient('b')
const table = (query: string): TableClient => new TableClient(endpoint(gate, 'table'), 'Ledger', new AzureSASCredential(query), ONCE)

void t.test('@azure/storage-blob', async (test) => {
  await each(test, ({ code }) => code, (query) => blob(query).download())
  await each(test, ({ code }) => code, (query) => blob(query).upload('x', 1))
  const signature = await toldBy(() => blob(CASES[0]?.query ?? '').download())
  test.match([signature.details?.errorCode, signature.details?.authenticationErrorDetail], ['AuthenticationFailed', 'Signature did not match.'])
  test.match(signature.message, /^Server failed to authenticate the request\. .*\nRequestId:[0-9a-f-]{36}\nTime:/)
})

void t.test('@azure/storage-blob, HEAD: the code comes by the header alone', async (test) => {
  await each(test, ({ details }) => details?.errorCode, (query) => new BlobServiceClient(`${endpoint(gate, 'blob')}?${query}`, undefined, ONCE).getContainerClient('c').getBlobClient('b').getProperties())
})

void t.test('@azure/storage-blob, a copy source', async (test) => {
  const to = new BlobServiceClient(`${endpoint(gate, 'blob')}?${token()}`, undefined, ONCE).getContainerClient('c').getBlockBlobClient('b')
  for (const source of ['http://tideoffice.blob.core.windows.net/c/a', 'https://elsewhere.example/c/a']) {
    test.match(await toldBy(() => to.syncCopyFromURL(source)), { statusCode: 400, code: 'CannotVerifyCopySource' }, source)
  }
})

void t.test('@azure/storage-queue', async (test) => {
  await each(test, ({ code }) => code, (query) => new QueueServiceClient(`${endpoint(gate, 'queue')}?${query}`, undefined, ONCE).getQueueClient('orders').receiveMessages())
  await each(test, ({ code }) => code, (query) => new QueueServiceClient(`${endpoint(gate, 'queue')}?${query}`, undefined, ONCE).getQueueClient('orders').sendMessage('x'))
})

void t.test('@azure/data-tables', async (test) => {
  await each(test, ({ details }) => details?.odataError?.code, (query) => table(query).getEntity('a', 'b'))
  await each(test, ({ details }) => details?.odataError?.code, (query) => table(query).createEntity({ partitionKey: 'a', rowKey: 'b' }))
  await each(test, ({ code }) => code, (query) => table(query).submitTransaction([['create', { partitionKey: 'a', rowKey: 'b' }]]))
})

const shareFile = (query: string) => new ShareServiceClient(`${endpoint(gate, 'file')}?${query}`, undefined, ONCE).getShareClient('share').getDirectoryClient('a').getFileClient('b')

void t.test('@azure/storage-file-share', async (test) => {
  await each(test, ({ code }) => code, (query) => shareFile(query).download())
  await each(test, ({ code, details }) => code ?? details?.errorCode, (query) => shareFile(query).getProperties())
})

void t.test('@azure/storage-file-datalake', async (test) => {
  endpoint(gate, 'blob')
  const file = (query: string) => new DataLakeServiceClient(`${endpoint(gate, 'dfs')}?${query}`, undefined, ONCE).getFileSystemClient('lake').getFileClient('a/b')
  await each(test, ({ code }) => code, (query) => file(query).create())
  await each(test, ({ code }) => code, (query) => file(query).read())
  await each(test, ({ details }) => details?.errorCode, (query) => file(query).getProperties())
})

// Every name of a gate is this machine; Python's resolvers do not all know.
const PROGRAM = `
import json, socket, sys
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient
from azure.storage.queue import QueueClient
from azure.storage.fileshare import ShareFileClient
from azure.storage.filedatalake import DataLakeFileClient
from azure.data.tables import TableClient
from azure.core.credentials import AzureSasCredential

real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: real('127.0.0.1', *more, **named)
own = json.load(sys.stdin)
once = dict(retry_total=0, connection_verify=own['ca'])
sas = lambda query: AzureSasCredential(query)
calls = {
  'blob download': lambda query: BlobClient(own['blob'], 'c', 'b', credential=sas(query), **once).download_blob(),
  'blob upload': lambda query: BlobClient(own['blob'], 'c', 'b', credential=sas(query), **once).upload_blob(b'x', overwrite=True),
  'blob properties': lambda query: BlobClient(own['blob'], 'c', 'b', credential=sas(query), **once).get_blob_properties(),
  'queue': lambda query: QueueClient(own['queue'], 'orders', credential=sas(query), **once).send_message('x'),
  'file': lambda query: ShareFileClient(own['file'], 'share', 'b', credential=sas(query), **once).download_file(),
  'dfs': lambda query: DataLakeFileClient(own['dfs'], 'lake', 'b', credential=sas(query), **once).create_file(),
  'table': lambda query: TableClient(own['table'], 'Ledger', credential=sas(query), **once).get_entity('a', 'b'),
}
said = []
for name, call in calls.items():
  for query in own['queries']:
    try:
      call(query)
      said.append([name, 0, 'passed'])
    except HttpResponseError as error:
      said.append([name, error.status_code, str(getattr(error.error_code, 'value', error.error_code))])
print(json.dumps(said))
`
const PYTHON = { ...process.env, ...(process.env['TIDEGATE_TEST_PYTHONPATH'] === undefined ? {} : { PYTHONPATH: process.env['TIDEGATE_TEST_PYTHONPATH'] }) }
const IMPORTS = 'import azure.storage.blob, azure.storage.queue, azure.storage.fileshare, azure.storage.filedatalake, azure.data.tables'
// Debian's packages are those of Debian's own Python, which need not be the first on the path.
const python = ['python3', '/usr/bin/python3'].find((program) => spawnSync(program, ['-c', IMPORTS], { env: PYTHON }).status === 0)

void t.test('the Python SDK', { skip: python === undefined ? 'Debian\'s python3-azure-storage is not installed' : false }, async (test) => {
  // Python's SDKs read a token into parameters and write them anew: what they would not send as it is stays out.
  const cases = CASES.filter(({ reason }) => reason !== 'sas-duplicate')
  const urls = Object.fromEntries(SERVICES.map((service) => [service, endpoint(gate, service)]))
  const child = spawn(python ?? '', ['-c', PROGRAM], { env: PYTHON, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify({ ...urls, ca: realm.caFile, queries: cases.map(({ query }) => query) }))
  const before = upstream.seen.length
  const said = JSON.parse(Buffer.concat(await child.stdout.toArray() as Buffer[]).toString()) as [string, number, string][]
  test.equal(said.length, 7 * cases.length)
  for (const [i, told] of said.entries()) {
    const { status, code } = cases[i % cases.length] as Case
    test.strictSame(told, [told[0], status, code])
  }
  test.equal(upstream.seen.length, before)
})
