// `tidegate network`: exit codes, both forms of output, standard input, and wrong usage.
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t as root, test } from 'tap'
import { PLAN } from '../network/sample.ts'
import { createAuthority } from '../support/authority.ts'

const authority = await createAuthority({ name: 'Offices' })
const { sites: _sites, withoutSite: _withoutSite, ...NETWORK } = PLAN
const BASE = {
  listen: { tls: {} },
  tls: { certificates: [{ cert: 'gateway.pem', key: 'gateway.key' }] },
  storage: { domain: 'storage.tide.example', accounts: [{ name: 'tideoffice', keys: ['key1'], blob: 'https://tideoffice.blob.core.windows.net' }] },
}
const bad = { ...NETWORK, size: 'Basic', pool: '10.11.9.0/24' }
const folder = root.testdir({
  'good.yaml': JSON.stringify({ ...BASE, network: NETWORK }),
  'bad.yaml': JSON.stringify({ ...BASE, network: bad }),
  'none.yaml': JSON.stringify(BASE),
  'form.yaml': JSON.stringify({ ...BASE, network: { ...NETWORK, gate: 'here', colour: 1 } }),
})
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

function network(args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'network', ...args], { cwd: folder, encoding: 'utf8', input })
  return { status, stdout, stderr }
}

await test('a good plan: 0, though no file that the configuration names is there', async (t) => {
  t.strictSame(network(['check', '--config', 'good.yaml']), { status: 0, stdout: '', stderr: 'tidegate: good.yaml is in order\n' })
})

await test('faults: 2, all of them, as text and as JSON', async (t) => {
  const text = network(['check', '-c', 'bad.yaml'])
  t.match(text, { status: 2, stdout: '' })
  t.match(text.stderr, /network\.pool: found 10\.11\.9\.0\/24, which overlaps 10\.11\.0\.0\/16 of network\.addressSpace\[0\][^]*network\.size: found Basic/)
  const json = network(['check', '--config', 'bad.yaml', '--json'])
  t.match(json, { status: 2, stderr: '' })
  t.match(JSON.parse(json.stdout), { faults: [{ path: 'network.pool' }, { path: 'network.size' }], warnings: [] })
})

await test('no plan: 2, naming network; a faulty form: its own faults', async (t) => {
  t.match(network(['check', '--config', 'none.yaml']), { status: 2, stderr: /error: network: found nothing/ })
  t.match(network(['check', '--config', 'form.yaml']), { status: 2, stderr: /network\.colour[^]*network\.gate/ })
  t.match(network(['check', '--config', 'missing.yaml']), { status: 2, stderr: /missing\.yaml/ })
})

await test('- reads standard input', async (t) => {
  t.match(network(['check', '--config', '-'], JSON.stringify({ ...BASE, network: NETWORK })), { status: 0 })
  t.match(network(['check', '--config', '-'], JSON.stringify({ ...BASE, network: bad })), { status: 2, stderr: /network\.size/ })
})

await test('help and wrong usage', async (t) => {
  for (const flag of ['--help', '-h']) t.match(network(['check', flag]), { status: 0, stdout: /^usage: tidegate network check/, stderr: '' })
  for (const args of [[], ['deploy'], ['check'], ['check', '--config'], ['check', 'more', '--config', 'good.yaml'], ['check', '--config', 'good.yaml', '--out', 'x'], ['check', '--colour']]) {
    t.match(network(args), { status: 2, stdout: '', stderr: /^tidegate: error: / }, args.join(' '))
  }
})

const tree = (out: string): string[] => readdirSync(join(folder, out), { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(join(folder, out, '/').length)).toSorted()

await test('write: the files, twice the same, and replaced where they are its own', async (t) => {
  t.match(network(['write', '--config', 'good.yaml', '--out', 'out/new']), { status: 0, stdout: '', stderr: /wrote azure\/network\.json/ })
  const names = ['.written.json', 'STEPS.md', 'azure/commands.sh', 'azure/network.json', 'dns.txt']
  t.strictSame(tree('out/new'), names)
  const before = names.map((name) => readFileSync(join(folder, 'out/new', name), 'utf8'))
  t.match(network(['write', '--config', 'good.yaml', '--out', 'out/new', '--json']), { status: 0, stdout: '{"faults":[],"warnings":[]}\n', stderr: '' })
  t.strictSame(names.map((name) => readFileSync(join(folder, 'out/new', name), 'utf8')), before)
  t.equal(statSync(join(folder, 'out/new/azure/commands.sh')).mode & 0o111, 0o111)
})

await test('write: a foreign file, a changed one and a link stop it, and nothing is written', async (t) => {
  network(['write', '--config', 'good.yaml', '--out', 'kept'])
  mkdirSync(join(folder, 'kept/sites/genoa'), { recursive: true })
  writeFileSync(join(folder, 'kept/sites/genoa/secrets.conf'), 'secrets {}')
  t.match(network(['write', '--config', 'good.yaml', '--out', 'kept']), { status: 0 }, 'secrets.conf is the administrator\'s')
  for (const [name, spoil] of [['mine.txt', (file: string) => writeFileSync(file, 'x')], ['dns.txt', (file: string) => appendFileSync(file, 'x')], ['STEPS.md', (file: string) => (rmSync(file), symlinkSync('/etc/hostname', file))]] as const) {
    spoil(join(folder, 'kept', name))
    rmSync(join(folder, 'kept/azure/network.json'), { force: true })
    t.match(network(['write', '--config', 'good.yaml', '--out', 'kept']), { status: 2, stderr: new RegExp(`kept/${name}: found a file that`) }, name)
    t.notOk(tree('kept').includes('azure/network.json'), 'nothing was written')
    rmSync(join(folder, 'kept', name))
  }
})

await test('write: a plan with faults, no folder, no authority', async (t) => {
  t.match(network(['write', '--config', 'bad.yaml', '--out', 'never']), { status: 2, stderr: /network\.size/ })
  t.throws(() => tree('never'))
  t.match(network(['write', '--config', 'good.yaml']), { status: 2, stderr: /needs a folder/ })
  t.match(network(['write', '--config', '-', '--out', 'never'], '{}'), { status: 2 })
  t.match(network(['write', '--config', 'good.yaml', '--out', 'good.yaml/x']), { status: 2, stderr: /--out/ })
  t.match(network(['write', '--config', 'good.yaml', '--out', 'never', '--authority', 'none']), { status: 2, stderr: /--authority: found does not exist/ })
})

const fact = (more: object): string => `${JSON.stringify({ fact: 'issued', use: 'client', ...more })}\n`

await test('write: roots and thumbprints come from the authority', async (t) => {
  mkdirSync(join(folder, 'authority'))
  writeFileSync(join(folder, 'authority/ca.pem'), authority.pem)
  writeFileSync(join(folder, 'authority/index.jsonl'), `${fact({ serial: '01', sha1: 'AA'.repeat(20) })}${fact({ serial: '02', sha1: 'BB'.repeat(20) })}${JSON.stringify({ fact: 'revoked', serial: '02' })}\n`)
  t.match(network(['write', '--config', 'good.yaml', '--out', 'with', '--authority', 'authority']), { status: 0 })
  const template = readFileSync(join(folder, 'with/azure/network.json'), 'utf8')
  t.match(template, /"thumbprint": "(?:BB){20}"/)
  t.notMatch(template, /(?:AA){20}/)
  const data = /"publicCertData": "([A-Za-z0-9+/=]+)"/.exec(template)?.[1] ?? ''
  t.ok(authority.pem.replaceAll('\n', '').includes(data) && data.length > 300)
  t.notMatch(readFileSync(join(folder, 'with/STEPS.md'), 'utf8'), /are missing here/)
  writeFileSync(join(folder, 'authority/index.jsonl'), 'no json\n')
  t.match(network(['write', '--config', 'good.yaml', '--out', 'with', '--authority', 'authority']), { status: 2, stderr: /index\.jsonl/ })
})
