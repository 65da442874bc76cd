// User delegation tokens: every vector with keys from files, and keys that clients fetch through the gate, which are
// remembered until they expire. What a real SDK and Azurite make of it stands at the end.
import { BlobSASPermissions, BlobServiceClient, ContainerSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import { createHmac, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { issue } from '../sas/second.ts'
import { VECTORS, type Vector } from '../sas/ground.ts'
import { missingAzurite, startAzurite } from '../support/azurite.ts'
import { far, startGate, type GateHere } from '../support/gate.ts'
import { ACCOUNT, createRealm, SERVICES, storageHost, upstreamHost, type Realm } from '../support/realm.ts'
import { endpoint, ONCE } from '../support/sdk.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { startUpstream, type Script, type Upstream } from '../support/upstream.ts'

const CLOCK = Date.parse('2026-11-24T06:40:00Z')
const HOUR = 3_600_000

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)

/** An account without keys of its own, at all five services. */
function accountWith(more: object, at: Realm = realm, to: Upstream = upstream): object {
  return { name: ACCOUNT, ...Object.fromEntries(SERVICES.map((service) => [service, far(at, upstreamHost(service), to.port)])), ...more }
}

const vectors = VECTORS.filter(({ userDelegationKey }) => userDelegationKey !== undefined)
t.equal(vectors.length, 18)

void t.test('every vector, with its key from a file', async (test) => {
  const keys = new Set(vectors.map(({ userDelegationKey }) => JSON.stringify(userDelegationKey)))
  const files = [...keys].map((key, i) => realm.write(`udk${i}.json`, key))
  const gate = await startGate(test, realm, { accounts: [accountWith({ userDelegationKeys: files })], clock: () => CLOCK })
  for (const vector of vectors) await test.test(vector.name, (inner) => tightens(inner, gate, vector))
  test.ok(await gate.metric('tidegate_sas_total', { account: ACCOUNT, kind: 'user-delegation', outcome: 'tightened' }) >= 2 * vectors.length)
  for (const key of keys) {
    const { value } = JSON.parse(key) as { value: string }
    test.notOk(gate.text.some((line) => line.includes(value)), 'no line shows a key')
  }
})

async function tightens(test: Test, gate: GateHere, { service, url, requestHeaders = {}, expectedAfterTighten: expected }: Vector): Promise<void> {
  const target = url.replace(/^https?:\/\/[^/]+/, '')
  const headers = [`Host: ${storageHost(service)}`, ...Object.entries(requestHeaders).map(([name, value]) => `${name}: ${value}`)]
  const client = await dial(test, gate, { servername: storageHost(service) })
  const before = upstream.seen.length
  for (const _ of [1, 2]) {
    const reply = await client.ask(`GET ${target}`, headers)
    test.equal(reply.status, 200)
    test.equal(reply.header('x-tidegate-sas'), 'tightened')
  }
  const [first, second] = upstream.seen.slice(before)
  test.equal(first?.target.split('?')[0], target.split('?')[0], 'the path byte for byte')
  test.strictSame(pairs(first?.target), pairs(`?${expected.query}`))
  test.equal(second?.target, first?.target)
  for (const [name, value] of Object.entries(requestHeaders)) test.strictSame(first?.all(name), [value], name)

  for (const [name, value] of Object.entries(requestHeaders)) {
    const own = `${name}: ${value}`
    for (const others of [headers.filter((line) => line !== own), headers.map((line) => line === own ? `${own}0` : line)]) {
      const reply = await client.ask(`GET ${target}`, others)
      test.match([reply.status, reply.header('x-tidegate-reason')], [403, 'sas-signature'], `${name} missing or changed`)
    }
  }
  test.equal(upstream.seen.length, before + 2)
  for (const [name, value] of Object.entries(requestHeaders)) {
    const reply = await client.ask(`GET ${target}`, [...headers, `${name}: ${value}0`])
    // Which one the service reads is not known; today the gate verifies the first and carries both.
    test.equal(reply.header('x-tidegate-reason'), 'sas-signature', `${name} twice`)
  }
}

const pairs = (target = ''): string[] => [...new URLSearchParams(target.slice(target.indexOf('?')))].map((pair) => pair.join('=')).toSorted()

void t.test('parameters that `srq` names are signed with their values', async (test) => {
  const vector = vectors.find(({ name }) => name === 'udk-blob-2026-04-06-srh-srq')
  const gate = await startGate(test, realm, { accounts: [accountWith({ userDelegationKeys: [realm.write('udk.json', JSON.stringify(vector?.userDelegationKey))] })], clock: () => CLOCK })
  const { pathname, search } = new URL(vector?.url ?? '')
  const headers = Object.entries(vector?.requestHeaders ?? {}).map(([name, value]) => `${name}: ${value}`)
  test.equal((await askOnce(test, gate, `GET ${pathname}${search}`, headers)).status, 200)
  for (const changed of [search.replace('comp=metadata', 'comp=acl'), search.replace('comp=metadata&', ''), `${search}&comp=metadata`, search.replace('comp=', 'Comp=')]) {
    const reply = await askOnce(test, gate, `GET ${pathname}${changed}`, headers)
    test.match([reply.status, reply.header('x-tidegate-reason')], [403, 'sas-signature'], changed.slice(0, 20))
  }
})

/** A key, in the service's words. */
interface Key { readonly start: string; readonly end: string; readonly secret: Buffer }

const keyUntil = (end: string): Key => ({ start: '2026-11-24T06:00:00Z', end, secret: randomBytes(32) })

const xmlOf = ({ start, end, secret }: Key): string => `\uFEFF<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid><SignedStart>${start}</SignedStart><SignedExpiry>${end}</SignedExpiry><SignedService>b</SignedService><SignedVersion>2025-07-05</SignedVersion><Value>${secret.toString('base64')}</Value></UserDelegationKey>`

function tokenOf({ start, end, secret }: Key, change: Readonly<Record<string, string>> = {}): string {
  const all = { sv: '2025-07-05', se: '2027-01-01T00:00:00Z', sr: 'b', sp: 'r', skoid: 'oid', sktid: 'tid', skt: start, ske: end, sks: 'b', skv: '2025-07-05', ...change }
  return issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params: Object.entries(all) }, secret)
}

const ASK = 'POST /?restype=service&comp=userdelegationkey'
const WISH = '<KeyInfo><Start>2026-11-24T06:00:00Z</Start><Expiry>2026-11-25T06:00:00Z</Expiry></KeyInfo>'
const asking = (body = WISH): readonly string[] => ['Authorization: Bearer x.y.z', 'Content-Type: application/xml', `Content-Length: ${body.length}`]

/** The service: gives that key to whoever asks. */
function gives(key: Key, how: 'whole' | 'pieces' = 'whole'): Script {
  const xml = Buffer.from(xmlOf(key))
  return async (turn) => {
    await turn.whole
    if (turn.request.method !== 'POST') return turn.reply(200, [], 'ok')
    if (how === 'whole') return turn.reply(200, ['Content-Type: application/xml', 'x-ms-version: 2025-07-05'], xml)
    await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (const byte of xml) await turn.write(Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]))
    await turn.write('0\r\n\r\n')
  }
}

for (const how of ['whole', 'pieces'] as const) {
  void t.test(`a key that a client fetches is remembered, and the client gets the very bytes (${how})`, async (test) => {
    const own = await startUpstream(test, realm)
    const gate = await startGate(test, realm, { accounts: [accountWith({}, realm, own)], clock: () => CLOCK })
    const key = keyUntil('2026-11-25T06:00:00Z')
    own.script(gives(key, how))
    const lacking = await askOnce(test, gate, `GET /c/b?${tokenOf(key)}`)
    test.match([lacking.status, lacking.header('x-tidegate-reason'), lacking.header('x-ms-error-code')], [403, 'sas-no-key', 'AuthenticationFailed'], 'not known yet')

    const reply = await askOnce(test, gate, ASK, asking(), WISH)
    test.equal(reply.status, 200)
    test.ok(reply.body.equals(Buffer.from(xmlOf(key))), 'byte for byte')
    test.equal(own.seen[0]?.text, WISH, 'and what it asked')

    const passed = await askOnce(test, gate, `GET /c/b?${tokenOf(key)}`)
    test.match([passed.status, passed.header('x-tidegate-sas')], [200, 'tightened'])
    test.equal(own.seen[1]?.target, `/c/b?${tokenOf(key, { spr: 'https' }).replace(/&spr=https/, '').replace('&sig=', '&spr=https&sig=')}`)
    const closed = tokenOf(key, { spr: 'https' })
    test.match([(await askOnce(test, gate, `GET /c/b?${closed}`)).status, own.seen[2]?.target], [200, `/c/b?${closed}`])
    for (const wrong of [tokenOf({ ...key, secret: randomBytes(32) }), tokenOf(key, { sp: 'rwd' }).replace('sp=rwd', 'sp=r')]) {
      test.equal((await askOnce(test, gate, `GET /c/b?${wrong}`)).header('x-tidegate-reason'), 'sas-signature')
    }
    for (const field of ['skoid', 'sktid', 'skt', 'ske', 'sks', 'skv']) {
      test.equal((await askOnce(test, gate, `GET /c/b?${tokenOf(key, { [field]: field.endsWith('t') ? '2026-11-24T07:00:00Z' : 'other' })}`)).header('x-tidegate-reason'), 'sas-no-key', `another ${field} names another key`)
    }
    test.equal(await gate.metric('tidegate_sas_total', { account: ACCOUNT, kind: 'user-delegation', outcome: 'sas-no-key' }), 7)
    test.notOk(gate.text.some((line) => line.includes(key.secret.toString('base64'))), 'no line shows the key')
  })
}

void t.test('a key is known at every service of the account, and to no other account', async (test) => {
  const own = await startUpstream(test, realm, { names: [upstreamHost('blob', 'tidestore')] })
  const gate = await startGate(test, realm, {
    accounts: [accountWith({}, realm, own), { name: 'tidestore', blob: far(realm, upstreamHost('blob', 'tidestore'), own.port) }], names: [storageHost('blob', 'tidestore')], clock: () => CLOCK,
  })
  const key = keyUntil('2026-11-25T06:00:00Z')
  own.script(gives(key))
  await askOnce(test, gate, ASK, asking(), WISH)
  test.equal((await askOnce(test, gate, `GET /c/b?${tokenOf(key)}`, [`Host: ${storageHost('dfs')}`])).status, 200)
  const other = issue({ service: 'blob', account: 'tidestore', path: '/c/b', params: [...new URLSearchParams(tokenOf(key))].filter(([name]) => name !== 'sig') }, key.secret)
  test.equal((await askOnce(test, gate, `GET /c/b?${other}`, [`Host: ${storageHost('blob', 'tidestore')}`])).header('x-tidegate-reason'), 'sas-no-key')
})

void t.test('a key is dropped when it expires', async (test) => {
  const own = await startUpstream(test, realm)
  let now = CLOCK
  const gate = await startGate(test, realm, { accounts: [accountWith({}, realm, own)], clock: () => now })
  const key = keyUntil('2026-11-25T06:00:00Z')
  own.script(gives(key))
  await askOnce(test, gate, ASK, asking(), WISH)
  now = Date.parse(key.end) - 1
  test.equal((await askOnce(test, gate, `GET /c/b?${tokenOf(key)}`)).status, 200, 'up to its last millisecond')
  now = Date.parse(key.end)
  test.equal((await askOnce(test, gate, `GET /c/b?${tokenOf(key)}`)).header('x-tidegate-reason'), 'sas-no-key')
})

void t.test('nothing is learned where the operator does not want it, and from no other exchange', async (test) => {
  const own = await startUpstream(test, realm)
  const key = keyUntil('2026-11-25T06:00:00Z')
  own.script(gives(key))
  const deaf = await startGate(test, realm, { accounts: [accountWith({}, realm, own)], storageOptions: { sas: { learnDelegationKeys: false } }, clock: () => CLOCK })
  test.equal((await askOnce(test, deaf, ASK, asking(), WISH)).body.toString(), xmlOf(key))
  test.equal((await askOnce(test, deaf, `GET /c/b?${tokenOf(key)}`)).header('x-tidegate-reason'), 'sas-no-key')

  const gate = await startGate(test, realm, { accounts: [accountWith({}, realm, own)], clock: () => CLOCK })
  for (const line of ['POST /c/b', 'POST /c?restype=service&comp=userdelegationkey', 'POST /?restype=service&comp=properties', 'POST /?comp=userdelegationkey']) await askOnce(test, gate, line, asking(), WISH)
  const answers: Record<string, Script> = {
    'an error': async (turn) => turn.reply(403, [], xmlOf(key)),
    'compressed': async (turn) => turn.reply(200, ['Content-Encoding: gzip'], xmlOf(key)),
    'too long': async (turn) => turn.reply(200, [], `${xmlOf(key)}${' '.repeat(20_000)}`),
    'without a value': async (turn) => turn.reply(200, [], xmlOf(key).replace(/<Value>.*<\/Value>/, '')),
  }
  for (const [what, script] of Object.entries(answers)) {
    own.script(script)
    test.ok((await askOnce(test, gate, ASK, asking(), WISH)).complete, what)
  }
  own.script(async (turn) => {
    await turn.write(`HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${xmlOf(key)}`)
    turn.reset()
  })
  await test.rejects(askOnce(test, gate, ASK, asking(), WISH), 'cut short')
  own.script(gives(key))
  test.equal((await askOnce(test, gate, `GET /c/b?${tokenOf(key)}`)).header('x-tidegate-reason'), 'sas-no-key')
})

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** As `azurite --oauth basic` takes it: nobody signs it. */
function bearer(): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { aud: 'https://storage.azure.com', iss: 'https://sts.windows.net/11111111-2222-3333-4444-555555555555/', nbf: now - 60, iat: now - 60, exp: now + 3600, oid: '7c751eb2-acf8-4ce2-b92c-8724f0644194', tid: 'ff51635d-1eb2-4fe3-8828-0c3de5b45b35', ver: '1.0' }
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', 'anything').update(text).digest('base64url')}`
}

void t.test('the SDK fetches a key and makes tokens without spr, and all of it works unchanged with Azurite', { skip: missingAzurite ?? false }, async (test) => {
  const azurite = await startAzurite(test, realm)
  const gate = await startGate(test, realm, { storage: azurite })
  const url = endpoint(gate, 'blob')
  const container = new BlobServiceClient(url, new StorageSharedKeyCredential(ACCOUNT, realm.key1), ONCE).getContainerClient('delegated')
  await container.create()
  await container.getBlockBlobClient('2026/q 4.csv').upload('a;b', 3)

  const token = bearer()
  const app = new BlobServiceClient(url, { getToken: () => Promise.resolve({ token, expiresOnTimestamp: Date.now() + HOUR }) }, ONCE)
  const key = await app.getUserDelegationKey(new Date(Date.now() - 60_000), new Date(Date.now() + HOUR))
  const expiresOn = new Date(Date.now() + HOUR / 2)
  for (const version of ['2020-12-06', '2022-11-02', '2025-07-05', '2026-10-06']) {
    const blob = generateBlobSASQueryParameters({ containerName: 'delegated', blobName: '2026/q 4.csv', version, expiresOn, permissions: BlobSASPermissions.parse('rw') }, key, ACCOUNT).toString()
    test.notMatch(blob, /spr=/)
    const client = new BlobServiceClient(`${url}?${blob}`, undefined, ONCE).getContainerClient('delegated').getBlockBlobClient('2026/q 4.csv')
    test.equal((await client.downloadToBuffer()).toString(), 'a;b', version)
    await client.upload('a;b', 3)
    await test.rejects(client.delete(), { statusCode: 403, code: 'AuthorizationPermissionMismatch' }, 'its rights are as they were, and Azurite says so')

    const whole = generateBlobSASQueryParameters({ containerName: 'delegated', version, expiresOn, permissions: ContainerSASPermissions.parse('rl') }, key, ACCOUNT).toString()
    const names = []
    for await (const { name } of new BlobServiceClient(`${url}?${whole}`, undefined, ONCE).getContainerClient('delegated').listBlobsFlat()) names.push(name)
    test.strictSame(names, ['2026/q 4.csv'], version)
  }
  const wrong = generateBlobSASQueryParameters({ containerName: 'delegated', blobName: 'other', expiresOn, permissions: BlobSASPermissions.parse('r') }, key, ACCOUNT).toString()
  await test.rejects(new BlobServiceClient(`${url}?${wrong}`, undefined, ONCE).getContainerClient('delegated').getBlobClient('2026/q 4.csv').download(), { statusCode: 403, code: 'AuthenticationFailed' })
  test.ok(await gate.metric('tidegate_sas_total', { kind: 'user-delegation', outcome: 'tightened' }) >= 16)
  test.equal(await gate.metric('tidegate_sas_total', { kind: 'user-delegation', outcome: 'sas-signature' }), 1)
})
