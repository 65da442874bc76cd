import { spawnSync } from 'node:child_process'
import { t as root, test } from 'tap'
import { createAuthority } from '../support/authority.ts'

const authority = await createAuthority({ name: 'Tide test' })
const { cert, key } = await authority.issue({ names: ['gateway.tide.example', 'payroll.tide.example', 'tide.blob.tide.example'] })

const TEXT = `
listen: { tls: { port: 0 } }
tls: { certificates: [{ cert: gateway.pem, key: gateway.key }] }
apis: [{ name: payroll, host: payroll.tide.example, upstream: "https://p.example" }]
`
const folder = root.testdir({
  'gateway.pem': cert,
  'gateway.key': key,
  'good.yaml': TEXT,
  'warned.yaml': TEXT.replace('listen', 'storage: { domain: tide.example, accounts: [{ name: tide, blob: "https://127.0.0.1/tide" }] }\nlisten'),
  'bad.yaml': TEXT.replace('port: 0', 'port: 99999, prot: "\\e[31m"').replace('gateway.key', 'none.key'),
  'broken.yaml': 'listen: [',
})
const COMMAND = `import { checkCommand } from ${JSON.stringify(new URL('../../src/cli/check.ts', import.meta.url).href)}; process.exitCode = await checkCommand(process.argv.slice(1))`

function check(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', COMMAND, '--', ...args], { cwd: folder, encoding: 'utf8' })
  // Files made by testdir are readable by others where the umask allows it: one line more, and not the one that is tested here.
  return { status, stdout, stderr: stderr.split('\n').filter((line) => !line.includes('others can read')).join('\n') }
}

await test('in order', async (t) => {
  t.strictSame(check('--config', 'good.yaml'), { status: 0, stdout: '', stderr: 'tidegate: good.yaml is in order\n' })
})

await test('a warning does not stop anything', async (t) => {
  const { status, stderr } = check('--config', 'warned.yaml')
  t.equal(status, 0)
  t.equal(stderr, [
    'warned.yaml:2:59: storage.accounts[0].blob: warning: found the path /tide, which a client\'s Shared Key signature does not survive; better: no path: reach an emulator by host name with connect',
    'tidegate: warned.yaml is in order', ''].join('\n'))
})

await test('every fault on a line of its own', async (t) => {
  const { status, stdout, stderr } = check('--config', 'bad.yaml')
  t.equal(status, 2)
  t.equal(stdout, '')
  t.equal(stderr, [
    'bad.yaml:2:31: listen.tls.prot: found an unknown key; allowed: one of host, port; did you mean port?',
    'bad.yaml:2:18: listen.tls.port: found 99999; allowed: a whole number from 0 to 65535',
    'bad.yaml:3:44: tls.certificates[0].key: does not exist; allowed: a file that can be read',
    'tidegate: 3 faults in bad.yaml',
    'tidegate: hint: docs/configuration.md lists every key', ''].join('\n'))
})

await test('--json', async (t) => {
  const good = check('--config', 'good.yaml', '--json')
  t.match(good, { status: 0, stderr: '' })
  t.match(JSON.parse(good.stdout), { faults: [], warnings: [] })
  const bad = check('--config', 'bad.yaml', '--json')
  t.match(bad, { status: 2, stderr: '' })
  const { faults } = JSON.parse(bad.stdout) as { faults: object[] }
  t.strictSame(faults[1], { path: 'listen.tls.port', found: '99999', allowed: 'a whole number from 0 to 65535', line: 2, column: 18 })
  t.equal(faults.length, 3)
  t.equal(bad.stdout.trim().split('\n').length, 1)
})

await test('a file that cannot be read, or is no YAML', async (t) => {
  t.match(check('--config', 'none.yaml'), { status: 2, stderr: /^tidegate: error: .*none\.yaml: does not exist; allowed: a file that can be read\ntidegate: 1 fault in none\.yaml\n/ })
  t.match(check('--config', 'broken.yaml'), { status: 2, stderr: /broken\.yaml:1:\d+: found / })
})

await test('usage', async (t) => {
  t.match(check('--help'), { status: 0, stderr: '', stdout: /^usage: tidegate check --config FILE/ })
  t.strictSame(check(), { status: 2, stdout: '', stderr: 'tidegate: error: check needs a configuration\ntidegate: hint: tidegate check --config FILE\ntidegate: hint: tidegate check --help shows how it is used\n' })
  t.match(check('--confg', 'x'), { status: 2, stdout: '', stderr: 'tidegate: error: unknown option \'--confg\'\ntidegate: hint: did you mean --config?\ntidegate: hint: tidegate check --help shows how it is used\n' })
  t.match(check('good.yaml'), { status: 2, stderr: /^tidegate: error: an argument that the command does not take\n/ })
  t.match(check('--config'), { status: 2, stderr: /^tidegate: error: option '-c, --config <value>' argument missing\n/ })
})
