// Tokens equal to the SDKs' for the same wish, every limit of spec/sas.md 17.2, and no token that the gate would change.
import { AzureNamedKeyCredential, type TableSasSignatureValues, generateAccountSas, generateTableSas } from '@azure/data-tables'
import {
  AccountSASPermissions, type BlobSASSignatureValues, BlobSASPermissions, ContainerSASPermissions, SASProtocol, StorageSharedKeyCredential, generateAccountSASQueryParameters, generateBlobSASQueryParameters,
} from '@azure/storage-blob'
import { QueueSASPermissions, SASProtocol as QueueProtocol, StorageSharedKeyCredential as QueueCredential, generateQueueSASQueryParameters } from '@azure/storage-queue'
import * as fc from 'fast-check'
import { createSecretKey } from 'node:crypto'
import t, { type Test } from 'tap'
import { SERVICE_NAMES } from '../../../src/azure/services.ts'
import { parseTarget } from '../../../src/azure/target.ts'
import { type MintGround, mintSas } from '../../../src/sas/mint/mint.ts'
import { PERMISSIONS, type Resource } from '../../../src/sas/mint/permissions.ts'
import { readMoment } from '../../../src/sas/mint/terms.ts'
import { type Wish, WishFaults } from '../../../src/sas/mint/wish.ts'
import { DELEGATION, KEY1, NOW, SKEY1, VECTORS, type Vector, admit, policyOf } from '../ground.ts'
import { pairsOf } from '../second.ts'

const ACCOUNT = 'tideoffice'
const DAY = 86_400_000
const BASES = Object.fromEntries(SERVICE_NAMES.map((service) => [service, `https://${ACCOUNT}.${service}.storage.tide.example`]))
const CONTAINER: Wish = { service: 'blob', container: 'ledgers', expires: '2026-11-25T06:00:00Z' }
const BLOB: Wish = { ...CONTAINER, blob: '2026/q4.csv' }
const SHARED = new StorageSharedKeyCredential(ACCOUNT, KEY1.toString('base64'))
const EXPIRES = new Date('2026-11-25T06:00:00Z')
const STARTS = new Date('2026-11-24T11:50:00Z')

function ground(change: Partial<MintGround> = {}): MintGround {
  return { account: ACCOUNT, bases: BASES, key: SKEY1, delegationKey: undefined, maxLifetime: DAY, now: NOW, ...change }
}

const tokenOf = (wish: Wish, change: Partial<MintGround> = {}): string => mintSas(wish, ground(change)).token

function faultsOf(wish: Wish, change: Partial<MintGround> = {}): string[] {
  try {
    mintSas(wish, ground(change))
  } catch (error) {
    if (error instanceof WishFaults) return error.faults.map(({ path, found, allowed }) => `${path}: ${found} | ${allowed}`)
    throw error
  }
  return []
}

const NOT_MADE = `
letters are written racwdxyltfmei, not racwdxltmeiyf: container-2021-04-10-perm-all
letters are written rwdxyltfacup, not rwdxftlacupy: account-2019-12-12-bfqt-all
no option for saoid: udk-blob-2020-02-10-saoid-scid
no option for sduoid: udk-blob-2025-07-05-sduoid-skdutid
no option for sduoid: udk-queue-2026-06-06-sduoid
no option for srh: udk-blob-2026-04-06-srh
no option for srh: udk-blob-2026-04-06-srh-srq
no option for srq: udk-blob-2026-04-06-srq-names-spr
no option for suoid: udk-dfs-directory-2021-08-06-suoid
older than 2018-11-09: account-2015-04-05-no-spr
older than 2018-11-09: blob-2015-04-05-https-http
older than 2018-11-09: blob-2015-04-05-no-spr
older than 2018-11-09: blob-2016-05-31-sip-range
older than 2018-11-09: blob-rsc-2015-04-05
older than 2018-11-09: container-2018-03-28-no-spr
older than 2018-11-09: queue-2018-03-28-no-spr
refused: legacy-blob-2012-02-12
refused: legacy-blob-2013-08-15-rsc
refused: legacy-blob-2015-02-21
refused: legacy-container-2014-02-14
refused: legacy-file-2015-02-21
refused: legacy-queue-2014-02-14
refused: legacy-table-2014-02-14
`

const sorted = (query: string): string[] => pairsOf(query).filter(([, value]) => value !== '').map((pair) => pair.join('=')).toSorted()

function sameAs(test: Test, sdk: string, wish: Wish, change: Partial<MintGround> = {}): void {
  test.strictSame(sorted(tokenOf(wish, change)), sorted(sdk), JSON.stringify(wish))
}

const sdk = (values: Partial<BlobSASSignatureValues>): string =>
  generateBlobSASQueryParameters({ containerName: 'ledgers', version: '2020-12-06', protocol: SASProtocol.Https, expiresOn: EXPIRES, ...values }, SHARED).toString()

void t.test('the same as @azure/storage-blob', async (test) => {
  const read = BlobSASPermissions.parse('r')
  sameAs(test, sdk({ blobName: '2026/q4.csv', permissions: read }), BLOB)
  sameAs(test, sdk({ blobName: 'båt 4+5%/七.csv', permissions: BlobSASPermissions.parse('racwd'), startsOn: STARTS, ipRange: { start: '10.0.0.1', end: '10.0.0.9' } }),
    { ...BLOB, blob: 'båt 4+5%/七.csv', permissions: 'dwcar', starts: '-10m', ip: '10.0.0.1-10.0.0.9' })
  sameAs(test, sdk({ permissions: ContainerSASPermissions.parse('rl'), encryptionScope: 'branch 7', ipRange: { start: '10.0.0.1' } }),
    { ...CONTAINER, permissions: 'lr', 'encryption-scope': 'branch 7', ip: '10.0.0.1' })
  sameAs(test, sdk({ blobName: 'a', snapshotTime: '2026-11-20T10:11:12.1234567Z', permissions: read }), { ...BLOB, blob: 'a', snapshot: '2026-11-20T10:11:12.1234567Z' })
  sameAs(test, sdk({ blobName: 'a', versionId: '2026-11-20T10:11:12.1234567Z', permissions: read }), { ...BLOB, blob: 'a', version: '2026-11-20T10:11:12.1234567Z' })
  const headers = { cacheControl: 'no-store', contentDisposition: 'attachment; filename="q 4+5.csv"; filename*=UTF-8\'\'b%C3%A5t', contentEncoding: 'gzip', contentLanguage: 'sv', contentType: 'text/csv; charset=utf-8' }
  sameAs(test, sdk({ blobName: 'a', permissions: read, ...headers, version: '2026-10-06' }), {
    ...BLOB, blob: 'a', 'signed-version': '2026-10-06', 'cache-control': headers.cacheControl, 'content-disposition': headers.contentDisposition, 'content-encoding': headers.contentEncoding,
    'content-language': headers.contentLanguage, 'content-type': headers.contentType,
  })
  for (const version of ['2018-11-09', '2019-12-12', '2020-10-02', '2025-07-05', '2026-04-06']) {
    sameAs(test, sdk({ blobName: 'a', permissions: read, version, identifier: 'office read/1' }), { ...BLOB, blob: 'a', permissions: 'r', 'signed-version': version, identifier: 'office read/1' })
    sameAs(test, generateAccountSASQueryParameters({ version, protocol: SASProtocol.Https, expiresOn: EXPIRES, permissions: AccountSASPermissions.parse('rwdlacup'), services: 'bqtf', resourceTypes: 'co' }, SHARED).toString(),
      { 'account-sas': true, services: 'qbtf', types: 'oc', permissions: 'lpurwdac', expires: '2026-11-25T06:00:00Z', 'signed-version': version })
  }
})

void t.test('the same as @azure/storage-blob with a user delegation key', async (test) => {
  const key = { ...DELEGATION, signedStartsOn: new Date(DELEGATION.signedStartsOn), signedExpiresOn: new Date(DELEGATION.signedExpiresOn), value: DELEGATION.key.export().toString('base64') }
  for (const version of ['2018-11-09', '2020-02-10', '2020-12-06', '2025-07-05', '2026-04-06']) {
    const made = generateBlobSASQueryParameters({ containerName: 'ledgers', blobName: 'a', version, protocol: SASProtocol.Https, expiresOn: EXPIRES, permissions: BlobSASPermissions.parse('r') }, key, ACCOUNT)
    sameAs(test, made.toString(), { ...BLOB, blob: 'a', 'signed-version': version }, { delegationKey: DELEGATION })
  }
  const written = { ...DELEGATION, signedStartsOn: key.signedStartsOn.toISOString(), signedExpiresOn: key.signedExpiresOn.toISOString() }
  test.equal(tokenOf(BLOB, { delegationKey: written }), tokenOf(BLOB, { delegationKey: DELEGATION }), 'a file that JSON.stringify wrote')
})

void t.test('the same as @azure/storage-queue', async (test) => {
  const shared = new QueueCredential(ACCOUNT, KEY1.toString('base64'))
  const made = generateQueueSASQueryParameters({ queueName: 'orders', version: '2020-12-06', protocol: QueueProtocol.Https, startsOn: STARTS, expiresOn: EXPIRES, permissions: QueueSASPermissions.parse('raup') }, shared)
  sameAs(test, made.toString(), { service: 'queue', queue: 'orders', permissions: 'puar', starts: '2026-11-24T11:50:00Z', expires: '2026-11-25T06:00' })
  const policy = generateQueueSASQueryParameters({ queueName: 'orders', version: '2020-12-06', protocol: QueueProtocol.Https, identifier: 'x' }, shared)
  sameAs(test, policy.toString(), { service: 'queue', queue: 'orders', identifier: 'x' })
})

void t.test('the same as @azure/data-tables', async (test) => {
  const named = new AzureNamedKeyCredential(ACCOUNT, KEY1.toString('base64'))
  const made = (values: TableSasSignatureValues): string => generateTableSas('BranchLedger', named, { version: '2020-12-06', protocol: 'https' as never, expiresOn: EXPIRES, permissions: { query: true }, ...values })
  const wish: Wish = { service: 'table', table: 'BranchLedger', expires: '2026-11-25T06:00:00Z' }
  sameAs(test, made({}), wish)
  sameAs(test, made({ permissions: { query: true, add: true, update: true, delete: true }, startPartitionKey: 'a b', startRowKey: '1', endPartitionKey: 'm', endRowKey: '9é' }),
    { ...wish, permissions: 'duar', 'start-partition': 'a b', 'start-row': '1', 'end-partition': 'm', 'end-row': '9é' })
  sameAs(test, made({ startPartitionKey: 'a', endPartitionKey: 'm', ipRange: { start: '1.2.3.4' } }), { ...wish, 'start-partition': 'a', 'end-partition': 'm', ip: '1.2.3.4' })
  const account = generateAccountSas(named, { version: '2019-02-02', services: { table: true }, resourceTypes: 'o', permissions: { query: true, add: true }, expiresOn: EXPIRES, protocol: 'https' as never })
  sameAs(test, account, { 'account-sas': true, services: 't', types: 'o', permissions: 'ra', expires: '2026-11-25T06:00:00Z', 'signed-version': '2019-02-02' })
})

void t.test('the vectors: what each SDK made with https', async (test) => {
  const compared: string[] = []
  const passed: string[] = []
  for (const vector of VECTORS) {
    const query = new URLSearchParams(vector.expectedAfterTighten.query)
    if (cannotBeWished(vector, query) !== undefined) {
      passed.push(`${cannotBeWished(vector, query)}: ${vector.name}`)
      continue
    }
    compared.push(vector.name)
    const key = vector.keyBase64 === undefined ? undefined : createSecretKey(Buffer.from(vector.keyBase64, 'base64'))
    const { userDelegationKey: udk } = vector
    const delegationKey = udk === undefined ? undefined : { ...udk, key: createSecretKey(Buffer.from(udk.value, 'base64')) }
    const minted = mintSas(wishOf(vector, query), ground({ key, delegationKey, maxLifetime: 40 * DAY }))
    test.equal(new URLSearchParams(minted.token).get('sig'), vector.expectedAfterTighten.sig, vector.name)
    test.equal(minted.stringToSign, vector.expectedAfterTighten.stringToSign, vector.name)
  }
  test.equal(passed.toSorted().join('\n'), NOT_MADE.trim())
  test.ok(compared.length > 45, String(compared.length))
})

/** What mint never makes, so that a vector says nothing about it. */
function cannotBeWished({ expectedAfterTighten: { action } }: Vector, query: URLSearchParams): string | undefined {
  if (action === 'refuse') return 'refused'
  if ((query.get('sv') ?? '') < '2018-11-09') return 'older than 2018-11-09'
  const strange = ['saoid', 'suoid', 'scid', 'sduoid', 'srh', 'srq'].find((name) => query.has(name))
  if (strange !== undefined) return `no option for ${strange}`
  const sp = query.get('sp') ?? ''
  const order = PERMISSIONS[resourceOf(query)].map(({ letter }) => letter).filter((letter) => sp.includes(letter)).join('')
  return order === sp ? undefined : `letters are written ${order}, not ${sp}`
}

function resourceOf(query: URLSearchParams): Resource {
  if (query.has('srt')) return 'account'
  if (query.has('tn')) return 'table'
  const resources: Readonly<Record<string, Resource>> = { b: 'blob', bs: 'blob', bv: 'blob', c: 'container', d: 'directory', s: 'share', f: 'file' }
  return resources[query.get('sr') ?? ''] ?? 'queue'
}

function wishOf({ url, service, endpointStyle }: Vector, query: URLSearchParams): Wish {
  const path = decodeURIComponent(url.replace(/^https?:\/\/[^/]+/, '').replace(/\?.*$/, '')).slice(1)
  const [first = '', ...rest] = endpointStyle === 'path' ? path.split('/').slice(1) : path.split('/')
  const of = (name: string): string | undefined => query.get(name) ?? undefined
  const root = rest.length === 0 && query.get('sr') === 'b'
  const [container, blob] = root ? ['$root', first] : [first, rest.join('/')]
  const companion = { snapshot: new URL(url).searchParams.get('snapshot') ?? undefined, version: new URL(url).searchParams.get('versionid') ?? undefined }
  const places: Readonly<Record<Resource, object>> = {
    account: { service, 'account-sas': true, 'allow-broad': true, services: of('ss'), types: of('srt') },
    table: { service, table: of('tn'), 'start-partition': of('spk'), 'start-row': of('srk'), 'end-partition': of('epk'), 'end-row': of('erk') },
    queue: { service, queue: first },
    share: { service, share: first },
    file: { service, share: first, file: rest.join('/') },
    container: { service, container },
    directory: { service, container, directory: rest.slice(0, Number(of('sdd'))).join('/') || '/' },
    blob: { service, container, blob, ...companion },
  }
  const wish = {
    ...places[resourceOf(query)], permissions: of('sp'), expires: of('se'), starts: of('st'), ip: of('sip'), identifier: of('si'), 'encryption-scope': of('ses'), 'signed-version': of('sv'),
    'cache-control': of('rscc'), 'content-disposition': of('rscd'), 'content-encoding': of('rsce'), 'content-language': of('rscl'), 'content-type': of('rsct'),
  }
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined)) as Wish
}

void t.test('URLs', async (test) => {
  const url = (wish: Wish): string => mintSas({ expires: '1h', ...wish }, ground()).url.replace(/sv=.*/, '…')
  test.equal(url({ service: 'blob', container: '$root', blob: 'a b/å+#?%2F.txt' }), 'https://tideoffice.blob.storage.tide.example/%24root/a%20b/%C3%A5%2B%23%3F%252F.txt?…')
  test.equal(url({ service: 'blob', container: 'ledgers', blob: 'a', snapshot: '2026-11-20T10:11:12.1234567Z' }), 'https://tideoffice.blob.storage.tide.example/ledgers/a?snapshot=2026-11-20T10%3A11%3A12.1234567Z&…')
  test.equal(url({ service: 'dfs', container: 'lake', directory: 'raw/2026' }), 'https://tideoffice.dfs.storage.tide.example/lake/raw/2026?…')
  test.equal(url({ service: 'dfs', container: 'lake', directory: '/' }), 'https://tideoffice.dfs.storage.tide.example/lake?…')
  test.equal(url({ service: 'file', share: 'drive', file: 'a/b.' }), 'https://tideoffice.file.storage.tide.example/drive/a/b.?…')
  test.equal(url({ 'account-sas': true, services: 'qt', types: 's' }), 'https://tideoffice.queue.storage.tide.example/?…')
  test.equal(url({ 'account-sas': true, services: 'qt', types: 's', service: 'table' }), 'https://tideoffice.table.storage.tide.example/?…')
  const { token, url: whole, expires } = mintSas(BLOB, ground())
  test.ok(whole.endsWith(`?${token}`))
  test.equal(expires, '2026-11-25T06:00:00Z')
  test.equal(mintSas({ service: 'queue', queue: 'orders', identifier: 'x' }, ground()).expires, null)
  test.equal(new URLSearchParams(tokenOf(BLOB)).get('sp'), 'r')
  test.equal(new URLSearchParams(tokenOf({ ...BLOB, identifier: 'x' })).get('sp'), null, 'the policy says it')
})

const LIMITS: readonly (readonly [what: string, wish: Wish, fault: RegExp])[] = [
  ['no service', { expires: '1h' }, /^--service: nothing \| one of blob, dfs, file, queue, table; or --account-sas$/],
  ['no such service', { ...BLOB, service: 'disk' }, /^--service: disk \| one of/],
  ['no container', { service: 'blob', expires: '1h' }, /^--container: nothing \| 3 to 63/],
  ['upper case', { ...BLOB, container: 'Ledgers' }, /^--container: Ledgers \| 3 to 63 lower-case letters, digits and single dashes, or \$root/],
  ['two dashes', { ...BLOB, container: 'a--b' }, /^--container/],
  ['a dash at the end', { ...BLOB, container: 'abc-' }, /^--container/],
  ['too short', { ...BLOB, container: 'ab' }, /^--container/],
  ['too long', { ...BLOB, container: 'a'.repeat(64) }, /^--container/],
  ['$root is no queue', { service: 'queue', queue: '$root', expires: '1h' }, /^--queue/],
  ['table', { service: 'table', table: '1abc', expires: '1h' }, /^--table: 1abc \| 3 to 63 letters and digits, a letter first$/],
  ['dot segment', { ...BLOB, blob: 'a/../b' }, /^--blob: a\/\.\.\/b \| 1 to 1024 characters, no \. or \.\. segment/],
  ['dot segment with a backslash', { ...BLOB, blob: 'a\\..\\b' }, /^--blob/],
  ['dot at the end', { ...BLOB, blob: 'a.' }, /^--blob/],
  ['slash at the end', { ...BLOB, blob: 'a/' }, /^--blob/],
  ['a long blob', { ...BLOB, blob: 'a'.repeat(1025) }, /^--blob: a{59}… \| 1 to 1024/],
  ['empty segment', { service: 'dfs', container: 'lake', directory: 'a//b', expires: '1h' }, /^--directory/],
  ['empty text', { ...BLOB, identifier: '' }, /^--identifier: empty text \| a text$/],
  ['control character', { ...BLOB, 'content-type': 'a\r\nb' }, /^--content-type: a\\u000d\\u000ab \| text without control characters$/],
  ['half a character', { ...BLOB, blob: 'a\ud800' }, /^--blob: a\\ud800 \| text without/],
  ['blob and directory', { ...BLOB, directory: 'a' }, /^--directory: a \| nothing beside --blob$/],
  ['snapshot alone', { ...CONTAINER, snapshot: '2026-11-20T10:11:12Z' }, /^--snapshot: .* only with --blob$/],
  ['snapshot and version', { ...BLOB, version: '2026-11-20T10:11:12Z', snapshot: '2026-11-20T10:11:12Z' }, /^--version: .* nothing beside --snapshot$/],
  ['what is no snapshot', { ...BLOB, snapshot: 'latest' }, /^--snapshot: latest \| a time as the service wrote it/],
  ['foreign option', { ...BLOB, queue: 'orders' }, /^--queue: orders \| nothing for --service blob$/],
  ['foreign flag', { ...BLOB, 'allow-broad': true }, /^--allow-broad: it \| nothing for --service blob$/],
  ['overrides on a queue', { service: 'queue', queue: 'orders', expires: '1h', 'content-type': 'x' }, /^--content-type/],
  ['scope on a file', { service: 'file', share: 'drive', expires: '1h', 'encryption-scope': 'x' }, /^--encryption-scope/],
  ['no expiry', { service: 'blob', container: 'ledgers' }, /^--expires: nothing \| a duration from now .* or --identifier/],
  ['no time', { ...BLOB, expires: 'tomorrow' }, /^--expires: tomorrow \| a duration from now such as 30m or 24h, or a UTC time/],
  ['a zone', { ...BLOB, expires: '2026-11-25T06:00:00+02:00' }, /^--expires: .* a UTC time/],
  ['no such day', { ...BLOB, expires: '2026-11-31' }, /^--expires/],
  ['past', { ...BLOB, expires: '-1s' }, /^--expires: -1s \| a time to come$/],
  ['now', { ...BLOB, expires: '2026-11-24T12:00:00Z' }, /^--expires: .* a time to come$/],
  ['before the start', { ...BLOB, starts: '2h', expires: '1h' }, /^--expires: 1h \| a time after --starts$/],
  ['too long a life', { ...BLOB, expires: '25h' }, /^--expires: 25h \| at most 24h after now, or after --starts \(storage\.sas\.maxLifetime\)$/],
  ['too long after the start', { ...BLOB, starts: '1h', expires: '26h' }, /^--expires/],
  ['far beyond', { ...BLOB, expires: '999999999999h' }, /^--expires/],
  ['a strange letter', { ...BLOB, permissions: 'rl' }, /^--permissions: rl \| letters of racwdxytmeopi for a blob$/],
  ['a letter twice', { ...BLOB, permissions: 'rwr' }, /^--permissions: rwr \| each letter once$/],
  ['no letters', { ...BLOB, permissions: '' }, /^--permissions: empty text/],
  ['a letter that is newer', { ...BLOB, permissions: 'i', 'signed-version': '2020-02-10' }, /^--signed-version: 2020-02-10 \| 2020-06-12 or later for the permission i$/],
  ['a version that is too old', { ...BLOB, 'signed-version': '2018-03-28' }, /^--signed-version: 2018-03-28 \| a service version from 2018-11-09 to 2026-10-06$/],
  ['a version that nobody knows', { ...BLOB, 'signed-version': '2031-01-01' }, /^--signed-version/],
  ['no version', { ...BLOB, 'signed-version': '2020-13-01' }, /^--signed-version/],
  ['directory before its time', { service: 'dfs', container: 'lake', directory: 'a', expires: '1h', 'signed-version': '2019-12-12' }, /2020-02-10 or later for a directory$/],
  ['scope before its time', { ...BLOB, 'encryption-scope': 'x', 'signed-version': '2020-10-02' }, /2020-12-06 or later for an encryption scope$/],
  ['a network', { ...BLOB, ip: '10.0.0.0/8' }, /^--ip: 10\.0\.0\.0\/8 \| an IPv4 address, or LOW-HIGH/],
  ['high and low', { ...BLOB, ip: '10.0.0.9-10.0.0.1' }, /^--ip/],
  ['IPv6', { ...BLOB, ip: '::1' }, /^--ip/],
  ['a long identifier', { ...BLOB, identifier: 'x'.repeat(65) }, /^--identifier: .* \| 1 to 64 characters$/],
  ['a row alone', { service: 'table', table: 'Ledger', expires: '1h', 'start-row': '1' }, /^--start-row: 1 \| only with --start-partition$/],
  ['an end row alone', { service: 'table', table: 'Ledger', expires: '1h', 'end-row': '1' }, /^--end-row: 1 \| only with --end-partition$/],
  ['broad', { 'account-sas': true, services: 'b', types: 'ocs', permissions: 'rw', expires: '1h' }, /^--types: sco with permissions to write \| fewer types, only letters of rlf, or --allow-broad$/],
  ['services', { 'account-sas': true, services: 'bb', types: 'o', expires: '1h' }, /^--services: bb \| letters of btqf: .*, each once$/],
  ['types', { 'account-sas': true, services: 'b', types: 'x', expires: '1h' }, /^--types: x \| letters of sco/],
  ['types missing', { 'account-sas': true, services: 'b', expires: '1h' }, /^--types: nothing/],
  ['services missing', { 'account-sas': true, types: 'o', expires: '1h' }, /^--services: nothing/],
  ['another service', { 'account-sas': true, services: 'b', types: 'o', service: 'queue', expires: '1h' }, /^--service: queue \| blob, dfs$/],
  ['a policy for an account', { 'account-sas': true, services: 'b', types: 'o', identifier: 'x', expires: '1h' }, /^--identifier: x \| nothing for --account-sas$/],
]

for (const [what, wish, pattern] of LIMITS) {
  void t.test(`limit: ${what}`, async (test) => {
    const faults = faultsOf(wish)
    test.equal(faults.length, 1, faults.join('\n'))
    test.match(faults[0], pattern)
  })
}

void t.test('limits that come from outside', async (test) => {
  test.match(faultsOf(BLOB, { key: undefined }), [/^--account: an account without keys \| one with keys; or --user-delegation-key FILE$/])
  test.match(faultsOf(BLOB, { bases: { queue: 'https://q' } }), [/^--service: blob \| a service that the account has here: queue$/])
  test.match(faultsOf({ 'account-sas': true, services: 'b', types: 'o', expires: '1h' }, { bases: { queue: 'https://q' } }), [/^--services: b \| a service that the account has here: queue$/])
  const delegationKey = DELEGATION
  const udk = (wish: Wish, change: Partial<MintGround> = {}): string[] => faultsOf(wish, { delegationKey, maxLifetime: 30 * DAY, ...change })
  test.match(udk({ ...BLOB, expires: '150h' }), [/^--expires: 2026-11-30T18:00:00Z \| at most 2026-11-30T00:00:00Z, when the user delegation key ends$/])
  test.match(udk({ ...BLOB, expires: '169h' }, { delegationKey: { ...DELEGATION, signedExpiresOn: '2027-01-01T00:00:00Z' } }), [/^--expires: 169h \| at most 7 days with a user delegation key$/])
  test.match(udk({ ...BLOB, expires: '1h' }, { now: Date.parse('2026-12-01T00:00:00Z') }), [/^--user-delegation-key: a key that ends at 2026-11-30T00:00:00Z/, /^--expires/].slice(0, 1))
  test.match(udk({ ...BLOB, starts: '-13h', expires: '1h' }), [/^--user-delegation-key: a key that starts at 2026-11-24T00:00:00Z/])
  test.match(udk({ ...BLOB, identifier: 'x' }), [/^--identifier: x \| nothing with --user-delegation-key$/])
  test.match(udk({ service: 'table', table: 'Ledger', expires: '1h' }), [/^--user-delegation-key: it \| nothing for --service table$/])
  test.match(udk({ 'account-sas': true, services: 'b', types: 'o', expires: '1h' }), [/^--user-delegation-key: it \| nothing for --account-sas$/])
  test.match(udk({ service: 'queue', queue: 'orders', expires: '1h' }), [/^--user-delegation-key: a key for service b \| one for q$/])
  const queueKey = { ...DELEGATION, signedService: 'q' }
  test.match(udk({ service: 'queue', queue: 'orders', expires: '1h', 'signed-version': '2020-12-06' }, { delegationKey: queueKey }), [/2025-07-05 or later for a user delegation SAS of service queue$/])
  test.match(tokenOf({ service: 'queue', queue: 'orders', expires: '1h' }, { delegationKey: queueKey }), /^sv=2025-07-05&/, 'the default is what is needed')
  test.match(udk(BLOB, { delegationKey: { ...DELEGATION, signedExpiresOn: 'soon' } }), [/^--user-delegation-key: a time that cannot be read/])
})

void t.test('every fault is told at once, and none holds a key', async (test) => {
  const faults = faultsOf({ service: 'blob', container: 'X', permissions: 'z', expires: '99h', ip: 'x', queue: 'orders' }, { key: undefined })
  test.strictSame(faults.map((fault) => fault.split(':')[0]), ['--queue', '--container', '--expires', '--permissions', '--ip', '--account'])
})

void t.test('moments', async (test) => {
  for (const [text, expected] of [['90s', NOW + 90_000], ['-10m', NOW - 600_000], ['500ms', NOW + 500], ['2026-11-24', Date.parse('2026-11-24')], ['2026-11-24T12:00', NOW], ['1d', undefined], ['1.5h', undefined], ['2026-11-24T12:00:00+00:00', undefined]] as const) {
    test.equal(readMoment(text, NOW), expected, text)
  }
  test.equal(new URLSearchParams(tokenOf({ ...BLOB, expires: '90s', starts: '500ms' }, { now: NOW + 400 })).toString().replace(/.*st=([^&]*)&se=([^&]*).*/, '$1 $2'), '2026-11-24T12%3A00%3A00Z 2026-11-24T12%3A01%3A30Z', 'whole seconds')
})

void t.test('a newer version is taken where a letter needs it', async (test) => {
  test.match(tokenOf({ ...CONTAINER, permissions: 'f' }), /^sv=2021-04-10&/)
  test.match(tokenOf({ ...CONTAINER, permissions: 'racwdxyltfmeopi' }), /&sp=racwdxyltfmeopi&/)
})

const letters = (resource: Resource): fc.Arbitrary<string> => fc.subarray(PERMISSIONS[resource].map(({ letter }) => letter), { minLength: 1 }).map((some) => some.toReversed().join(''))
const text = fc.string({ unit: fc.constantFrom(...'abzAZ09 +&=%/?#é七~\'()-_.:;,"$'.split('')), minLength: 1, maxLength: 12 })
const path = text.filter((name) => !/[./]$|(?:^|\/)\.{1,2}(?:\/|$)/.test(name))
const directory = path.filter((name) => !/^\/|\/\//.test(name))
const common = { expires: fc.constantFrom('1h', '24h', '2026-11-25T01:00:00Z'), starts: fc.constantFrom('-5m', '2026-11-24'), ip: fc.constantFrom('203.0.113.65', '203.0.113.0-203.0.113.255'), 'signed-version': fc.constant('2026-10-06') }
const overrides = { 'cache-control': text, 'content-disposition': text, 'content-type': text }
const WISHES = fc.oneof(
  fc.record({ service: fc.constantFrom('blob', 'dfs'), container: fc.constantFrom('ledgers', '$root'), blob: path, permissions: letters('blob'), ...common, identifier: text, 'encryption-scope': text, ...overrides }, { requiredKeys: ['service', 'container', 'expires'] }),
  fc.record({ service: fc.constant('dfs'), container: fc.constant('lake'), directory, permissions: letters('directory'), ...common }, { requiredKeys: ['service', 'container', 'directory', 'expires'] }),
  fc.record({ service: fc.constant('file'), share: fc.constant('drive'), file: directory, permissions: letters('file'), ...common, ...overrides }, { requiredKeys: ['service', 'share', 'expires'] }),
  fc.record({ service: fc.constant('queue'), queue: fc.constant('orders'), permissions: letters('queue'), ...common, identifier: text }, { requiredKeys: ['service', 'queue', 'expires'] }),
  fc.record({ service: fc.constant('table'), table: fc.constant('Ledger'), permissions: letters('table'), ...common, 'start-partition': text, 'end-partition': text }, { requiredKeys: ['service', 'table', 'expires'] }),
  fc.record({ 'account-sas': fc.constant(true), 'allow-broad': fc.constant(true), services: fc.constantFrom('b', 'qt', 'btqf'), types: fc.constantFrom('o', 'sco'), permissions: letters('account'), ...common }, { requiredKeys: ['account-sas', 'services', 'types', 'expires'] }),
)

void t.test('whatever is minted passes the gate unchanged', async (test) => {
  let minted = 0
  fc.assert(fc.property(WISHES, fc.boolean(), (wish, delegated) => {
    const service = 'service' in wish ? wish.service : ''
    const delegationKey = delegated && (service === 'blob' || service === 'dfs') && !('identifier' in wish) ? DELEGATION : undefined
    // A permission that only another resource has is another test's matter.
    if (faultsOf(wish, { delegationKey }).length > 0) return true
    minted += 1
    const { url } = mintSas(wish, ground({ delegationKey }))
    const [, host = '', name = '', target = ''] = /^https:\/\/(tideoffice\.([a-z]+)\.[^/]+)(\/.*)$/.exec(url) ?? []
    const { decodedPath, query } = parseTarget(target, host)
    const verdict = admit({ service: name as never, decodedPath, query: query ?? '' }, policyOf())
    return verdict?.outcome === 'unchanged' && verdict.query === query && verdict.slot === (delegationKey === undefined ? 'key1' : 'delegation')
  }), { numRuns: 1500 })
  test.ok(minted > 1000, String(minted))
})
