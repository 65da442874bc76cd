// @azure/data-tables against the real Azurite through the gate: entities with odd keys, filters, MERGE, transactions, by
// Shared Key and by SAS made without `spr=https`.
import { AzureNamedKeyCredential, AzureSASCredential, generateTableSas, odata, TableClient, TableServiceClient, type TransactionAction } from '@azure/data-tables'
import { AccountSASPermissions, generateAccountSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import t, { type Test } from 'tap'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, upstreamHost } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'
import { startUpstream } from '../support/upstream.ts'

const later = (): Date => new Date(Date.now() + 3_600_000)
const skip = missingAzurite ?? false

const ODD = ["it's", 'a b+c', '七月', 'x&y=z', '100%', 'a:b;c,d', '(1)', '!$*@', 'ä~`^{}|<>"', '']

async function everyEntity(test: Test, table: TableClient): Promise<void> {
  for (const row of ODD) await table.createEntity({ partitionKey: "o'dd +&", rowKey: row, text: row, number: 1, big: { type: 'Int64', value: '9007199254740993' }, when: new Date(0) })
  for (const row of ODD) test.match(await table.getEntity("o'dd +&", row), { rowKey: row, text: row, number: 1 }, JSON.stringify(row))
  const found = []
  for await (const entity of table.listEntities({ queryOptions: { filter: odata`text eq ${"it's"} or text eq ${'a b+c'}` } })) found.push(entity.rowKey)
  test.strictSame(new Set(found), new Set(['a b+c', "it's"]), 'a filter')
  await table.updateEntity({ partitionKey: "o'dd +&", rowKey: '七月', more: true }, 'Merge')
  test.match(await table.getEntity("o'dd +&", '七月'), { text: '七月', more: true }, 'MERGE')
  await table.upsertEntity({ partitionKey: "o'dd +&", rowKey: '七月', only: 1 }, 'Replace')
  test.equal((await table.getEntity("o'dd +&", '七月'))['text'], undefined, 'PUT')
  await test.rejects(table.createEntity({ partitionKey: "o'dd +&", rowKey: 'a b+c' }), { name: 'RestError', statusCode: 409 })
  await table.deleteEntity("o'dd +&", '七月')
}

void t.test('entities, by Shared Key and by SAS', { skip }, async (test) => {
  const realm = await createRealm(test)
  const azurite = await startAzurite(test, realm)
  const gate = await startGate(test, realm, { storage: azurite })
  const url = endpoint(gate, 'table')
  const key = new AzureNamedKeyCredential(ACCOUNT, realm.key1)
  const service = new TableServiceClient(url, key, ONCE)
  await service.createTable('Ledger')
  const names = []
  for await (const item of service.listTables()) names.push(item.name)
  test.strictSame(names, ['Ledger'])
  const owner = new TableClient(url, 'Ledger', key, ONCE)
  await everyEntity(test, owner)

  await service.createTable('Second')
  const account = generateAccountSASQueryParameters({ services: 't', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdlau'), expiresOn: later(), version: '2019-02-02' }, new StorageSharedKeyCredential(ACCOUNT, realm.key2)).toString()
  const second = new TableClient(url, 'Second', new AzureSASCredential(account), ONCE)
  await everyEntity(test, second)

  await service.createTable('Third')
  const token = generateTableSas('Third', key, { permissions: { query: true, add: true, update: true, delete: true }, expiresOn: later() })
  const third = new TableClient(url, 'Third', new AzureSASCredential(token), ONCE)
  await everyEntity(test, third)
  const ranged = generateTableSas('Third', key, { permissions: { query: true }, expiresOn: later(), startPartitionKey: 'a', endPartitionKey: 'z', startRowKey: '0', endRowKey: '9' })
  await test.resolves(new TableClient(url, 'Third', new AzureSASCredential(ranged), ONCE).listEntities().next())
  const elsewhere = new TableClient(url, 'Second', new AzureSASCredential(token), ONCE)
  await test.rejects(elsewhere.getEntity('a', 'b'), { name: 'RestError', statusCode: 403, details: { odataError: { code: 'AuthenticationFailed' } } }, 'another table than the token names')
  await service.deleteTable('Second')
  test.ok(gate.lines('request').some((line) => line['sas'] === 'tightened'), 'tokens went up https-only')
  test.equal(await gate.metric('tidegate_refusals_total'), 1, 'nothing else was refused')
})

// Azurite reads the parts of a transaction in path style only, which a Shared Key does not survive.
void t.test('transactions, by SAS, before an emulator with the account in the path', { skip }, async (test) => {
  const realm = await createRealm(test)
  const azurite = await startAzurite(test, realm)
  const gate = await startGate(test, realm, { storage: { table: { url: `https://127.0.0.1:${azurite.table}/${ACCOUNT}`, ca: realm.caFile } } })
  const account = generateAccountSASQueryParameters({ services: 't', resourceTypes: 'sco', permissions: AccountSASPermissions.parse('rwdlau'), expiresOn: later(), version: '2019-02-02' }, new StorageSharedKeyCredential(ACCOUNT, realm.key2)).toString()
  const table = new TableClient(endpoint(gate, 'table'), 'Batches', new AzureSASCredential(account), ONCE)
  await table.createTable()
  const made = await table.submitTransaction(['a', "b'c d"].map((rowKey): TransactionAction => ['create', { partitionKey: 'batch', rowKey, n: 1 }]))
  test.strictSame(made.subResponses.map(({ status }) => status), [204, 204])
  await table.submitTransaction([['update', { partitionKey: 'batch', rowKey: 'a', n: 2 }, 'Merge'], ['delete', { partitionKey: 'batch', rowKey: "b'c d" }]])
  test.match(await table.getEntity('batch', 'a'), { n: 2 })
  await test.rejects(table.getEntity('batch', "b'c d"), { name: 'RestError', statusCode: 404 })
})

void t.test('transactions by Shared Key: parts name the service, the signature stays', async (test) => {
  const realm = await createRealm(test)
  const upstream = await startUpstream(test, realm)
  const gate = await startGate(test, realm, { storage: { table: upstream.port } })
  upstream.script(async (turn) => {
    await turn.whole
    const part = ['--changesetresponse_1', 'Content-Type: application/http', 'Content-Transfer-Encoding: binary', '', 'HTTP/1.1 204 No Content', 'DataServiceVersion: 1.0;', '', '', ''].join('\r\n')
    await turn.reply(202, ['Content-Type: multipart/mixed; boundary=batchresponse_1'], `--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n${part}${part}--changesetresponse_1--\r\n--batchresponse_1--\r\n`)
  })
  const table = new TableClient(endpoint(gate, 'table'), 'Ledger', new AzureNamedKeyCredential(ACCOUNT, realm.key1), ONCE)
  const made = await table.submitTransaction(['a', "b'c d"].map((rowKey): TransactionAction => ['upsert', { partitionKey: 'p', rowKey, n: 1 }]))
  test.strictSame(made.subResponses.map(({ status }) => status), [204, 204])
  const [seen] = upstream.seen
  test.equal(seen?.line, 'POST /$batch HTTP/1.1')
  test.match(seen?.header('authorization'), new RegExp(`^SharedKeyLite ${ACCOUNT}:.{44}$`))
  test.equal(seen?.header('content-length'), String(seen?.length), 'the length is that of what went up')
  const lines = seen?.text.split('\r\n').filter((line) => line.endsWith(' HTTP/1.1')) ?? []
  test.equal(lines.length, 2)
  for (const line of lines) test.ok(line.startsWith(`PATCH https://${upstreamHost('table')}:${upstream.port}/Ledger(`), line)
})
