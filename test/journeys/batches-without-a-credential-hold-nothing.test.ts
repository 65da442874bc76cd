// A batch is read whole, so nothing of it is collected before its credential was verified; what is collected has a total time, a
// budget for the worker and one for each address (security.md F4).
import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import type { ConnectionOptions } from 'node:tls'
import { keepPace } from '../../src/gate/connection/timeouts.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const MIB = 1 << 20
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const gate = await startGate(t, realm, { storage: { blob: upstream.port, table: upstream.port } })

/** The Authorization of a batch of that length, by code of this test (spec/sas.md 16.1). */
function sharedKey(length: number, date: string, { key = realm.key1, account = ACCOUNT }: { key?: string; account?: string } = {}): string {
  const text = `POST\n\n\n${length}\n\nmultipart/mixed; boundary=b\n\n\n\n\n\n\nx-ms-date:${date}\nx-ms-version:2025-05-05\n/${account}/\ncomp:batch`
  return `SharedKey ${account}:${createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')}`
}

async function begin(test: Test, fields: readonly string[], { target = '/?comp=batch', host = storageHost('blob'), from = '127.0.0.1' } = {}): Promise<Client> {
  const client = await dial(test, gate, { servername: host, localAddress: from } as ConnectionOptions)
  client.expect('POST')
  await client.send([`POST ${target} HTTP/1.1`, `Host: ${host}`, 'Content-Type: multipart/mixed; boundary=b', ...fields, '', ''].join('\r\n'))
  return client
}

const LENGTH = `Content-Length: ${4 * MIB}`
const now = (): string => new Date().toUTCString()
const VERDICTS: readonly (readonly [what: string, fields: () => readonly string[], verdict: string, why: string])[] = [
  ['none', () => [], '403 not-permitted AuthorizationPermissionMismatch', 'credential'],
  ['none in chunks', () => ['Transfer-Encoding: chunked'], '403 not-permitted AuthorizationPermissionMismatch', 'credential'],
  ['none that waits to be asked', () => ['Expect: 100-continue'], '403 not-permitted AuthorizationPermissionMismatch', 'credential'],
  ['Basic', () => ['Authorization: Basic YTpi'], '403 not-permitted AuthorizationPermissionMismatch', 'credential'],
  ['an empty bearer', () => ['Authorization: Bearer '], '403 not-permitted AuthorizationPermissionMismatch', 'credential'],
  ['two', () => ['Authorization: Bearer a', 'Authorization: Bearer b'], '403 not-permitted AuthorizationPermissionMismatch', 'credential'],
  ['a key of nobody', () => [`x-ms-date: ${now()}`, `Authorization: ${sharedKey(4 * MIB, now(), { key: 'AAAA' })}`], '403 shared-key-signature AuthenticationFailed', 'signature'],
  ['another account', () => [`x-ms-date: ${now()}`, `Authorization: ${sharedKey(4 * MIB, now(), { account: 'otheroffice' })}`], '403 shared-key-signature AuthenticationFailed', 'account'],
  ['a scheme without a signature', () => ['Authorization: SharedKey x'], '403 shared-key-signature AuthenticationFailed', 'signature'],
  ['an old date', () => ['x-ms-date: Tue, 24 Nov 2020 10:00:00 GMT', `Authorization: ${sharedKey(4 * MIB, 'Tue, 24 Nov 2020 10:00:00 GMT')}`], '403 shared-key-signature AuthenticationFailed', 'date'],
]

for (const [what, fields, verdict, why] of VERDICTS) {
  void t.test(`a credential that is ${what}: refused before a byte of the body`, async (test) => {
    const own = fields()
    const client = await begin(test, ['x-ms-version: 2025-05-05', ...(own.some((field) => field.startsWith('Transfer')) ? [] : [LENGTH]), ...own])
    const reply = await client.reply()
    test.equal(`${reply.status} ${reply.header('x-tidegate-reason')} ${reply.header('x-ms-error-code')}`, verdict)
    test.notMatch(client.text, '100 Continue')
    await until(() => gate.lines('request').some(({ refusal }) => (refusal as { why?: string } | undefined)?.why === why), 'its line')
    if (why === 'date') test.match(reply.text, /not within 15 minutes/)
  })
}

void t.test('a table batch without a credential is refused as well', async (test) => {
  const client = await begin(test, [LENGTH], { target: '/$batch', host: storageHost('table') })
  test.equal((await client.reply()).header('x-tidegate-reason'), 'not-permitted')
})

void t.test('a key of the account is verified, and the batch goes on', async (test) => {
  const date = now()
  const body = '--b\r\nContent-Type: application/http\r\n\r\nDELETE /c/b HTTP/1.1\r\n\r\n--b--\r\n'
  const client = await begin(test, ['x-ms-version: 2025-05-05', `x-ms-date: ${date}`, `Content-Length: ${body.length}`, `Authorization: ${sharedKey(body.length, date)}`])
  await client.send(body)
  test.equal((await client.reply()).status, 200)
  test.equal(upstream.seen.at(-1)?.text, body)
})

void t.test('one address holds 16 MiB: its oldest unfinished batch gives way, others go on', async (test) => {
  const elsewhere = await begin(test, ['Authorization: Bearer a', LENGTH], { from: '127.0.2.2' })
  await elsewhere.send(Buffer.alloc(3 * MIB, 0x61))
  const batches: Client[] = []
  for (let i = 0; i < 5; i++) {
    const client = await begin(test, ['Authorization: Bearer a', LENGTH], { from: '127.0.2.1' })
    await client.send(Buffer.alloc(4 * MIB - 1, 0x61))
    batches.push(client)
    await until(() => gate.parts.live.all().filter(({ collected, arrival }) => collected === 4 * MIB - 1 && arrival?.address === '127.0.2.1').length >= Math.min(i + 1, 4), `batch ${i + 1}`)
  }
  const first = await batches[0]?.reply()
  test.strictSame([first?.status, first?.header('x-tidegate-reason'), first?.header('retry-after')], [503, 'overloaded', '1'])
  test.strictSame([...batches.slice(1), elsewhere].map(({ replies }) => replies.length), [0, 0, 0, 0, 0])
  test.match(gate.lines('request').find(({ reason }) => reason === 'overloaded'), { refusal: { why: 'batches' } })
  for (const client of [...batches, elsewhere]) client.close()
  await until(() => gate.parts.live.size === 0, 'nothing in flight')
})

void t.test('a batch has 30 s in all, at whatever rate', async (test) => {
  const client = await begin(test, ['Authorization: Bearer a', LENGTH])
  await until(() => gate.parts.live.all().some(({ collected }) => collected !== undefined), 'the batch is being read')
  const cut: string[] = []
  // A clock that has gone on for 31 s since the batch began.
  const stop = keepPace({ minimumRate: 1, upstreamTimeout: 200, connectTimeout: 10_000, live: gate.parts.live, monotonic: () => performance.now() + 31_000, cut: (_transaction, refusal) => void cut.push(refusal.reason) })
  test.teardown(stop)
  await until(() => cut.length > 0, 'the cut')
  test.equal(cut[0], 'body-too-slow')
  client.close()
})

void t.test('pieces of one byte cost no more than their bytes', async (test) => {
  const client = await begin(test, ['Authorization: Bearer a', 'Transfer-Encoding: chunked'])
  const before = process.memoryUsage().rss
  for (let i = 0; i < 8; i++) await client.send('1\r\na\r\n'.repeat(65_536))
  await until(() => gate.parts.live.all().some(({ collected = 0 }) => collected >= 8 * 65_536), 'half a MiB in pieces of one byte')
  test.ok(process.memoryUsage().rss - before < 100 * MIB)
  client.close()
})
