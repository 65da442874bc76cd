// scripts/run.cjs decides whether to install, and with which Node to go on. Here with a stub for npm that writes down how it
// was called and behaves as told; its Node is a link to the one that runs this test.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test, type Test } from 'tap'

const RUN = join(import.meta.dirname, '../../scripts/run.cjs')

const NPM = `#!/bin/sh
echo "$*" >> npm-calls
case "$NPM_DOES:$1" in
  install:ci) mkdir -p node_modules/.bin && ln -sf "$REAL_NODE" node_modules/.bin/node ;;
  no-node:ci) mkdir -p node_modules/.bin ;;
  broken:ci) mkdir -p node_modules/.bin && printf '#!/bin/sh\\necho node: libatomic.so.1: cannot open shared object file >&2; exit 127' > node_modules/.bin/node && chmod +x node_modules/.bin/node ;;
  offline:ci) rm -rf node_modules; echo "npm error code EAI_AGAIN" >&2; exit 1 ;;
esac
`

// The Node of the system, when it is one that the gateway itself could not run on.
const OLD = ['/usr/bin/node', '/usr/local/bin/node'].find((node) => /^v(1[6-9]|2[0-3])\./.test(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? ''))

const SCRIPT = `console.log(JSON.stringify({ args: process.argv.slice(2), path: process.env.PATH?.split(':')[0] })); process.exit(7)\n`

function checkout(t: Test, lock: unknown = { packages: { '': {}, 'node_modules/a': { version: '1.0.0', integrity: 'x' } } }) {
  const folder = t.testdir({ 'scripts': {}, 'bin': { npm: NPM }, 'script.ts': SCRIPT, 'package-lock.json': JSON.stringify(lock) })
  copyFileSync(RUN, join(folder, 'scripts/run.cjs'))
  spawnSync('chmod', ['+x', join(folder, 'bin/npm')])
  return folder
}

function run(folder: string, npmDoes: string, node = process.execPath) {
  const { status, stdout, stderr } = spawnSync(node, ['scripts/run.cjs', 'script.ts', 'a', 'b c'], {
    cwd: folder, encoding: 'utf8', env: { PATH: `${join(folder, 'bin')}${delimiter}/usr/bin${delimiter}/bin`, NPM_DOES: npmDoes, REAL_NODE: process.execPath },
  })
  const calls = existsSync(join(folder, 'npm-calls')) ? readFileSync(join(folder, 'npm-calls'), 'utf8').trim().split('\n') : []
  return { status, stdout, stderr, calls }
}

await test('nothing there: installs, then runs the script with its arguments and gives its exit code', async (t) => {
  const folder = checkout(t)
  const first = run(folder, 'install')
  t.match(first.calls, [/^ci /])
  t.equal(first.status, 7)
  t.strictSame(JSON.parse(first.stdout), { args: ['a', 'b c'], path: join(folder, 'node_modules/.bin') })
  const second = run(folder, 'offline')
  t.equal(second.calls.length, 1, 'nothing to do the second time, so no network is needed')
  t.equal(second.status, 7)
})

await test('a changed lock file installs anew', async (t) => {
  const folder = checkout(t)
  run(folder, 'install')
  writeFileSync(join(folder, 'package-lock.json'), '{"packages":{"":{},"node_modules/b":{"version":"2.0.0"}}}')
  t.equal(run(folder, 'install').calls.length, 2)
  t.notOk(existsSync(join(folder, '.dev/node_modules-before')))
})

await test('what npm installed without us is taken as it is, if it is what the lock file says', async (t) => {
  const folder = checkout(t)
  run(folder, 'install')
  writeFileSync(join(folder, 'node_modules/.tidegate-installed'), 'old')
  writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"x"}}}')
  t.equal(run(folder, 'offline').calls.length, 1)
})

await test('no network: goes on with what is there and says so', async (t) => {
  const folder = checkout(t)
  run(folder, 'install')
  writeFileSync(join(folder, 'package-lock.json'), '{"packages":{"":{},"node_modules/b":{"version":"2.0.0"}}}')
  const offline = run(folder, 'offline')
  t.match(offline.stderr, /could not be reached \(EAI_AGAIN\).*[Gg]oing on/)
  t.equal(offline.status, 7)
  t.equal(run(folder, 'install').calls.length, 3, 'and it is tried again the next time')
})

await test('no network and nothing there: says what is missing', async (t) => {
  const { status, stderr, stdout } = run(checkout(t), 'offline')
  t.equal(status, 1)
  t.match(stderr, /could not be reached \(EAI_AGAIN\), and nothing is installed yet/)
  t.equal(stdout, '')
})

await test('npm has no Node for this machine, and the one of the system is too old: the reason is told', { skip: OLD === undefined ? 'the system has no Node older than 24' : false }, (t) => {
  const { status, stderr, calls } = run(checkout(t), 'no-node', OLD)
  t.equal(status, 1)
  t.match(stderr, /npm brings one for Linux on x64 and arm64/)
  t.equal(calls.length, 1, 'no install script is run by name')
  t.end()
})

await test('a Node that cannot be loaded here, and an old one of the system: the reason is told', { skip: OLD === undefined ? 'the system has no Node older than 24' : false }, (t) => {
  const { status, stderr } = run(checkout(t), 'broken', OLD)
  t.equal(status, 1)
  t.match(stderr, /does not run here: node: libatomic\.so\.1.*\n.*apt-get install libatomic1/)
  t.end()
})

await test('a Node that cannot be loaded here, and a new one of the system: that one is taken', (t) => {
  const { status, stderr } = run(checkout(t), 'broken')
  t.equal(status, 7)
  t.match(stderr, 'using your own Node')
  t.end()
})

await test('signals go to the script', async (t) => {
  const folder = checkout(t)
  run(folder, 'install')
  writeFileSync(join(folder, 'script.ts'), `process.once('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up')\n`)
  const child = spawn(process.execPath, ['scripts/run.cjs', 'script.ts'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [5, null])
})
