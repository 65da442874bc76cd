// Batches: several requests in one body. Each part's token is verified and tightened, parts with the gate's name get the
// service's, an edited body has its own length and, under Shared Key, its own signature; one part that cannot be read or
// does not hold refuses the whole. Made by the real SDKs wherever they make them.
import {
  AccountSASPermissions, AnonymousCredential, BlobBatchClient, BlobClient, BlobSASPermissions, BlobServiceClient, ContainerSASPermissions, generateAccountSASQueryParameters, generateBlobSASQueryParameters, StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { createHash, createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { issue, pairsOf, secondAccepts } from '../sas/second.ts'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream, type Message } from '../support/upstream.ts'
import { until } from '../support/until.ts'

const HOUR = 3_600_000
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { blob: upstream.port, dfs: upstream.port } })
const KEY = Buffer.from(realm.key1, 'base64')
const keyed = new StorageSharedKeyCredential(ACCOUNT, realm.key1)
const later = (): Date => new Date(Date.now() + HOUR)
const skip = missingAzurite ?? false

/** What the service says to a batch of one. */
upstream.script(async (turn) => {
  await turn.whole
  const part = 'Content-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 202 Accepted\r\nx-ms-version: 2025-05-05\r\n\r\n'
  await turn.reply(202, ['Content-Type: multipart/mixed; boundary=r'], `--r\r\n${part}\r\n--r--\r\n`)
})

const tokens = {
  blob: (name: string) => generateBlobSASQueryParameters({ containerName: 'ccc', blobName: name, permissions: BlobSASPermissions.parse('rwd'), expiresOn: later() }, keyed).toString(),
  container: () => generateBlobSASQueryParameters({ containerName: 'ccc', permissions: ContainerSASPermissions.parse('rwdl'), expiresOn: later() }, keyed).toString(),
  account: (more: object = {}) => generateAccountSASQueryParameters({ services: 'b', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdl'), expiresOn: later(), ...more }, keyed).toString(),
}

/** Request lines in a body, of any method. */
const targetsIn = ({ text }: Message): string[] => [...text.matchAll(/^[A-Z]+ (\S+) HTTP\/1\.1\r$/gm)].map(([, target = '']) => target)

/** The signature of spec/sas.md 16.1 for a batch, by code of this test. */
function sharedKey(request: Message, key: Buffer): string {
  const of = (name: string): string => request.header(name) ?? ''
  const own = request.headers.map(([name, value]) => `${name.toLowerCase()}:${value}\n`).filter((line) => line.startsWith('x-ms-')).toSorted()
  const [path = '', query = ''] = request.target.split('?')
  const parameters = pairsOf(query).map(([name, value]) => `\n${name.toLowerCase()}:${value}`).toSorted()
  const text = `POST\n\n\n${of('content-length')}\n${of('content-md5')}\n${of('content-type')}\n\n\n\n\n\n\n${own.join('')}/${ACCOUNT}${path}${parameters.join('')}`
  return `SharedKey ${ACCOUNT}:${createHmac('sha256', key).update(text).digest('base64')}`
}

async function seenOf(act: () => Promise<unknown>): Promise<Message> {
  const before = upstream.seen.length
  await act()
  return upstream.seen[before] as Message
}

function eachTightened(test: Test, seen: Message, expected: readonly string[]): void {
  const targets = targetsIn(seen)
  test.strictSame(targets.map((target) => target.split('?')[0]), expected)
  for (const target of targets) {
    const [path = '', query = ''] = target.split('?')
    test.strictSame(new URLSearchParams(query).getAll('spr'), ['https'], path)
    test.ok(secondAccepts({ service: 'blob', account: ACCOUNT, path: decodeURIComponent(path) }, query, [KEY]), path)
  }
  test.equal(seen.header('content-length'), String(seen.length), 'the length of what went up')
}

const blobUrl = endpoint(gate, 'blob')
const names = ['a', '2026/q 4+.csv', 'båtar.txt']
const paths = names.map((name) => `/ccc/${encodeURIComponent(name)}`)
const clients = (query: (name: string) => string): BlobClient[] => names.map((name) => new BlobClient(`${blobUrl}/ccc/${encodeURIComponent(name)}?${query(name)}`, new AnonymousCredential()))

void t.test('the SDK\'s batch under Shared Key, its parts by SAS: parts tightened, the whole signed anew', async (test) => {
  const batches = new BlobBatchClient(blobUrl, keyed, ONCE)
  for (const query of [tokens.blob, tokens.container, () => tokens.account()]) {
    const seen = await seenOf(() => batches.deleteBlobs(clients(query)))
    eachTightened(test, seen, paths)
    test.equal(seen.header('authorization'), sharedKey(seen, KEY))
  }
  const tiers = await seenOf(() => batches.setBlobsAccessTier(clients(tokens.blob), 'Cool'))
  eachTightened(test, tiers, paths)
  test.equal(tiers.text.match(/x-ms-access-tier: Cool/gi)?.length, 3, 'the parts\' own fields stay')
  test.strictSame([...tiers.text.matchAll(/Content-ID: (\d)/g)].map(([, id]) => id), ['0', '1', '2'])
  const boundary = /boundary=(\S+)/.exec(tiers.header('content-type') ?? '')?.[1] ?? ''
  test.equal(tiers.text.split(`--${boundary}`).length, 5, 'and the boundary')
})

void t.test('the SDK\'s batch by SAS as a whole and in its parts', async (test) => {
  for (const outer of [tokens.account(), tokens.account({ protocol: 'https,http' })]) {
    const seen = await seenOf(() => new BlobBatchClient(`${blobUrl}?${outer}`, new AnonymousCredential(), ONCE).deleteBlobs(clients(tokens.blob)))
    eachTightened(test, seen, paths)
    const query = seen.target.split('?')[1] ?? ''
    test.ok(secondAccepts({ service: 'blob', account: ACCOUNT, path: '/' }, query, [KEY]))
    test.strictSame(new URLSearchParams(query).getAll('spr'), ['https'])
    test.match(query, /comp=batch/)
  }
})

void t.test('parts by Shared Key, or https-only already: the very bytes and the client\'s signature', async (test) => {
  const batches = new BlobBatchClient(blobUrl, keyed, ONCE)
  for (const act of [() => batches.deleteBlobs(names.map((name) => `${blobUrl}/ccc/${encodeURIComponent(name)}`), keyed), () => batches.deleteBlobs(clients((name) => generateBlobSASQueryParameters({ containerName: 'ccc', blobName: name, permissions: BlobSASPermissions.parse('d'), expiresOn: later(), protocol: 'https' as never }, keyed).toString()))]) {
    const seen = await seenOf(act)
    test.equal(seen.header('authorization'), sharedKey(seen, KEY))
    test.equal(seen.header('content-length'), String(seen.length))
    test.equal(targetsIn(seen).length, 3)
  }
})

const TOKEN = (more: Readonly<Record<string, string>> = {}): string => issue({ service: 'blob', account: ACCOUNT, path: '/ccc/b', params: Object.entries({ sv: '2025-05-05', se: later().toISOString().slice(0, 19) + 'Z', sr: 'b', sp: 'rd', ...more }) }, KEY)

function bodyOf(...lines: readonly string[]): string {
  return `${lines.map((line, i) => `--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: ${i}\r\n\r\n${line}\r\nContent-Length: 0\r\n\r\n`).join('')}--b--\r\n`
}

interface Ask { readonly line?: string; readonly host?: string; readonly headers?: readonly string[] }

/** Sends a batch as it stands; what the upstream saw, or the refusal. */
async function send(test: Test, body: string | Buffer, { line = 'POST /?comp=batch', host = storageHost('blob'), headers }: Ask = {}): Promise<{ reply: Message; seen: Message | undefined }> {
  const client = await dial(test, gate, { servername: host })
  const before = upstream.seen.length
  const reply = await client.ask(line, [`Host: ${host}`, 'Authorization: Bearer token', 'Content-Type: multipart/mixed; boundary=b', ...(headers ?? [`Content-Length: ${body.length}`])], body)
  client.close()
  return { reply, seen: upstream.seen[before] }
}

void t.test('one bad part refuses the whole, and nothing is sent upstream', async (test) => {
  const good = `DELETE /ccc/b?${TOKEN()} HTTP/1.1`
  for (const [reason, ...lines] of [
    ['sas-signature', `DELETE /ccc/b?${TOKEN().replace(/sig=.{4}/, 'sig=AAAA')} HTTP/1.1`], ['sas-signature', `DELETE /ccc/other?${TOKEN()} HTTP/1.1`], ['sas-duplicate', `DELETE /ccc/b?${TOKEN()}&sp=rwd HTTP/1.1`], ['sas-duplicate', `DELETE /ccc/b?${TOKEN()}&s%70=rwd HTTP/1.1`], ['sas-expired', `DELETE /ccc/b?${TOKEN({ se: '2020-01-01' })} HTTP/1.1`], ['sas-protocol-value', `DELETE /ccc/b?${TOKEN({ spr: 'http' })} HTTP/1.1`], ['sas-source-ip', `DELETE /ccc/b?${TOKEN({ sip: '10.0.0.1' })} HTTP/1.1`],
    ['batch-malformed', `DELETE http://${storageHost('blob')}/ccc/b?${TOKEN()} HTTP/1.1`], ['batch-malformed', `DELETE https://evil.example/ccc/b?${TOKEN()} HTTP/1.1`], ['batch-malformed', `DELETE https://${storageHost('dfs')}/ccc/b HTTP/1.1`], ['batch-malformed', 'DELETE /ccc/../d HTTP/1.1'], ['batch-malformed', `DELETE /ccc/b?${TOKEN()} HTTP`], ['batch-malformed', `DELETE /ccc/b?${TOKEN()}`], ['batch-malformed', ''], ['batch-malformed', `${good}\r\nx-ms-copy-source: https://a.example/b?${TOKEN()}`],
  ] as const) {
    for (const body of [bodyOf(good, ...lines), bodyOf(...lines, good)]) {
      const { reply, seen } = await send(test, body)
      test.equal(reply.header('x-tidegate-reason'), reason, lines[0]?.slice(0, 60))
      if (reason === 'batch-malformed') test.match([reply.status, reply.header('x-ms-error-code')], [400, 'InvalidInput'])
      test.equal(seen, undefined)
    }
  }
})

void t.test('nothing is hidden by framing', async (test) => {
  const hidden = `DELETE /ccc/b?${TOKEN()} HTTP/1.1`
  const clean = bodyOf('DELETE /ccc/a HTTP/1.1')
  for (const [where, body] of Object.entries({ preamble: `${hidden}\r\n${clean}`, epilogue: `${clean}${hidden}`, 'LF alone': bodyOf(hidden).replaceAll('\r\n', '\n'), 'another boundary': bodyOf(hidden).replaceAll('--b', '--other'), 'no multipart at all': hidden })) {
    const { seen } = await send(test, body)
    const [target = ''] = /\/ccc\/b\?\S+/.exec(seen?.text ?? '') ?? []
    test.match(target, /&spr=https&sig=/, where)
    test.ok(secondAccepts({ service: 'blob', account: ACCOUNT, path: '/ccc/b' }, target.split('?')[1] ?? '', [KEY]), where)
  }
  for (const encoding of ['base64', 'quoted-printable', 'gzip']) test.equal((await send(test, bodyOf(hidden).replace('binary', encoding))).reply.header('x-tidegate-reason'), 'batch-malformed', encoding)
  for (const coding of ['gzip', 'deflate', 'br']) test.equal((await send(test, clean, { headers: [`Content-Length: ${clean.length}`, `Content-Encoding: ${coding}`] })).reply.header('x-tidegate-reason'), 'batch-malformed', coding)
})

void t.test('wherever a service may see a batch', async (test) => {
  const body = bodyOf(`DELETE /ccc/b?${TOKEN()} HTTP/1.1`)
  for (const [line, host] of [['POST /?comp=batch', 'blob'], ['POST /ccc?restype=container&comp=batch', 'blob'], ['POST /?comp=b%61tch', 'blob'], ['POST /?Comp=Batch&x', 'blob'], ['POST /?comp=batch', 'dfs']] as const) {
    test.match((await send(test, body, { line, host: storageHost(host) })).seen?.text, /&spr=https&sig=/, `${host}: ${line}`)
  }
  const other = await send(test, body, { line: 'POST /?comp=other' })
  test.equal(other.seen?.text, body, 'what is no batch is nobody\'s to read')
})

void t.test('in chunks, in pieces, after 100 Continue, with a digest, up to 4 MiB', async (test) => {
  const body = bodyOf(`DELETE /ccc/b?${TOKEN()} HTTP/1.1`)
  const chunked = await send(test, `5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`, { headers: ['Transfer-Encoding: chunked'] })
  test.match(chunked.seen?.text, /&spr=https&sig=/)
  test.match([chunked.seen?.header('content-length'), chunked.seen?.header('transfer-encoding')], [undefined, 'chunked'])

  const digest = await send(test, body, { headers: [`Content-Length: ${body.length}`, `Content-MD5: ${createHash('md5').update(body).digest('base64')}`] })
  test.equal(digest.seen?.header('content-md5'), createHash('md5').update(digest.seen?.body ?? '').digest('base64'))

  const client = await dial(test, gate)
  const head = `POST /?comp=batch HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nContent-Type: multipart/mixed; boundary=b\r\nAuthorization: Bearer token\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`
  const number = client.expect(head)
  const before = upstream.seen.length
  await client.send(head)
  await until(() => client.text.includes('100 Continue'), '100 Continue')
  await client.sendPieces(body.slice(0, 50), body.slice(50, 51), body.slice(51))
  test.equal((await client.reply(number)).status, 202)
  test.match(upstream.seen[before]?.text, /&spr=https&sig=/)

  const filler = (size: number): string => `${body}${'x'.repeat(size - body.length)}`
  const LIMIT = 4 * 1024 * 1024
  // A tightened token is longer: what the client sent is what counts.
  test.equal((await send(test, filler(LIMIT))).reply.status, 202)
  for (const wish of [{}, { headers: ['Transfer-Encoding: chunked'] }]) {
    const over = filler(LIMIT + 1)
    const framed = 'headers' in wish ? `${over.length.toString(16)}\r\n${over}\r\n0\r\n\r\n` : over
    const { reply, seen } = await send(test, framed, wish)
    test.match([reply.status, reply.header('x-tidegate-reason'), seen], [400, 'batch-malformed', undefined])
  }
})

void t.test('a client that leaves in the middle leaves nothing behind', async (test) => {
  const before = upstream.seen.length
  const client = await dial(test, gate)
  await client.send(`POST /?comp=batch HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nAuthorization: Bearer token\r\nContent-Length: 1000\r\n\r\n--b`)
  client.close()
  test.equal((await send(test, bodyOf('DELETE /ccc/a HTTP/1.1'))).reply.status, 202)
  test.equal(upstream.seen.length, before + 1)
})

void t.test('without the account\'s key a batch by Shared Key that needs an edit is refused', async (test) => {
  const lost = await startGate(test, realm, { accounts: [{ name: ACCOUNT, blob: { url: `https://${upstreamHost('blob')}:${upstream.port}`, connect: `127.0.0.1:${upstream.port}`, ca: realm.caFile } }], storageOptions: { sas: { withoutKey: 'pass' } } })
  const before = upstream.seen.length
  const batches = new BlobBatchClient(endpoint(lost, 'blob'), keyed, ONCE)
  await batches.deleteBlobs(clients(tokens.blob))
  test.match(upstream.seen[before]?.text, /DELETE \/ccc\/a\?\S*sig=/, 'nothing could be verified, so nothing was edited')
  test.equal(upstream.seen[before]?.header('authorization'), sharedKey(upstream.seen[before] as Message, KEY))
  test.equal(await lost.metric('tidegate_sas_total', { account: ACCOUNT, kind: 'service', outcome: 'passed-unverified' }), 3)
})

void t.test('real batches at Azurite, by key, by SAS, both', { skip }, async (test) => {
  const azurite = await startAzurite(test, realm)
  const real = await startGate(test, realm, { storage: azurite })
  const url = endpoint(real, 'blob')
  const container = new BlobServiceClient(url, keyed, ONCE).getContainerClient('ccc')
  await container.create()
  const account = tokens.account()
  const bySas = (query: () => string): BlobClient[] => names.map((name) => new BlobClient(`${url}/ccc/${encodeURIComponent(name)}?${query()}`, new AnonymousCredential()))
  const outer = { 'by key': new BlobBatchClient(url, keyed, ONCE), 'by account SAS': new BlobBatchClient(`${url}?${account}`, new AnonymousCredential(), ONCE) }
  for (const [whole, batches] of Object.entries(outer)) {
    for (const [each, blobs] of [['by key', names.map((name) => container.getBlobClient(name))], ['by account SAS', bySas(() => account)], ['by container SAS', bySas(tokens.container)]] as const) {
      await Promise.all(names.map((name) => container.getBlockBlobClient(name).upload('x', 1)))
      const tiered = await batches.setBlobsAccessTier([...blobs], 'Cool')
      test.equal(tiered.subResponsesSucceededCount, names.length, `tiers, ${whole}, parts ${each}`)
      test.equal((await container.getBlobClient(names[1] ?? '').getProperties()).accessTier, 'Cool')
      const deleted = await batches.deleteBlobs([...blobs])
      test.equal(deleted.subResponsesSucceededCount, names.length, `deletes, ${whole}, parts ${each}`)
      test.equal(await container.getBlobClient(names[2] ?? '').exists(), false)
    }
    const wrong = bySas(() => account.replace(/sig=.{4}/, 'sig=AAAA'))
    await test.rejects(batches.deleteBlobs(wrong), { statusCode: 403, code: 'AuthenticationFailed' })
  }
  test.equal(await real.metric('tidegate_refusals_total', { reason: 'unexpected' }), 0)
})
