// Copies as Azure's own SDK makes them, by the gate's names, with the real Azurite fetching the source.
import { BlobSASPermissions, BlobServiceClient, ContainerSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import t from 'tap'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, upstreamHost } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'

void t.test('by key and by SAS, from sources with and without a SAS', { skip: missingAzurite ?? false }, async (test) => {
  const realm = await createRealm(test)
  const azurite = await startAzurite(test, realm)
  const real = await startGate(test, realm, { storage: azurite })
  const key = new StorageSharedKeyCredential(ACCOUNT, realm.key1)
  const url = endpoint(real, 'blob')
  const container = new BlobServiceClient(url, key, ONCE).getContainerClient('copies')
  await container.create()
  const source = container.getBlockBlobClient('from a+b.csv')
  await source.upload('a;b', 3)
  const expiresOn = new Date(Date.now() + 3_600_000)
  const blob = generateBlobSASQueryParameters({ containerName: 'copies', blobName: 'from a+b.csv', permissions: BlobSASPermissions.parse('r'), expiresOn }, key).toString()
  const whole = generateBlobSASQueryParameters({ containerName: 'copies', permissions: ContainerSASPermissions.parse('racw'), expiresOn }, key).toString()
  test.notMatch(blob + whole, /spr=/)
  const bySas = new BlobServiceClient(`${url}?${whole}`, undefined, ONCE).getContainerClient('copies')
  for (const [name, client] of [['by key', container], ['by SAS', bySas]] as const) {
    for (const [how, from] of [['bare', source.url], ['with a SAS', `${source.url}?${blob}`]] as const) {
      const to = client.getBlockBlobClient(`${name} ${how}`)
      test.equal((await to.syncCopyFromURL(from)).copyStatus, 'success', `${name} ${how}`)
      test.equal((await to.downloadToBuffer()).toString(), 'a;b')
      const { copySource } = await container.getBlockBlobClient(`${name} ${how}`).getProperties()
      test.match(copySource, how === 'bare' ? new RegExp(`^https://${upstreamHost('blob')}`) : /sig=REDACTED$/, 'as the service knows it')
    }
    await test.rejects(client.getBlockBlobClient('no').syncCopyFromURL(source.url.replace('https', 'http')), { statusCode: 400, code: 'CannotVerifyCopySource' })
    await test.rejects(client.getBlockBlobClient('no').syncCopyFromURL(`${source.url}?${blob.replace(/sig=.{6}/, 'sig=AAAAAA')}`), { statusCode: 403, code: 'AuthenticationFailed' })
    await test.rejects(client.getBlockBlobClient('no').syncCopyFromURL('https://elsewhere.example/a/b'), { statusCode: 400, code: 'CannotVerifyCopySource' })
  }
})
