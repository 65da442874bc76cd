// Transactions on tables: parts name the service on their way up, replies name the gate on their way back; entities are the
// user's. As Azure's own SDK makes them, before an upstream that keeps what it saw and before the real Azurite.
import { AzureNamedKeyCredential, AzureSASCredential, generateTableSas, TableClient, type TransactionAction } from '@azure/data-tables'
import { AccountSASPermissions, generateAccountSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import t from 'tap'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { startUpstream, type Message } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { table: upstream.port } })
const keyed = new StorageSharedKeyCredential(ACCOUNT, realm.key1)
const later = (): Date => new Date(Date.now() + 3_600_000)
const skip = missingAzurite ?? false
/** What a user may store: a URL with a token. */
const LINK = 'https://x/y?sv=2025-05-05&sr=b&sig=c2ln'

/** Request lines in a body, of any method. */
const targetsIn = ({ text }: Message): string[] => [...text.matchAll(/^[A-Z]+ (\S+) HTTP\/1\.1\r$/gm)].map(([, target = '']) => target)

/** A table's word on one part. */
const partOf = (service: string, row: string): string => `--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 204 No Content\r\nLocation: ${service}/Ledger(PartitionKey='p',RowKey='${row}')\r\nDataServiceId: ${service}/Ledger(PartitionKey='p',RowKey='${row}')\r\nETag: W/"1"\r\n\r\n\r\n`

/** A transaction with one entity, by hand. */
const changeset = (line: string): string => `--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n${line}\r\nContent-Type: application/json\r\nAccept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\nPrefer: return-no-content\r\n\r\n{"PartitionKey":"p","RowKey":"raw"}\r\n--c--\r\n--b--\r\n`

void t.test('the SDK\'s transactions: parts name the service, the reply names the gate', async (test) => {
  const service = `https://${upstreamHost('table')}:${upstream.port}`
  const own = `https://${storageHost('table')}:${gate.port}`
  const before = upstream.seen.length
  upstream.script(async (turn) => {
    await turn.whole
    await turn.reply(202, ['Content-Type: multipart/mixed; boundary=batchresponse_1'], `--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n${partOf(service, 'a')}${partOf(service, '%C3%A9')}--changesetresponse_1--\r\n--batchresponse_1--\r\n`)
  })
  const sas = generateAccountSASQueryParameters({ services: 't', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdlau'), expiresOn: later(), version: '2019-02-02' }, keyed).toString()
  const table = generateTableSas('Ledger', new AzureNamedKeyCredential(ACCOUNT, realm.key1), { permissions: { add: true, update: true, delete: true, query: true }, expiresOn: later() })
  for (const credential of [new AzureNamedKeyCredential(ACCOUNT, realm.key1), new AzureSASCredential(sas), new AzureSASCredential(table)]) {
    const client = new TableClient(endpoint(gate, 'table'), 'Ledger', credential as AzureSASCredential, ONCE)
    const made = await client.submitTransaction(['a', 'é'].map((rowKey): TransactionAction => ['create', { partitionKey: 'p', rowKey, link: LINK }]))
    test.strictSame(made.subResponses.map(({ status, rowKey }) => [status, rowKey]), [[204, 'a'], [204, '%C3%A9']])
    const seen = upstream.seen.at(-1) as Message
    for (const target of targetsIn(seen)) test.ok(target.startsWith(`${service}/Ledger`), target)
    test.equal(targetsIn(seen).length, 2)
    test.equal(seen.header('content-length'), String(seen.length))
    test.equal(seen.text.split(LINK).length, 3, 'values are the user\'s')
    if (credential instanceof AzureSASCredential) test.match(seen.target, /^\/\$batch\?.*spr=https/)
    else test.match(seen.header('authorization'), /^SharedKeyLite /)
  }
  const body = changeset(`POST ${own}/Ledger HTTP/1.1`)
  const reply = await askOnce(test, gate, `POST /$batch?${sas}`, [`Host: ${storageHost('table')}`, 'Content-Type: multipart/mixed; boundary=b', `Content-Length: ${body.length}`], body)
  test.strictSame([...reply.text.matchAll(/^(Location|DataServiceId): (.*)\r$/gm)].map(([, , url]) => url), ['a', 'a', '%C3%A9', '%C3%A9'].map((row) => `https://${storageHost('table')}/Ledger(PartitionKey='p',RowKey='${row}')`))
  test.equal(reply.header('content-length'), String(reply.length))
  test.equal(upstream.seen.length, before + 4)
})

void t.test('a transaction at Azurite, whose reply names entities in path style: the client sees the gate', { skip }, async (test) => {
  const azurite = await startAzurite(test, realm)
  const real = await startGate(test, realm, { storage: { table: { url: `https://127.0.0.1:${azurite.table}/${ACCOUNT}`, ca: realm.caFile } } })
  const sas = generateAccountSASQueryParameters({ services: 't', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdlau'), expiresOn: later(), version: '2019-02-02' }, keyed).toString()
  const table = new TableClient(endpoint(real, 'table'), 'Ledger', new AzureSASCredential(sas), ONCE)
  const said: string[] = []
  table.pipeline.addPolicy({
    name: 'listen',
    sendRequest: async (request, next) => {
      const reply = await next(request)
      said.push(reply.bodyAsText ?? '')
      return reply
    },
  })
  await table.createTable()
  const made = await table.submitTransaction(['a', 'b c'].map((rowKey): TransactionAction => ['create', { partitionKey: 'p', rowKey }]))
  test.strictSame(made.subResponses.map(({ status }) => status), [204, 204])
  test.equal((await table.getEntity('p', 'b c')).rowKey, 'b c')

  const named = [...said.join('').matchAll(/^(?:Location|DataServiceId): (.*)$/gm)].map(([, url = '']) => url.trim())
  test.ok(named.length >= 2, 'Azurite names the entities')
  for (const url of named) test.ok(url.startsWith(`https://${storageHost('table')}:${real.port}/Ledger(PartitionKey='p',RowKey='`), url)
})

void t.test('an inserted entity\'s Location and DataServiceId are on the Host of the request', async (test) => {
  const own = await startUpstream(test, realm)
  const tables = await startGate(test, realm, { storage: { table: own.port, blob: own.port } })
  const service = `${upstreamHost('table')}:${own.port}`
  own.script((turn) => turn.reply(201, [`Location: https://${service}/Ledger(PartitionKey='p',RowKey='%27x')`, `dataServiceId: http://${service.toUpperCase()}/Ledger`, `Content-Location: https://${service}/x`]))
  for (const host of [storageHost('table'), `${storageHost('table')}:8443`, storageHost('table').toUpperCase()]) {
    const client = await dial(test, tables, { servername: storageHost('table') })
    const reply = await client.ask('POST /Ledger', [`Host: ${host}`, 'Content-Length: 0'])
    test.match([reply.header('location'), reply.header('dataserviceid'), reply.header('content-location')], [`https://${host}/Ledger(PartitionKey='p',RowKey='%27x')`, `https://${host}/Ledger`, `https://${service}/x`])
  }
  own.script((turn) => turn.reply(201, ['Location: https://elsewhere.example/Ledger']))
  const client = await dial(test, tables, { servername: storageHost('table') })
  test.equal((await client.ask('POST /Ledger', [`Host: ${storageHost('table')}`])).header('location'), 'https://elsewhere.example/Ledger', 'another\'s name stays')
  own.script((turn) => turn.reply(201, [`Location: https://${upstreamHost('blob')}:${own.port}/c`]))
  test.equal((await (await dial(test, tables)).ask('PUT /c')).header('location'), `https://${upstreamHost('blob')}:${own.port}/c`, 'and on other services')
})
