// What `npm start` puts into the storage account, through the gateway: a container and a blob. And the tokens for it.
import { AccountSASPermissions, AccountSASResourceTypes, AccountSASServices, BlobSASPermissions, generateAccountSASQueryParameters, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import { request } from 'node:https'
import { ACCOUNT, storageHost } from './configuration.ts'

export const CONTAINER = 'welcome'
export const BLOB = 'hello.txt'
const TEXT = 'Hello from behind the gate.\n'
const HOUR = 3_600_000

/** Creates both through the gateway's TLS port, with the account's key; `ca` is the authority (PEM) to trust. Throws with the reply when the gateway or the storage behind it refuses. */
export async function putFirstBlob(key: string, port: number, ca: string): Promise<void> {
  const token = accountToken(key)
  // With --data the container is there from the last time.
  await put(`/${CONTAINER}?restype=container&${token}`, { port, ca, accept: [201, 409] })
  await put(`/${CONTAINER}/${BLOB}?${token}`, { port, ca, accept: [201], body: TEXT })
}

/**
 * Given the account's key and a time, returns a token to read the blob for a day, made by the SDK as many a program makes
 * it: without `spr`, so that by itself it would also be good over plain HTTP.
 */
export function blobToken(key: string, now: Date): string {
  return generateBlobSASQueryParameters({
    containerName: CONTAINER, blobName: BLOB, permissions: BlobSASPermissions.parse('r'), expiresOn: new Date(now.getTime() + 24 * HOUR),
  }, new StorageSharedKeyCredential(ACCOUNT, key)).toString()
}

function accountToken(key: string): string {
  return generateAccountSASQueryParameters({
    services: AccountSASServices.parse('b').toString(), resourceTypes: AccountSASResourceTypes.parse('co').toString(),
    permissions: AccountSASPermissions.parse('cw'), expiresOn: new Date(Date.now() + HOUR),
  }, new StorageSharedKeyCredential(ACCOUNT, key)).toString()
}

interface Put {
  readonly port: number
  readonly ca: string
  readonly accept: readonly number[]
  readonly body?: string
}

function put(path: string, { port, ca, accept, body = '' }: Put): Promise<void> {
  const host = storageHost('blob')
  return new Promise((resolve, reject) => {
    const call = request({
      method: 'PUT', host: '127.0.0.1', servername: host, port, path, ca, agent: false,
      headers: { host: `${host}:${port}`, 'content-length': Buffer.byteLength(body), 'content-type': 'text/plain', 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2026-06-06' },
    }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => accept.includes(response.statusCode ?? 0) ? resolve() : reject(new Error(
        `PUT ${path.split('?')[0]} through the gateway: ${response.statusCode}\n${Buffer.concat(chunks).toString()}`)))
    })
    call.once('error', reject)
    call.end(body)
  })
}
