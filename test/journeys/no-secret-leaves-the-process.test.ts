// Keys lie in the memory of supervisor and workers and nowhere else that others could look: not in arguments, environment or
// a core file, and no signal opens the inspector.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MAIN, serveGate, writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { pause, until, within } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const skip = existsSync('/proc/self/coredump_filter') ? false : 'needs Linux\' /proc'

/** Texts that must be nowhere: each of the keys as it stands in its file, without line ends. */
function secrets(): string[] {
  const [, body = ''] = readFileSync(join(realm.folder, 'gate.key'), 'latin1').split('\n')
  return [realm.key1, realm.key2, body]
}

void t.test('arguments and environment of every process', { skip }, async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, workers: 2 })
  test.equal((await (await dial(test, gate)).ask('GET /a')).status, 200)
  const pids = [gate.child.pid ?? 0, ...await gate.workers()]
  test.equal(pids.length, 3)
  for (const pid of pids) {
    const seen = readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1')
    test.ok(seen.includes('/node'), 'it was read')
    test.strictSame(secrets().filter((secret) => seen.includes(secret)), [])
    test.equal(Number.parseInt(readFileSync(`/proc/${pid}/coredump_filter`, 'latin1'), 16), 0, 'nothing of its memory belongs in a core file')
  }
})

void t.test('SIGUSR1 opens no inspector, in supervisor or worker', { skip }, async (test) => {
  const control = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NODE_OPTIONS: '--inspect-port=0' } })
  test.teardown(() => control.kill('SIGKILL'))
  let said = ''
  control.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port } })
  const pids = [gate.child.pid ?? 0, ...await gate.workers()]
  control.kill('SIGUSR1')
  for (const pid of pids) process.kill(pid, 'SIGUSR1')
  await until(() => said.includes('Debugger listening'), 'what Node does with it otherwise')
  await pause(200)
  test.equal(gate.errors(), '', 'no word of a debugger')
  test.equal((await (await dial(test, gate)).ask('GET /a')).status, 200, 'all of them live')
  test.strictSame([gate.child.pid, ...await gate.workers()], pids)
  test.strictSame(gate.lines('the memory of this process can leave it'), [])
})

const pattern = existsSync('/proc/sys/kernel/core_pattern') ? readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim() : '|'
const noCores = pattern.startsWith('|') || pattern.includes('/') ? `core files go elsewhere here: ${pattern}` : false

void t.test('a core file of a worker holds none of the keys', { skip: skip || noCores }, async (test) => {
  const file = await writeConfiguration(realm, { storage: { blob: upstream.port } })
  const shell = `ulimit -c unlimited; cd '${realm.folder}'; exec '${process.execPath}' '${MAIN}' serve --config '${file}'`
  const child = spawn('/bin/sh', ['-c', shell], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  test.teardown(() => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await until(() => text.includes('"msg":"listening"'), 'the line `listening`')
  const worker = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  process.kill(worker, 'SIGABRT')
  await until(() => text.includes('"msg":"a worker ended"'), 'the line of its end')
  const cores = readdirSync(realm.folder).filter((name) => name.startsWith('core'))
  test.equal(cores.length, 1, 'there is one')
  const core = readFileSync(join(realm.folder, cores[0] ?? ''))
  test.notOk(core.includes(Buffer.from(realm.key1, 'base64')), 'the key')
  test.strictSame(secrets().filter((secret) => core.includes(secret)), [], 'nor as text')
  child.kill('SIGTERM')
  const [code] = (await within(once(child, 'exit'), 'the end')) as [number | null]
  test.equal(code, 0, 'also while its successor starts')
})
