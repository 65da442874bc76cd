// At a terminal lines are for people, by pino-pretty where it is installed; in a pipe or a file they are JSON always.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { MAIN, serveGate, writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { until, within } from '../support/until.ts'

const skip = existsSync('/usr/bin/script') ? false : 'needs `script` (bsdutils), which makes a terminal'
const realm = await createRealm(t)
const WISH = { apis: [{ name: 'payroll', host: 'payroll.localhost', upstream: 'https://127.0.0.1:1' }], names: ['payroll.localhost'] }

interface AtTerminal {
  readonly child: ChildProcess
  text(): string
}

/** The gateway at a terminal that `script` makes, once it listens. `exec` makes it the one child of `script`. */
async function atTerminal(test: Test, environment: Readonly<Record<string, string>> = {}): Promise<AtTerminal> {
  const configuration = await writeConfiguration(realm, WISH)
  const child = spawn('/usr/bin/script', ['-qefc', `exec ${process.execPath} ${MAIN} serve --config ${configuration}`, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'], detached: true, env: { ...process.env, ...environment } })
  test.teardown(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = once(child, 'close').then(() => test.comment(`it ended: ${text}`))
  await Promise.race([until(() => text.includes('listening'), 'the line `listening`'), ended])
  return { child, text: () => text }
}

async function end({ child }: AtTerminal): Promise<void> {
  const ended = once(child, 'close')
  process.kill(Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')), 'SIGTERM')
  await within(ended, 'the end')
}

void t.test('at a terminal: one readable line each, and the end as ever', { skip }, async (test) => {
  const gate = await atTerminal(test)
  test.notMatch(gate.text(), /"msg"/, 'no JSON')
  test.match(gate.text(), /\[\d\d:\d\d:\d\d\.\d{3}\].*INFO.*listening/)
  test.match(gate.text(), /addresses/, 'its fields are there')
  await end(gate)
  test.match(gate.text(), /stopped/, 'the last line is there')
  test.equal(gate.child.exitCode, 0)
})

void t.test('at a terminal where pino-pretty is not installed: JSON', { skip }, async (test) => {
  const hook = realm.write('without.mjs', `import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) { if (name === 'pino-pretty') throw Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' }); return next(name, context) } })\n`)
  const gate = await atTerminal(test, { NODE_OPTIONS: `--import=${hook}` })
  test.match(gate.text(), /^\{"level":"info".*"msg":"listening"\}/m)
  await end(gate)
})

void t.test('in a pipe: JSON', async (test) => {
  const gate = await serveGate(test, realm, WISH)
  test.equal(gate.lines('listening').length, 1)
})
