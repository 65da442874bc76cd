// tidegate mint as people run it: what goes where, exit codes, and that no key comes out.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAuthority } from '../support/authority.ts'
import { secondAccepts } from '../sas/second.ts'

const KEY1 = Buffer.alloc(64, 1)
const KEY2 = Buffer.alloc(64, 2)
const UDK = Buffer.alloc(32, 3)
const DAY = 86_400_000
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

const authority = await createAuthority({ name: 'Tide test' })
const { cert, key } = await authority.issue({ names: ['gateway.tide.example'] })

const STORAGE = 'storage: { domain: storage.tide.example, accounts: [{ name: tideoffice, keys: [key1, key2], blob: "https://b.example", queue: "https://q.example" }, { name: keyless, blob: "https://k.example" }] }'
const TEXT = `listen: { tls: { port: 8443 } }\ntls: { certificates: [{ cert: gateway.pem, key: gateway.key }] }\n${STORAGE}\n`
const from = new Date(Date.now() - DAY)
const DELEGATION = {
  signedObjectId: 'oid', signedTenantId: 'tid', signedStartsOn: from, signedExpiresOn: new Date(from.getTime() + 6 * DAY), signedService: 'b', signedVersion: '2020-12-06', value: UDK.toString('base64'),
}
const folder = t.testdir({
  'gateway.pem': cert,
  'gateway.key': key,
  'key1': `${KEY1.toString('base64')}\n`,
  'key2': KEY2.toString('base64'),
  'udk.json': JSON.stringify(DELEGATION),
  'torn.json': '{"value": "c2VjcmV0c2VjcmV0c2VjcmV0"',
  'g.yaml': TEXT,
  'p443.yaml': TEXT.replace('domain:', 'port: 443, domain:'),
  'p0.yaml': TEXT.replace('8443', '0'),
  'short.yaml': TEXT.replace('domain:', 'sas: { maxLifetime: 10m }, domain:'),
  'bad.yaml': TEXT.replace('key1', 'none'),
  'api.yaml': TEXT.replace(/storage:.*/, 'apis: [{ name: payroll, host: p.example, upstream: "https://p" }]'),
})

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'mint', ...args], { cwd: folder, encoding: 'utf8' })
  for (const secret of [KEY1, KEY2, UDK]) t.notMatch(stdout + stderr, secret.toString('base64').slice(0, 12), 'no key in the output')
  return { status, stdout, stderr }
}

const mint = (...args: string[]) => run('--config', 'g.yaml', '--account', 'tideoffice', ...args)
const BLOB = ['--service', 'blob', '--container', 'ledgers', '--blob', 'a b/å.csv', '--expires', '1h']
const FAULTS_END = 'tidegate: hint: tidegate mint --help and docs/minting.md say what can be wished\n'

void t.test('standard output is the URL and nothing else', async (test) => {
  const before = Date.now()
  const { status, stdout, stderr } = mint(...BLOB)
  test.strictSame([status, stderr], [0, ''])
  const [, path = '', query = ''] = /^https:\/\/tideoffice\.blob\.storage\.tide\.example:8443(\/ledgers\/a%20b\/%C3%A5\.csv)\?(\S+)\n$/.exec(stdout) ?? []
  test.ok(secondAccepts({ service: 'blob', account: 'tideoffice', path: decodeURIComponent(path) }, query, [KEY1]), 'signed with the newest key')
  const values = new URLSearchParams(query)
  test.match(Object.fromEntries(values), { sv: '2020-12-06', sr: 'b', sp: 'r', spr: 'https' })
  const life = Date.parse(values.get('se') ?? '') - before
  test.ok(life > 3_590_000 && life < 3_660_000, String(life))
})

void t.test('ports', async (test) => {
  test.match(run('--config', 'p443.yaml', '--account', 'tideoffice', ...BLOB).stdout, /^https:\/\/tideoffice\.blob\.storage\.tide\.example\/ledgers/)
  test.strictSame(run('--config', 'p0.yaml', '--account', 'tideoffice', ...BLOB), {
    status: 2, stdout: '', stderr: `tidegate: error: storage.port: found nothing, and port 0 at listen.tls; allowed: the port that clients use\n${FAULTS_END}`,
  })
})

void t.test('--json and the string to sign', async (test) => {
  const { status, stdout } = mint(...BLOB, '--json')
  const minted = JSON.parse(stdout) as { url: string; token: string; expires: string }
  test.equal(status, 0)
  test.strictSame(Object.keys(minted), ['url', 'token', 'expires'])
  test.ok(minted.url.endsWith(`?${minted.token}`))
  test.equal(new URLSearchParams(minted.token).get('se'), minted.expires)
  test.match(JSON.parse(mint(...BLOB, '--json', '--show-string-to-sign').stdout), { stringToSign: /^r\n\n\d{4}.*Z\n\/blob\/tideoffice\/ledgers\/a b\/å\.csv\n/ })
  const shown = mint(...BLOB, '--show-string-to-sign')
  test.match(shown.stdout, /^https:\S+\n$/)
  test.match(shown.stderr, /^tidegate: string to sign: "r\\n\\n.*"\n$/)
  const policy = mint('--service', 'queue', '--queue', 'orders', '--identifier', 'office', '--json')
  test.match(JSON.parse(policy.stdout), { expires: null, token: /^sv=2020-12-06&spr=https&si=office&sig=/ })
})

void t.test('a user delegation key', async (test) => {
  const { status, stdout, stderr } = mint(...BLOB, '--user-delegation-key', 'udk.json')
  test.strictSame([status, stderr], [0, ''])
  const query = stdout.trim().replace(/^[^?]*\?/, '')
  test.match(new URLSearchParams(query).get('skt'), /T\d\d:\d\d:\d\dZ$/)
  test.ok(secondAccepts({ service: 'blob', account: 'tideoffice', path: '/ledgers/a b/å.csv' }, query, [UDK]))
  test.equal(run('--config', 'g.yaml', '--account', 'keyless', ...BLOB, '--user-delegation-key', 'udk.json').status, 0, 'no other key is needed')
  test.match(mint(...BLOB, '--user-delegation-key', 'none.json'), { status: 2, stdout: '', stderr: /^tidegate: error: --user-delegation-key: (?:found )?does not exist; allowed: JSON with signedObjectId/ })
  test.match(mint(...BLOB, '--user-delegation-key', 'torn.json'), { status: 2, stdout: '', stderr: /found something that is not JSON; allowed/ })
})

void t.test('an account SAS', async (test) => {
  const args = ['--account-sas', '--services', 'bq', '--types', 'sco', '--permissions', 'rw', '--expires', '1h']
  test.match(mint(...args), { status: 2, stdout: '', stderr: /^tidegate: error: --types: found sco with permissions to write; allowed: fewer types, only letters of rlf, or --allow-broad\n/ })
  test.match(mint(...args, '--allow-broad'), { status: 0, stderr: '', stdout: /^https:\/\/tideoffice\.blob\.storage\.tide\.example:8443\/\?sv=2020-12-06&ss=bq&srt=sco&se=\S+&sp=rw&spr=https&sig=\S+\n$/ })
})

void t.test('faults: exit code 2, every one, nothing on standard output', async (test) => {
  test.strictSame(mint('--service', 'blob', '--container', 'Ledgers', '--permissions', 'rz', '--expires', '30h'), {
    status: 2,
    stdout: '',
    stderr: [
      'tidegate: error: --container: found Ledgers; allowed: 3 to 63 lower-case letters, digits and single dashes, or $root, $web, $logs',
      'tidegate: error: --expires: found 30h; allowed: at most 24h after now, or after --starts (storage.sas.maxLifetime)',
      'tidegate: error: --permissions: found rz; allowed: letters of racwdxyltfmeopi for a container', FAULTS_END,
    ].join('\n'),
  })
  test.match(run('--config', 'short.yaml', '--account', 'tideoffice', ...BLOB).stderr, /--expires: found 1h; allowed: at most 10m/)
  test.strictSame(JSON.parse(mint(...BLOB, '--permissions', 'l', '--json').stdout), {
    faults: [{ path: '--permissions', found: 'l', allowed: 'letters of racwdxytmeopi for a blob' }], warnings: [],
  })
  test.match(mint('--service', 'table', '--table', 'Ledger', '--expires', '1h').stderr, /--service: found table; allowed: a service that the account has here: blob, queue\n/)
  test.match(run('--config', 'g.yaml', '--account', 'other', ...BLOB).stderr, /--account: found other; allowed: one of tideoffice, keyless\n/)
  test.match(run('--config', 'g.yaml', '--account', 'keyless', ...BLOB).stderr, /--account: found an account without keys; allowed: one with keys; or --user-delegation-key FILE\n/)
  test.match(run('--config', 'api.yaml', '--account', 'tideoffice', ...BLOB).stderr, /--account: found tideoffice; allowed: none: the configuration has no storage\n/)
  test.match(run('--config', 'bad.yaml', '--account', 'tideoffice', ...BLOB), { status: 2, stdout: '', stderr: /^bad.yaml:\d+:\d+: storage\.accounts\[0\]\.keys\[0\]: (?:found )?does not exist/ })
  test.match(JSON.parse(run('--config', 'bad.yaml', '--account', 'tideoffice', '--json', ...BLOB).stdout), { faults: [{ path: 'storage.accounts[0].keys[0]' }] })
})

void t.test('usage', async (test) => {
  const help = run('--help')
  test.match(help, { status: 0, stderr: '' })
  const documented = /<!-- help:.*-->\n\n((?: {4}.*\n|\n)+)/.exec(readFileSync(join(import.meta.dirname, '../../docs/minting.md'), 'utf8'))?.[1] ?? ''
  test.equal(documented.replace(/^ {4}/gm, '').trim(), help.stdout.trim(), 'docs/minting.md has it word for word')
  test.strictSame(run(), {
    status: 2, stdout: '', stderr: `tidegate: error: --config: found nothing; allowed: the name of a file\ntidegate: error: --account: found nothing; allowed: the name of an account\n${FAULTS_END}`,
  })
  test.match(mint('--protocol', 'http'), { status: 2, stdout: '', stderr: /^tidegate: error: unknown option '--protocol'\ntidegate: hint: tidegate mint --help shows how it is used\n$/ })
  test.match(mint(...BLOB, '--expires', '2h'), { status: 2, stdout: '', stderr: /^tidegate: error: --expires is given twice\n/ })
  test.match(mint('--expires'), { status: 2, stdout: '', stderr: /argument missing/ })
})
