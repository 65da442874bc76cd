// Azure's own SDKs against the real Azurite through the gate, by Shared Key and by SAS. The tokens are made without
// `spr=https`, as many a program makes them, so that each is tightened on its way.
import {
  AccountSASPermissions, BlobBatchClient, BlobSASPermissions, BlobServiceClient, ContainerSASPermissions, generateAccountSASQueryParameters, generateBlobSASQueryParameters, StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { generateQueueSASQueryParameters, QueueSASPermissions, QueueServiceClient, StorageSharedKeyCredential as QueueKeyCredential } from '@azure/storage-queue'
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { startGate, type GateHere } from '../support/gate.ts'
import { ACCOUNT, createRealm, type Realm } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'
import { startUpstream } from '../support/upstream.ts'

const HOUR = 3_600_000
const later = (): Date => new Date(Date.now() + HOUR)
const skip = missingAzurite ?? false

interface Ground {
  readonly realm: Realm
  readonly gate: GateHere
}

let ground: Ground | undefined
async function groundOf(): Promise<Ground> {
  if (ground !== undefined) return ground
  const realm = await createRealm(t)
  const azurite = await startAzurite(t, realm)
  const gate = await startGate(t, realm, { storage: azurite })
  return (ground = { realm, gate })
}

const accountToken = (key: string): string => generateAccountSASQueryParameters({
  services: 'b', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdlacupitfx'), expiresOn: later(),
}, new StorageSharedKeyCredential(ACCOUNT, key)).toString()

/** Every blob client of a service, by each kind of credential. */
function blobServices({ realm, gate }: Ground): Record<string, BlobServiceClient> {
  const url = endpoint(gate, 'blob')
  return {
    'key 1': new BlobServiceClient(url, new StorageSharedKeyCredential(ACCOUNT, realm.key1), ONCE),
    'key 2': new BlobServiceClient(url, new StorageSharedKeyCredential(ACCOUNT, realm.key2), ONCE),
    'an account SAS of key 1': new BlobServiceClient(`${url}?${accountToken(realm.key1)}`, undefined, ONCE),
    'an account SAS of key 2': new BlobServiceClient(`${url}?${accountToken(realm.key2)}`, undefined, ONCE),
  }
}

async function everyBlob(test: Test, service: BlobServiceClient, name: string): Promise<void> {
  const container = service.getContainerClient(name)
  await container.create({ metadata: { Under_Score: 'a b' } })
  test.match((await container.getProperties()).metadata, { under_score: 'a b' })

  const names = ['2026/q4.csv', 'båtar/七月 tide.csv', 'q+a #1?final.txt', 'a%2Fb%20c 100%.txt', "it's (1)+&=;,@.txt", 'tail/']
  for (const blob of names) await container.getBlockBlobClient(blob).upload(blob, Buffer.byteLength(blob), { blobHTTPHeaders: { blobContentType: 'text/plain; charset=utf-8' } })
  for (const blob of names) test.equal((await container.getBlockBlobClient(blob).downloadToBuffer()).toString(), blob, blob)
  const listed = []
  for await (const item of container.listBlobsFlat()) listed.push(item.name)
  test.strictSame(listed.toSorted(), names.toSorted(), 'a listing')
  const pages = []
  for await (const page of container.listBlobsFlat({ includeMetadata: true }).byPage({ maxPageSize: 2 })) pages.push(page.segment.blobItems.length)
  test.strictSame(pages, [2, 2, 2], 'in pages')
  const folders: string[] = []
  for await (const item of container.listBlobsByHierarchy('/')) if (item.kind === 'prefix') folders.push(item.name)
  test.strictSame(folders.toSorted((a, b) => a.localeCompare(b, 'en')), ['2026/', 'båtar/', 'tail/'], 'by hierarchy')

  const big = container.getBlockBlobClient('big.bin')
  const bytes = randomBytes(3_000_000)
  await big.uploadData(bytes, { blockSize: 700_000, maxSingleShotSize: 1, concurrency: 3 })
  test.ok((await big.downloadToBuffer()).equals(bytes), 'in blocks')
  test.equal((await big.getBlockList('committed')).committedBlocks?.length, 5)
  test.ok((await big.downloadToBuffer(1000, 5000)).equals(bytes.subarray(1000, 6000)), 'a range')
  await big.setMetadata({ k: 'v', dash: '-._~' })
  test.match((await big.getProperties()), { contentLength: 3_000_000, metadata: { k: 'v' } })
  test.equal(await container.getBlockBlobClient('none').exists(), false, '404 of a HEAD')

  const snapshot = await big.createSnapshot()
  await big.upload('new', 3)
  test.ok((await big.withSnapshot(snapshot.snapshot ?? '').downloadToBuffer()).equals(bytes), 'a snapshot')
  test.equal((await big.downloadToBuffer()).toString(), 'new')

  const lease = big.getBlobLeaseClient()
  await lease.acquireLease(15)
  await test.rejects(big.upload('no', 2), { statusCode: 412, code: 'LeaseIdMissing' })
  await big.upload('yes', 3, { conditions: { leaseId: lease.leaseId } })
  await lease.releaseLease()

  await big.setTags({ 'office': 'north sea', 'a+b': 'c=d/e' })
  test.strictSame((await big.getTags()).tags, { 'office': 'north sea', 'a+b': 'c=d/e' })

  const append = container.getAppendBlobClient('log')
  await append.create()
  await append.appendBlock('one', 3)
  await append.appendBlock('two', 3)
  test.equal((await append.downloadToBuffer()).toString(), 'onetwo')
  const page = container.getPageBlobClient('disk')
  await page.create(1024)
  await page.uploadPages(Buffer.alloc(512, 1), 512, 512)
  test.equal((await page.downloadToBuffer())[600], 1)
  const streamed = await big.download(0)
  test.equal(streamed.contentLength, 3)
  streamed.readableStreamBody?.resume()
  await container.deleteBlob('log')
  await container.delete()
}

void t.test('blobs, with account credentials', { skip }, async (test) => {
  const own = await groundOf()
  let number = 0
  for (const [credential, service] of Object.entries(blobServices(own))) {
    const name = `ledgers${++number}`
    await test.test(credential, (inner) => everyBlob(inner, service, name))
  }
  test.ok(await own.gate.metric('tidegate_sas_total', { account: ACCOUNT, kind: 'account', outcome: 'tightened' }) > 0)
  for (const slot of ['key1', 'key2']) test.ok(await own.gate.metric('tidegate_sas_key_used_total', { account: ACCOUNT, slot }) > 0, slot)
})

void t.test('blobs, with service SAS: of a container, a blob, a snapshot, a stored policy, each version', { skip }, async (test) => {
  const { realm, gate } = await groundOf()
  const url = endpoint(gate, 'blob')
  const key = new StorageSharedKeyCredential(ACCOUNT, realm.key1)
  const owner = new BlobServiceClient(url, key, ONCE).getContainerClient('service')
  await owner.create()
  const source = owner.getBlockBlobClient('2026/q 4+.csv')
  await source.upload('a;b', 3)
  const { snapshot = '' } = await source.createSnapshot()
  await owner.setAccessPolicy(undefined, [{ id: 'office +/1', accessPolicy: { startsOn: new Date(Date.now() - HOUR), expiresOn: later(), permissions: 'rl' } }])
  for (const version of ['2015-04-05', '2018-11-09', '2020-02-10', '2020-12-06', '2025-05-05', '2026-04-06']) {
    const common = { containerName: 'service', version, expiresOn: later() }
    const container = generateBlobSASQueryParameters({ ...common, permissions: ContainerSASPermissions.parse('racwdl') }, key)
    const client = new BlobServiceClient(`${url}?${container.toString()}`, undefined, ONCE).getContainerClient('service')
    const names = []
    for await (const item of client.listBlobsFlat()) names.push(item.name)
    test.strictSame(names, ['2026/q 4+.csv'], `${version}: a container's listing`)
    await client.getBlockBlobClient(`new-${version}`).upload('x', 1)
    await client.deleteBlob(`new-${version}`)

    const blob = generateBlobSASQueryParameters({ ...common, blobName: '2026/q 4+.csv', permissions: BlobSASPermissions.parse('r'), contentDisposition: 'attachment; filename="q 4.csv"', cacheControl: 'no-cache' }, key)
    const download = await new BlobServiceClient(`${url}?${blob.toString()}`, undefined, ONCE).getContainerClient('service').getBlobClient('2026/q 4+.csv').download()
    test.match(download, { contentDisposition: 'attachment; filename="q 4.csv"', cacheControl: 'no-cache' }, `${version}: a blob, with overrides`)
    download.readableStreamBody?.resume()
    await test.rejects(new BlobServiceClient(`${url}?${blob.toString()}`, undefined, ONCE).getContainerClient('service').getBlobClient('other').download(), { statusCode: 403, code: 'AuthenticationFailed' })
    const written = new BlobServiceClient(`${url}?${blob.toString()}`, undefined, ONCE).getContainerClient('service').getBlockBlobClient('2026/q 4+.csv').upload('x', 1)
    await test.rejects(written, { name: 'RestError', statusCode: 403 }, 'its rights are as they were')

    if (version >= '2018-11-09') {
      const of = generateBlobSASQueryParameters({ ...common, blobName: '2026/q 4+.csv', snapshotTime: snapshot, permissions: BlobSASPermissions.parse('r') }, key)
      const old = new BlobServiceClient(`${url}?${of.toString()}`, undefined, ONCE).getContainerClient('service').getBlobClient('2026/q 4+.csv').withSnapshot(snapshot)
      test.equal((await old.downloadToBuffer()).toString(), 'a;b', `${version}: a snapshot`)
    }
    const policy = generateBlobSASQueryParameters({ containerName: 'service', version, identifier: 'office +/1' }, key)
    const held = new BlobServiceClient(`${url}?${policy.toString()}`, undefined, ONCE).getContainerClient('service').getBlobClient('2026/q 4+.csv')
    test.equal((await held.downloadToBuffer()).toString(), 'a;b', `${version}: a stored policy`)
  }
})

void t.test('copies from a URL, batches by Shared Key, and anonymous reads', { skip }, async (test) => {
  const { realm, gate } = await groundOf()
  const url = endpoint(gate, 'blob')
  const key = new StorageSharedKeyCredential(ACCOUNT, realm.key1)
  const service = new BlobServiceClient(url, key, ONCE)
  const container = service.getContainerClient('public')
  await container.create({ access: 'container' })
  for (const name of ['a', 'b', 'c']) await container.getBlockBlobClient(name).upload(name, 1)

  const open = new BlobServiceClient(url, undefined, ONCE).getContainerClient('public')
  test.equal((await open.getBlobClient('a').downloadToBuffer()).toString(), 'a', 'anonymous')
  const names = []
  for await (const { name } of open.listBlobsFlat()) names.push(name)
  test.strictSame(names, ['a', 'b', 'c'])
  await test.rejects(new BlobServiceClient(url, undefined, ONCE).getContainerClient('service').getBlobClient('x').download(), { name: 'RestError', statusCode: 403 }, 'what the service says to strangers')

  await test.rejects(container.getBlobClient('copy').beginCopyFromURL('http://tideoffice.blob.core.windows.net/public/a'), { statusCode: 400, code: 'CannotVerifyCopySource' }, 'http')
  await test.rejects(container.getBlobClient('copy').beginCopyFromURL('https://evil.example/public/a'), { statusCode: 400, code: 'CannotVerifyCopySource' })
  const copied = await container.getBlobClient('copy').beginCopyFromURL(container.getBlobClient('a').url)
  test.equal((await copied.pollUntilDone()).copyStatus, 'success')
  test.equal((await container.getBlobClient('copy').downloadToBuffer()).toString(), 'a', 'a copy, by the gate\'s own name for the source')

  const batch = new BlobBatchClient(url, key, ONCE)
  const answer = await batch.deleteBlobs([container.getBlobClient('b').url, container.getBlobClient('c').url], key)
  test.match([answer.subResponsesSucceededCount, answer.subResponsesFailedCount], [2, 0])
  test.equal(await container.getBlobClient('b').exists(), false)
  const tiered = await batch.setBlobsAccessTier([container.getBlobClient('a').url], key, 'Cool')
  test.equal(tiered.subResponsesSucceededCount, 1)
})

void t.test('queues and messages, by Shared Key and by SAS', { skip }, async (test) => {
  const { realm, gate } = await groundOf()
  const url = endpoint(gate, 'queue')
  const key = new QueueKeyCredential(ACCOUNT, realm.key2)
  const account = generateAccountSASQueryParameters({ services: 'q', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdlaup'), expiresOn: later() }, new StorageSharedKeyCredential(ACCOUNT, realm.key1)).toString()
  let number = 0
  for (const service of [new QueueServiceClient(url, key, ONCE), new QueueServiceClient(`${url}?${account}`, undefined, ONCE)]) {
    const name = `orders-${++number}`
    const queue = service.getQueueClient(name)
    await queue.create({ metadata: { office: 'north' } })
    test.match((await queue.getProperties()).metadata, { office: 'north' })
    const text = `<&>"' 七月 ${'x'.repeat(1000)}`
    await queue.sendMessage(text)
    test.equal((await queue.peekMessages()).peekedMessageItems[0]?.messageText, text)
    const { receivedMessageItems: [message] } = await queue.receiveMessages()
    const updated = await queue.updateMessage(message?.messageId ?? '', message?.popReceipt ?? '', 'second', 0)
    test.equal((await queue.peekMessages()).peekedMessageItems[0]?.messageText, 'second')
    await queue.deleteMessage(message?.messageId ?? '', updated.popReceipt ?? '')
    test.equal((await queue.getProperties()).approximateMessagesCount, 0)
    const names = []
    for await (const item of service.listQueues({ prefix: name })) names.push(item.name)
    test.strictSame(names, [name])

    const token = generateQueueSASQueryParameters({ queueName: name, permissions: QueueSASPermissions.parse('raup'), expiresOn: later() }, key).toString()
    const sender = new QueueServiceClient(`${url}?${token}`, undefined, ONCE).getQueueClient(name)
    await sender.sendMessage('by service SAS')
    test.equal((await sender.receiveMessages()).receivedMessageItems[0]?.messageText, 'by service SAS')
    await test.rejects(sender.delete(), { name: 'RestError', statusCode: 403 })
    await queue.clearMessages()
    await queue.delete()
  }
  const wrong = new QueueServiceClient(`${url}?${account.replace(/sig=..../, 'sig=AAAA')}`, undefined, ONCE)
  await test.rejects(wrong.getProperties(), { statusCode: 403, code: 'AuthenticationFailed' }, 'a bad signature, in words that the SDK reads')
})

void t.test('a bearer token is sent upstream untouched, and what it names', async (test) => {
  const realm = await createRealm(test)
  const upstream = await startUpstream(test, realm)
  upstream.script((turn) => turn.reply(404, ['x-ms-error-code: BlobNotFound']))
  const gate = await startGate(test, realm, { storage: { blob: upstream.port } })
  const credential = { getToken: () => Promise.resolve({ token: 'eyJ0eXAi.eyJhdWQi.c2ln-_', expiresOnTimestamp: Date.now() + HOUR }) }
  const service = new BlobServiceClient(endpoint(gate, 'blob'), credential, ONCE)
  test.equal(await service.getContainerClient('c').getBlobClient('a b/ü').exists(), false)
  const seen = upstream.seen[0]
  test.match([seen?.line, seen?.all('authorization')], ['HEAD /c/a%20b/%C3%BC?timeout=30 HTTP/1.1', ['Bearer eyJ0eXAi.eyJhdWQi.c2ln-_']])
  test.match(seen?.header('x-ms-version'), /^\d{4}-/)
})

void t.test('of all this no refusal was the gate\'s but those meant to be, and every SAS went up https-only', { skip }, async (test) => {
  const { gate } = await groundOf()
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'unexpected' }), 0)
  test.equal(await gate.metric('tidegate_refusals_total', { stage: 'upstream' }), 0)
  for (const service of ['blob', 'queue']) test.ok(gate.lines('request').some((line) => line['service'] === service && line['sas'] === 'tightened'), service)
  test.notOk(gate.lines('request').some((line) => line['sas'] === 'unchanged'))
  test.notOk(gate.text.some((line) => /sig=(?!REDACTED)/.test(line)))
})
