// At a terminal lines are for people, by pino-pretty where it is installed; in a pipe or a file they are JSON always.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import t from 'tap'
import { MAIN, serveGate, writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { until, within } from '../support/until.ts'

const skip = existsSync('/usr/bin/script') ? false : 'needs `script` (bsdutils), which makes a terminal'
const realm = await createRealm(t)
const WISH = { apis: [{ name: 'payroll', host: 'payroll.localhost', upstream: 'https://127.0.0.1:1' }] }

void t.test('at a terminal: one readable line each, from supervisor and worker, and the end as ever', { skip }, async (test) => {
  const configuration = await writeConfiguration(realm, { ...WISH, tls: {} })
  // `script` gives the terminal; `exec` makes the gateway itself the process that gets the signal.
  const child = spawn('/usr/bin/script', ['-qefc', `exec ${process.execPath} ${MAIN} serve --config ${configuration}`, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  test.teardown(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await until(() => text.includes('listening'), 'the line `listening`')
  test.notMatch(text, /"msg"/, 'no JSON')
  test.match(text, /\[\d\d:\d\d:\d\d\.\d{3}\].*INFO.*listening/, text)
  test.match(text, /addresses/, 'its fields are there')
  const ended = once(child, 'close')
  process.kill(Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')), 'SIGTERM')
  await within(ended, 'the end')
  test.match(text, /stopped/, 'the last line is there')
  test.equal(child.exitCode, 0)
})

void t.test('in a pipe: JSON', async (test) => {
  const gate = await serveGate(test, realm, WISH)
  test.equal(gate.lines('listening').length, 1)
})
