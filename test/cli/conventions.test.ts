// What every command has in common (contract section 2), completion, explain, and the manual page.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { COMMANDS } from '../../src/cli/commands.ts'
import { everyHelp } from '../../src/cli/help.ts'
import { manualPage } from '../../src/cli/manual.ts'
import { REASONS } from '../../src/refusal.ts'
import { createAuthority } from '../support/authority.ts'
import { without } from '../support/programs.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
const authority = await createAuthority({ name: 'Tide test' })
const { cert, key } = await authority.issue({ names: ['*.blob.tide.example'] })
const folder = t.testdir({ 'gateway.pem': cert, 'gateway.key': key })
const TEXT = 'listen: { tls: { port: 0 } }\ntls: { certificates: [{ cert: gateway.pem, key: gateway.key }] }\nstorage: { domain: tide.example, accounts: [{ name: tideoffice, blob: "https://b.example" }] }\n'

interface Run { readonly status: number | null; readonly stdout: string; readonly stderr: string }

function run(args: readonly string[], input = ''): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, encoding: 'utf8', input })
  return { status, stdout, stderr }
}

void t.test('help in three spellings is the same', async (test) => {
  for (const name of ['check', 'deny', 'version']) {
    const long = run([name, '--help'])
    test.match(long, { status: 0, stderr: '', stdout: new RegExp(`^usage: tidegate ${name}`) })
    test.strictSame(run([name, '-h']), long)
    test.strictSame(run(['help', name]), long)
  }
  const overview = run(['help'])
  test.match(overview, { status: 0, stderr: '' })
  test.strictSame(run(['--help']), overview)
  for (const name of COMMANDS.keys()) test.match(overview.stdout, new RegExp(`^  ${name} `, 'm'))
  test.match(run(['help', 'office', 'init']), { status: 0, stdout: /^usage: tidegate office init/ })
})

void t.test('every command and subcommand has its help, and it says the exit codes or leads on', async (test) => {
  for (const { name, text } of await everyHelp()) test.match(text, new RegExp(`^usage: tidegate ${name}`), name)
})

void t.test('what is wrong is told with what was meant, and without what was pasted', async (test) => {
  test.match(run(['sevre']), { status: 2, stdout: '', stderr: /no such command\ntidegate: hint: did you mean serve\?/ })
  test.match(run([]), { status: 2, stdout: '', stderr: /a command is missing/ })
  test.match(run(['check', '--confg', 'x']), { status: 2, stderr: /unknown option '--confg'\ntidegate: hint: did you mean --config\?/ })
  test.match(run(['explain', 'sas-expird']), { status: 2, stdout: '', stderr: /did you mean sas-expired\?/ })
  test.match(run(['completion', 'bsh']), { status: 2, stdout: '', stderr: /did you mean bash\?/ })
  for (const args of [['https://a.example/c?sig=SECRET'], ['check', 'https://a.example/c?sig=SECRET'], ['explain', 'sig=SECRET'], ['help', 'sig=SECRET']]) {
    const { status, stdout, stderr } = run(args)
    test.equal(status, 2, args.join(' '))
    test.notMatch(stdout + stderr, /SECRET/, args.join(' '))
  }
})

void t.test('an option with one value is given once', async (test) => {
  for (const args of [['check', '-c', 'a', '--config', 'b'], ['serve', '-c', 'a', '-c', 'a'], ['inspect', '--at', '1h', '--at', '2h', '-'], ['deny', '-c', 'a', '-c', 'b', '-'], ['network', 'check', '-c', 'a', '-c', 'b']]) {
    test.match(run(args), { status: 2, stdout: '', stderr: /is given twice/ }, args.join(' '))
  }
})

void t.test('a configuration on standard input, where that is allowed', async (test) => {
  test.match(run(['check', '-c', '-'], TEXT), { status: 0, stderr: /<stdin> is in order/ })
  test.match(run(['check', '-c', '-'], TEXT.replace('port: 0', 'port: x')), { status: 2, stderr: /^<stdin>:1:18: listen\.tls\.port: / })
  test.match(JSON.parse(run(['check', '-c', '-', '--json'], 'listen: [').stdout), { faults: [{ line: 1, column: Number, found: String, allowed: String }] })
  for (const args of [['serve', '--config', '-'], ['inspect', '--config', '-', '-'], ['deny', '--config', '-', '-']]) test.match(run(args, TEXT), { status: 2, stdout: '' }, args.join(' '))
})

void t.test('version, in words and as JSON', async (test) => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }
  const text = `tidegate ${version}\nnode ${process.versions.node}\nopenssl ${process.versions.openssl}\n`
  test.strictSame(run(['version']), { status: 0, stdout: text, stderr: '' })
  test.strictSame(run(['--version']).stdout, text)
  test.strictSame(JSON.parse(run(['version', '--json']).stdout), { tidegate: version, node: process.versions.node, openssl: process.versions.openssl })
})

void t.test('explain prints the section of each reason', async (test) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/refusals.md'), 'utf8')
  for (const reason of [REASONS[0] ?? '', 'sas-denied', 'unexpected']) {
    const { status, stdout } = run(['explain', reason])
    test.equal(status, 0)
    test.match(stdout, new RegExp(`^${reason} \\(stage `))
    const [, means = ''] = new RegExp(`## \`${reason}\`\n\n\\* \\*\\*Means:\\*\\* ([^\\[\n]+)`).exec(page) ?? []
    test.ok(stdout.includes(means.slice(0, 60)), means)
  }
  test.match(JSON.parse(run(['explain', 'sas-denied', '--json']).stdout), { reason: 'sas-denied', stage: 'sas', status: 403, code: 'AuthenticationFailed', text: /Means/ })
  test.match(run(['explain']), { status: 2, stdout: '' })
})

void t.test('bash completes commands, subcommands and options', { skip: without('bash') }, async (test) => {
  const script = run(['completion', 'bash']).stdout
  const complete = (...words: string[]): string[] => {
    const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _tidegate; printf '%s\\n' "\${COMPREPLY[@]}"`
    return spawnSync('bash', ['-c', `${script}\n${line}`], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean)
  }
  test.strictSame(complete('tidegate', 'ch'), ['check'])
  test.strictSame(complete('tidegate', 'deny', '--id'), ['--identifier'])
  test.strictSame(complete('tidegate', 'office', 'ini'), ['init'])
  test.ok(complete('tidegate', 'office', 'init', '--').includes('--authority'))
  test.ok(complete('tidegate', 'help', '').includes('serve'))
  for (const shell of ['zsh', 'fish']) test.match(run(['completion', shell]), { status: 0, stdout: /tidegate/ })
})

void t.test('the manual page holds the help of every command', async (test) => {
  const helps = await everyHelp()
  const page = manualPage(helps, '1.2.3')
  test.match(page, /^\.TH TIDEGATE 1 /)
  for (const { name } of helps) test.ok(page.includes(`.SS tidegate ${name}\n`), name)
  if (without('groff') === false) {
    const { status, stderr, stdout } = spawnSync('groff', ['-man', '-Tutf8', '-ww'], { input: page, encoding: 'utf8' })
    test.strictSame([status, stderr], [0, ''])
    test.match(stdout, 'storage.sas.deny')
  }
})
