// Requests of real SDKs verify, no other does, and what is signed anew is taken by Azurite (spec/sas.md 16).
import { AzureNamedKeyCredential, TableClient } from '@azure/data-tables'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { QueueServiceClient, StorageSharedKeyCredential as QueueCredential } from '@azure/storage-queue'
import { array, assert, constantFrom, property, string } from 'fast-check'
import { createHmac, createSecretKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { compareByByte, compareLikeService } from '../../src/azure/header-order.ts'
import type { ServiceName } from '../../src/azure/services.ts'
import * as shared from '../../src/azure/shared-key.ts'
import { type AccountKey, type KeyProof, type KeyReading, type KeyScheme, type KeyedRequest, readKeyedRequest, requestStringToSign } from '../../src/azure/shared-key.ts'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { ACCOUNT, createRealm, upstreamHost } from '../support/realm.ts'

const SECRET = Buffer.alloc(64, 7)
const KEYS = [{ slot: 'key1', key: createSecretKey(Buffer.alloc(64, 8)) }, { slot: 'key2', key: createSecretKey(SECRET) }] as const
const NOW = Date.parse('2026-11-24T12:00:00Z')
const keySchemeOf = (request: KeyedRequest): KeyScheme | undefined => readKeyedRequest(request).credential?.scheme
const requestSignatureMatches = (request: KeyedRequest, account: string, keys: readonly AccountKey[]): KeyProof | undefined =>
  shared.requestSignatureMatches(readKeyedRequest(request), account, keys)
const isDateClose = (request: KeyedRequest, now: number): boolean => shared.isDateClose(readKeyedRequest(request), now)
const signRequest = (request: KeyedRequest, account: string, key: AccountKey['key'], now: number): ReturnType<typeof shared.signRequest> =>
  shared.signRequest(request, { account, key, scheme: keySchemeOf(request) ?? 'SharedKey' }, now)
const READING: KeyReading = { scheme: 'SharedKey', order: 'service', languageFirst: false }

/** What the SDKs send, as a server receives it. */
async function recordRequests(test: Test, service: ServiceName, act: (url: string) => Promise<unknown>): Promise<KeyedRequest[]> {
  const seen: KeyedRequest[] = []
  const server = createServer((req, res) => {
    const [path = '', query] = (req.url ?? '').split(/\?(.*)/s)
    seen.push({ service, method: req.method ?? '', path, query, headers: req.rawHeaders })
    req.resume().on('end', () => res.writeHead(418).end())
  }).listen(0, '127.0.0.1')
  test.teardown(() => server.close())
  await once(server, 'listening')
  await act(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${ACCOUNT}`).catch(() => {})
  return seen
}

const attempt = async (acts: readonly (() => Promise<unknown>)[]): Promise<void> => {
  // oxlint-disable-next-line no-await-in-loop -- one after the other, so that what is recorded has an order
  for (const act of acts) await act().catch(() => {})
}

const RETRY = { retryOptions: { maxTries: 1, maxRetries: 0 } }

async function blobRequests(test: Test): Promise<KeyedRequest[]> {
  return recordRequests(test, 'blob', async (url) => {
    const service = new BlobServiceClient(url, new StorageSharedKeyCredential(ACCOUNT, SECRET.toString('base64')), RETRY)
    const container = service.getContainerClient('ledgers')
    const blob = container.getBlockBlobClient('båtar/q 4+5%.csv')
    await attempt([
      () => container.create({ metadata: { a: '1', ab: '2', _x: '3', '1': '4' } }),
      () => blob.upload('tide', 4, { blobHTTPHeaders: { blobContentType: 'text/plain' }, metadata: { z_1: 'x', z1: 'y' }, tags: { day: '24' } }),
      () => blob.upload('', 0),
      () => blob.download(3, 10, { conditions: { ifNoneMatch: '"0x1"', ifModifiedSince: new Date(NOW) } }),
      () => blob.getProperties(),
      () => blob.stageBlock('AAAA', 'part', 4),
      () => blob.commitBlockList(['AAAA']),
      () => blob.syncCopyFromURL('https://tideoffice.blob.core.windows.net/a/b?sv=x&sig=y'),
      () => container.listBlobsFlat({ prefix: '2026/å&=', includeMetadata: true, includeTags: true }).next(),
      () => service.getBlobBatchClient().deleteBlobs([blob.url], new StorageSharedKeyCredential(ACCOUNT, SECRET.toString('base64'))),
    ])
  })
}

async function queueRequests(test: Test): Promise<KeyedRequest[]> {
  return recordRequests(test, 'queue', async (url) => {
    const queue = new QueueServiceClient(url, new QueueCredential(ACCOUNT, SECRET.toString('base64')), RETRY).getQueueClient('orders')
    await attempt([() => queue.create(), () => queue.sendMessage('tide', { messageTimeToLive: 60 }), () => queue.peekMessages({ numberOfMessages: 2 }), () => queue.clearMessages()])
  })
}

async function tableRequests(test: Test): Promise<KeyedRequest[]> {
  return recordRequests(test, 'table', async (url) => {
    const table = new TableClient(url, 'Ledger', new AzureNamedKeyCredential(ACCOUNT, SECRET.toString('base64')), { ...RETRY, allowInsecureConnection: true })
    await attempt([
      () => table.createTable(),
      () => table.createEntity({ partitionKey: 'a b', rowKey: '1', value: 'å' }),
      () => table.getEntity('a\'b', 'z/1'),
      () => table.listEntities({ queryOptions: { filter: 'PartitionKey eq \'a\'' } }).next(),
      () => table.getAccessPolicy(),
      () => table.submitTransaction([['create', { partitionKey: 'a', rowKey: '1' }]]),
    ])
  })
}

void t.test('requests of the SDKs verify, and say which key and reading', async (test) => {
  const blob = await blobRequests(test)
  const queue = await queueRequests(test)
  const table = await tableRequests(test)
  test.equal(blob.length, 10)
  test.equal(queue.length, 4)
  test.equal(table.length, 6)
  for (const request of [...blob, ...queue]) {
    test.strictSame(requestSignatureMatches(request, ACCOUNT, KEYS), { slot: 'key2', reading: READING }, `${request.method} ${request.path}`)
  }
  for (const request of table) test.match(requestSignatureMatches(request, ACCOUNT, KEYS), { slot: 'key2', reading: { scheme: 'SharedKeyLite' } }, request.path)
  for (const request of [...blob, ...queue, ...table]) {
    test.equal(requestSignatureMatches(request, ACCOUNT, KEYS.slice(0, 1)), undefined, 'the other key alone')
    test.equal(requestSignatureMatches(request, 'tideoffice2', KEYS), undefined, 'another account')
    test.ok(isDateClose(request, Date.now()))
  }
})

void t.test('a change of any signed part is seen', async (test) => {
  for (const request of [...await blobRequests(test), ...await queueRequests(test)]) {
    for (const [what, changed] of changesOf(request)) test.equal(requestSignatureMatches(changed, ACCOUNT, KEYS), undefined, `${request.method} ${request.path}: ${what}`)
  }
  for (const request of await tableRequests(test)) {
    const date = withHeader(request, 'x-ms-date', 'Tue, 24 Nov 2026 12:00:01 GMT')
    for (const changed of [date, { ...request, path: `${request.path}x` }, { ...request, query: 'comp=other' }]) test.equal(requestSignatureMatches(changed, ACCOUNT, KEYS), undefined)
  }
})

function changesOf(request: KeyedRequest): [string, KeyedRequest][] {
  const signed = /^(?:x-ms-.*|content-(?:encoding|language|length|md5|type)|if-.*|range)$/
  const names = [...request.headers.filter((_, i) => i % 2 === 0), 'content-encoding', 'if-match', 'range', 'x-ms-new', 'content-md5', 'content-language']
  return [
    ...names.filter((name) => signed.test(name.toLowerCase())).map((name) => [name, withHeader(request, name, '7777')] as [string, KeyedRequest]),
    ['method', { ...request, method: 'PATCH' }],
    ['path', { ...request, path: `${request.path}/x` }],
    ['a parameter more', { ...request, query: request.query === undefined ? 'x=1' : `${request.query}&x=1` }],
    ...(request.query === undefined ? [] : [['a value', { ...request, query: request.query.replace('=', '=x') }], ['none', { ...request, query: undefined }]] as [string, KeyedRequest][]),
    ['signature', { ...request, headers: request.headers.map((text) => text.replace(/:(.)(.*=)$/, (_all, first: string, rest: string) => `:${first === 'A' ? 'B' : 'A'}${rest}`)) }],
  ]
}

function withHeader(request: KeyedRequest, name: string, value: string): KeyedRequest {
  const kept = request.headers.flatMap((text, i, all) => i % 2 === 1 || text.toLowerCase() === name.toLowerCase() ? [] : [text, all[i + 1] ?? ''])
  return { ...request, headers: [...kept, name, value] }
}

void t.test('the strings to sign, line by line', async (test) => {
  const headers = ['X-MS-Version', '2025-05-05', 'x-ms-meta-a-b', '1', 'x-ms-meta-ab', ' 2 ', 'x-ms-meta-_x', '3', 'x-ms-meta-1', '4', 'Content-Encoding', 'gzip', 'Content-Language', 'sv',
    'Content-Length', '5', 'Content-Type', 't/p', 'Date', 'then', 'If-Match', 'm', 'Range', 'bytes=0-1', 'User-Agent', 'x']
  const request: KeyedRequest = { service: 'blob', method: 'PUT', path: '/c/%C3%A5%2Fb', query: 'timeout=5&Comp=block&b=%C3%A5+x&b=a%2Cb&empty', headers }
  const sorted = 'x-ms-meta-_x:3\nx-ms-meta-1:4\nx-ms-meta-ab:2\nx-ms-meta-a-b:1\nx-ms-version:2025-05-05\n'
  const whole = '/acct/c/%C3%A5%2Fb\nb:a,b,å x\ncomp:block\nempty:\ntimeout:5'
  const text = (change: Partial<KeyReading> = {}, of: Partial<KeyedRequest> = {}): string => requestStringToSign({ ...request, ...of }, 'acct', { ...READING, ...change })
  test.equal(text(), `PUT\ngzip\nsv\n5\n\nt/p\nthen\n\nm\n\n\nbytes=0-1\n${sorted}${whole}`)
  test.equal(text({ languageFirst: true }), `PUT\nsv\ngzip\n5\n\nt/p\nthen\n\nm\n\n\nbytes=0-1\n${sorted}${whole}`)
  test.match(text({ order: 'byte' }), 'x-ms-meta-1:4\nx-ms-meta-_x:3\nx-ms-meta-a-b:1\nx-ms-meta-ab:2\n')
  test.equal(text({ scheme: 'SharedKeyLite' }), `PUT\n\nt/p\nthen\n${sorted}/acct/c/%C3%A5%2Fb?comp=block`)
  test.equal(text({}, { service: 'table' }), 'PUT\n\nt/p\nthen\n/acct/c/%C3%A5%2Fb?comp=block')
  test.equal(text({ scheme: 'SharedKeyLite' }, { service: 'table', query: undefined }), 'then\n/acct/c/%C3%A5%2Fb')
  const dated = [...headers, 'x-ms-date', 'now']
  test.match(text({}, { headers: dated }), '\nt/p\n\n\nm\n', 'x-ms-date empties Date')
  test.equal(text({ scheme: 'SharedKeyLite' }, { service: 'table', query: undefined, headers: dated }), 'now\n/acct/c/%C3%A5%2Fb')
  const lengths = (length: string, version: string): string | undefined => text({}, { headers: ['Content-Length', length, 'x-ms-version', version] }).split('\n')[3]
  test.strictSame([lengths('0', '2015-02-21'), lengths('0', '2014-02-14'), lengths('12', '2014-02-14')], ['', '0', '12'])
})

void t.test('every reading of the client is found', async (test) => {
  const headers = ['Content-Encoding', 'gzip', 'Content-Language', 'sv', 'x-ms-date', 'Tue, 24 Nov 2026 12:00:00 GMT', 'x-ms-meta-_x', '1', 'x-ms-meta-1', '2']
  const request: KeyedRequest = { service: 'blob', method: 'GET', path: '/c/b', query: undefined, headers }
  for (const order of ['service', 'byte'] as const) {
    for (const languageFirst of [false, true]) {
      const reading: KeyReading = { scheme: 'SharedKey', order, languageFirst }
      const sig = createHmac('sha256', SECRET).update(requestStringToSign(request, ACCOUNT, reading)).digest('base64')
      test.strictSame(requestSignatureMatches({ ...request, headers: [...headers, 'authorization', `SharedKey ${ACCOUNT}:${sig}`] }, ACCOUNT, KEYS), { slot: 'key2', reading })
      test.equal(requestSignatureMatches({ ...request, headers: [...headers, 'authorization', `SharedKeyLite ${ACCOUNT}:${sig}`] }, ACCOUNT, KEYS), undefined, 'no scheme stands for the other')
    }
  }
  for (const odd of [`Bearer ${'x'.repeat(44)}`, `SharedKey ${ACCOUNT}:short`, `sharedkey ${ACCOUNT}:${'A'.repeat(43)}=`, '']) {
    const odder = { ...request, headers: ['Authorization', odd] }
    test.equal(requestSignatureMatches(odder, ACCOUNT, KEYS), undefined, odd)
    test.equal(keySchemeOf(odder), undefined)
  }
})

void t.test('header names are ordered as the SDK orders them', async (test) => {
  const file = new URL('../../node_modules/@azure/storage-common/dist/esm/utils/SharedKeyComparator.js', import.meta.url)
  const { compareHeader } = await import(file.href) as { compareHeader: (a: string, b: string) => number }
  const name = string({ unit: constantFrom(...'abz019_-.\'+!~|'.split('')), maxLength: 6 }).map((text) => `x-ms-meta-${text}`)
  assert(property(array(name, { minLength: 2, maxLength: 2 }), ([a = '', b = '']) => a === b || Math.sign(compareLikeService(a, b)) === compareHeader(a, b)), { numRuns: 20_000 })
  test.strictSame(['x-ms-meta-a-b', 'x-ms-meta-1', 'x-ms-meta-ab', 'x-ms-meta-_x'].toSorted(compareLikeService), ['x-ms-meta-_x', 'x-ms-meta-1', 'x-ms-meta-ab', 'x-ms-meta-a-b'])
  test.equal(compareLikeService('x', 'x'), 0)
  test.equal(compareByByte('x', 'x'), 0)
})

const at = (...headers: string[]): boolean => isDateClose({ service: 'blob', method: 'GET', path: '/', query: undefined, headers }, NOW)

void t.test('the date has to be close', async (test) => {
  test.ok(at('x-ms-date', 'Tue, 24 Nov 2026 12:15:00 GMT'))
  test.ok(at('Date', 'Tue, 24 Nov 2026 11:45:00 GMT'))
  test.notOk(at('x-ms-date', 'Tue, 24 Nov 2026 12:15:01 GMT'))
  test.notOk(at('x-ms-date', 'Tue, 24 Nov 2026 11:00:00 GMT', 'Date', 'Tue, 24 Nov 2026 12:00:00 GMT'), 'x-ms-date counts')
  test.notOk(at('x-ms-date', '2026-11-24T12:00:00Z'))
  test.notOk(at())
})

void t.test('what is signed anew verifies, by the scheme of the client', async (test) => {
  const all = [...await blobRequests(test), ...await queueRequests(test), ...await tableRequests(test)]
  for (const request of all) {
    const { date, authorization } = signRequest(request, ACCOUNT, KEYS[0].key, NOW)
    const signed = withHeader(withHeader({ ...request, headers: request.headers.filter((_, i, h) => h[i - i % 2]?.toLowerCase() !== 'date') }, 'x-ms-date', date), 'Authorization', authorization)
    test.equal(date, 'Tue, 24 Nov 2026 12:00:00 GMT')
    test.match(requestSignatureMatches(signed, ACCOUNT, KEYS), { slot: 'key1', reading: { scheme: keySchemeOf(request), order: 'service', languageFirst: false } })
  }
  test.match(signRequest({ service: 'blob', method: 'GET', path: '/', query: undefined, headers: [] }, ACCOUNT, KEYS[0].key, NOW).authorization, /^SharedKey tideoffice:.{43}=$/)
})

void t.test('Azurite takes what is signed anew', { skip: missingAzurite ?? false }, async (test) => {
  const realm = await createRealm(test)
  const ports = await startAzurite(test, realm)
  const key = createSecretKey(Buffer.from(realm.key2, 'base64'))
  const send = async (service: 'blob' | 'queue' | 'table', method: string, path: string, query: string | undefined, own: string[], body = ''): Promise<number | undefined> => {
    const headers = ['x-ms-version', '2025-05-05', 'Content-Length', String(Buffer.byteLength(body)), ...own]
    const { date, authorization } = signRequest({ service, method, path, query, headers }, ACCOUNT, key, Date.now())
    const req = httpsRequest({ host: '127.0.0.1', port: ports[service], servername: upstreamHost(service), ca: realm.authority.pem, method, path: query === undefined ? path : `${path}?${query}` })
    for (const [i, name] of headers.entries()) if (i % 2 === 0) req.setHeader(name, headers[i + 1] ?? '')
    req.setHeader('Host', upstreamHost(service)).setHeader('x-ms-date', date).setHeader('Authorization', authorization).end(body)
    const [reply] = await once(req, 'response') as [import('node:http').IncomingMessage]
    reply.resume()
    await once(reply, 'end')
    return reply.statusCode
  }
  const lite = ['Authorization', `SharedKeyLite ${ACCOUNT}:${'A'.repeat(43)}=`]
  test.equal(await send('blob', 'PUT', '/ledgers', 'restype=container', ['x-ms-meta-ab', '1']), 201)
  test.equal(await send('blob', 'PUT', '/ledgers/b%C3%A5t%20%2B1.txt', undefined, ['x-ms-blob-type', 'BlockBlob', 'Content-Encoding', 'gzip', 'Content-Language', 'sv', 'Content-Type', 'text/plain'], 'tide'), 201)
  test.equal(await send('blob', 'GET', '/ledgers', 'restype=container&comp=list&prefix=b%C3%A5&maxresults=5', []), 200)
  test.equal(await send('queue', 'PUT', '/orders', undefined, []), 201)
  test.equal(await send('queue', 'GET', '/orders', 'comp=metadata', lite), 200)
  test.equal(await send('table', 'GET', '/Tables', '$top=3', ['Accept', 'application/json', ...lite]), 200)
  test.equal(await send('table', 'GET', '/Tables', undefined, ['Accept', 'application/json']), 200, 'Shared Key')
  test.equal(await send('blob', 'PUT', '/ledgers', 'restype=container&comp=metadata', ['Authorization', 'x', 'x-ms-meta-c_d', '2', 'x-ms-meta-cd', '1']), 200)
})
