// `tidegate network`: exit codes, both forms of output, standard input, and wrong usage.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { t as root, test } from 'tap'
import { PLAN } from '../network/sample.ts'

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
