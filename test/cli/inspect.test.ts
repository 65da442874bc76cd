// tidegate inspect as people run it: arguments and standard input, exit codes, and no signature anywhere.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAuthority } from '../support/authority.ts'
import type { SasReport } from '../../src/sas/inspect/inspect.ts'
import { KEY1, KEY2, VECTORS, accountParams, blobParams, issued } from '../sas/ground.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
const AT = ['--at', '2026-11-24T12:00:00Z']

const authority = await createAuthority({ name: 'Tide test' })
const { cert, key } = await authority.issue({ names: ['gateway.tide.example'] })
const folder = t.testdir({
  'gateway.pem': cert,
  'gateway.key': key,
  'key1': KEY1.toString('base64'),
  'key2': KEY2.toString('base64'),
  'g.yaml': `listen: { tls: { port: 8443 } }
tls: { certificates: [{ cert: gateway.pem, key: gateway.key }] }
storage:
  domain: storage.tide.example
  accounts:
    - { name: tideoffice, keys: [key1, key2], blob: "https://far.example:444", queue: "https://127.0.0.1:10001/tideoffice" }
    - { name: othershop, queue: "https://127.0.0.1:10001/othershop" }
apis: [{ name: payroll, host: payroll.tide.example, upstream: "https://p.example" }]
`,
  'bad.yaml': 'listen: {}',
})

const QUERY = issued(blobParams())
const PATH = '/ledgers/2026/q4.csv'
const GATE = `https://tideoffice.blob.storage.tide.example${PATH}?`
const EXPIRED = issued(blobParams({ se: '2026-11-24T11:00:00Z' }))
const EVERYTHING = [QUERY, EXPIRED, ...VECTORS.map(({ url }) => url)].map((text) => new URLSearchParams(text.replace(/^[^?]*\?/, '')).get('sig') ?? '')

interface Run { readonly status: number | null; readonly stdout: string; readonly stderr: string }

function run(args: readonly string[], input = ''): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'inspect', ...args], { cwd: folder, encoding: 'utf8', input })
  for (const signature of EVERYTHING) for (const spelling of [signature, encodeURIComponent(signature)]) if ((stdout + stderr).includes(spelling)) t.fail('a signature in the output')
  return { status, stdout, stderr: stderr.split('\n').filter((line) => !line.includes('others can read')).join('\n') }
}

const judge = (url: string, ...args: string[]): Run => run([...AT, '--config', 'g.yaml', ...args, '-'], `${url}\n`)
const report = ({ stdout }: Run): SasReport => JSON.parse(stdout) as SasReport

void t.test('a URL on standard input', async (test) => {
  test.match(judge(GATE + QUERY), { status: 0, stderr: '', stdout: /^https:\/\/tideoffice\.blob\.storage\.tide\.example\/ledgers\/2026\/q4\.csv\?.*&sig=REDACTED\n {2}kind {7}service SAS, version 2025-05-05\n(?:.*\n)* {2}signature {2}right, made with key1\n {2}sha-256 {4}[0-9a-f]{64}\n {2}gateway {4}passes it, tightened\n/ })
  test.match(judge(GATE + EXPIRED), { status: 3, stderr: '', stdout: / {2}gateway {4}refuses it \(sas-expired\)\n/ })
  test.match(judge(GATE + QUERY, '--at', '48h'), { status: 2, stderr: /--at is given twice/ })
})

void t.test('a URL as an argument is warned of', async (test) => {
  const { status, stdout, stderr } = run([...AT, '--config', 'g.yaml', GATE + QUERY])
  test.equal(status, 0)
  test.match(stdout, /^https:/)
  test.equal(stderr, 'tidegate: warning: a URL among the arguments shows its signature in the process list and the shell\'s history\ntidegate: hint: printf \'%s\\n\' "$URL" | tidegate inspect -\n')
})

void t.test('many, a line each, one JSON object for each', async (test) => {
  const { status, stdout, stderr } = run([...AT, '--config', 'g.yaml', '--json', '-'], `${GATE}${QUERY}\r\n\n${GATE}${EXPIRED}\n  ${GATE}comp=list`)
  test.strictSame([status, stderr], [3, ''])
  const reports = stdout.trim().split('\n').map((line) => JSON.parse(line) as SasReport)
  test.strictSame(reports.map(({ gateway }) => gateway.outcome), ['tightened', 'refused', 'no-sas'])
  test.strictSame(Object.keys(reports[0] ?? {}), ['url', 'account', 'service', 'token', 'signature', 'signatureSha256', 'key', 'gateway', 'outside', 'warnings'])
  const text = run([...AT, '--config', 'g.yaml', '-'], `${GATE}${QUERY}\n${GATE}${QUERY}\n`).stdout
  test.equal(text.split('\n\n').length, 2, 'an empty line between two')
})

void t.test('every name of the account', async (test) => {
  for (const name of ['tideoffice.blob.storage.tide.example:8443', 'TIDEOFFICE.blob.storage.tide.example.', 'far.example:444', 'tideoffice.blob.core.windows.net', 'tideoffice-secondary.blob.core.windows.net']) {
    test.match(report(judge(`https://${name}${PATH}?${QUERY}`, '--json')), { account: 'tideoffice', signature: 'right', key: 'key1', gateway: { outcome: 'tightened' } }, name)
  }
  const queue = issued(blobParams({ sr: undefined, sp: 'rp' }), { service: 'queue', path: '/orders/messages' }, KEY2)
  test.match(report(judge(`https://127.0.0.1:10001/tideoffice/orders/messages?${queue}`, '--json')), { account: 'tideoffice', service: 'queue', token: { resource: 'queue orders' }, signature: 'right', key: 'key2' })
  test.match(report(judge(`https://127.0.0.1:10001/othershop/orders?${queue}`, '--json')), { account: 'othershop', gateway: { reason: 'sas-no-key' } })
  test.match(report(judge(`https://far.example${PATH}?${QUERY}`, '--json')), { gateway: { reason: 'host-unknown' } }, 'another port is another service')
  test.match(report(judge(`https://payroll.tide.example/x?${QUERY}`, '--json')), { gateway: { outcome: 'no-sas', why: [/an API/] } })
})

void t.test('without a configuration', async (test) => {
  test.match(run([...AT, '-'], `https://a.blob.x/?${issued(accountParams())}`), { status: 0, stderr: '', stdout: /gateway {4}cannot be told/ })
  test.match(run([...AT, '-'], GATE + EXPIRED), { status: 3, stdout: /refuses it \(sas-expired\)/ })
  test.match(run([...AT, '-'], (GATE + QUERY).replace('https', 'http')), { status: 3, stdout: /refuses it \(plaintext-http\)/ })
  const all = run([...AT, '--json', '-'], VECTORS.map(({ url }) => url).join('\n'))
  test.equal(all.stdout.trim().split('\n').length, VECTORS.length)
  test.equal(all.status, 3)
})

void t.test('wrong usage', async (test) => {
  const help = run(['--help'])
  test.match(help, { status: 0, stderr: '' })
  const documented = /<!-- help:.*-->\n\n((?: {4}.*\n|\n)+)/.exec(readFileSync(join(import.meta.dirname, '../../docs/inspecting.md'), 'utf8'))?.[1] ?? ''
  test.equal(documented.replace(/^ {4}/gm, '').trim(), help.stdout.trim(), 'docs/inspecting.md has it word for word')
  test.match(run([]), { status: 2, stdout: '', stderr: /^tidegate: error: inspect needs a URL, or - for standard input\n/ })
  test.match(run([GATE, GATE + QUERY]), { status: 2, stdout: '', stderr: /takes one URL/ })
  test.match(run(['--at', 'tomorrow', '-']), { status: 2, stderr: /--at is neither/ })
  test.match(run(['--at', '2026-11-25T06:00:00+02:00', '-']), { status: 2 })
  test.match(run(['-']), { status: 2, stderr: /standard input holds no URL/ })
  test.match(run([`--url?${QUERY}`]), { status: 2, stdout: '', stderr: /^tidegate: error: unknown option/ })
  test.match(run([`--${new URLSearchParams(QUERY).get('sig')}?sig=${new URLSearchParams(QUERY).get('sig')}`]).status, 2)
  test.match(run(['--config', GATE + QUERY, '-']), { status: 2, stdout: '', stderr: /sig=REDACTED: (?:found )?does not exist; allowed/ }, 'a URL where a file belongs')
  test.match(run(['--json', '--config', GATE + QUERY, '-']), { status: 2, stderr: '', stdout: /sig=REDACTED"/ })
  test.match(run(['--config', 'bad.yaml', '-'], GATE), { status: 2, stdout: '', stderr: /fault/ })
  test.match(JSON.parse(run(['--config', 'bad.yaml', '--json', '-'], GATE).stdout), { faults: [] })
  test.strictSame(run(['-'], `?${QUERY}\n`), { status: 2, stdout: '', stderr: 'tidegate: error: it is no http or https URL with a host and without a user name\n' })
  const mixed = run([...AT, '-'], `${GATE}${QUERY}\nnot a URL ${QUERY}\n${GATE}${EXPIRED}\n`)
  test.match(mixed, { status: 2, stdout: /cannot be told.*refuses it/s, stderr: /^tidegate: error: URL 2 is no/ })
})
