// Standard output is a pipe, or a socket, whose reader has stopped reading: requests go on, lines are dropped and counted, and
// SIGTERM still ends the gateway, also after a worker has ended and another one come.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MAIN, writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until, within } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

// Of a shell's kind: what Node gives a child is a socket.
const pipe = join(realm.folder, 'stdout')
const missing = spawnSync('mkfifo', [pipe]).status === 0 ? false : 'the program mkfifo is missing'

/** A gateway, and its first lines as far as they have been read; nothing is read once `listening` is there. */
interface Running {
  readonly child: ChildProcess
  readonly start: () => string
}

function spawned(test: Test, file: string, stdio: ['ignore', number | 'pipe', number | 'inherit']): ChildProcess {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio, detached: true })
  test.teardown(() => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  })
  return child
}

/** What can be read now. */
function readNow(fd: number): string {
  const buffer = Buffer.alloc(65536)
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
    throw error
  }
}

function onPipe(test: Test, file: string): Running {
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(pipe, constants.O_WRONLY)
  // Standard error as well, as shells have it with 2>&1.
  const child = spawned(test, file, ['ignore', writer, writer])
  closeSync(writer)
  test.teardown(() => closeSync(reader))
  let text = ''
  return { child, start: () => (text += text.includes('"listening"') ? '' : readNow(reader)) }
}

function onSocket(test: Test, file: string): Running {
  const child = spawned(test, file, ['ignore', 'pipe', 'inherit'])
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (text.includes('"listening"')) child.stdout?.pause()
  })
  return { child, start: () => text }
}

/** Returns whether a write to this descriptor waits for a reader: `flags` is octal, and 04000 is O_NONBLOCK. */
function blocks(pid: number, fd: number): boolean {
  const [, flags = ''] = /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? []
  return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) === 0
}

const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

for (const [what, begin] of [['a pipe', onPipe], ['a socket', onSocket]] as const) {
  void t.test(`${what}: it serves on, and ends`, { skip: missing }, async (test) => {
    const { child, start } = begin(test, await writeConfiguration(realm, { storage: { blob: upstream.port }, workers: 2, drain: { deadline: '5s' } }))
    await until(() => start().includes('"msg":"listening"'), 'the line `listening`')
    const port = Number(/"tls":"127\.0\.0\.1:(\d+)"/.exec(start())?.[1])
    const admin = Number(/"admin":"127\.0\.0\.1:(\d+)"/.exec(start())?.[1])
    const metric = async (name: string): Promise<number> => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(await (await fetch(`http://127.0.0.1:${admin}/metrics`, { headers: { connection: 'close' } })).text())?.[1])
    // A worker that ends leaves the descriptors that it shares as it found them: that must not make them block for others.
    const [worker = 0] = childrenOf(child.pid ?? 0)
    process.kill(worker, 'SIGTERM')
    const waits: boolean[] = []
    const looking = setInterval(() => begin === onSocket && waits.push(blocks(child.pid ?? 0, 1)), 2)
    test.teardown(() => clearInterval(looking))
    await until(async () => await metric('tidegate_worker_restarts_total') === 1 && await metric('tidegate_workers') === 2, 'another worker')
    clearInterval(looking)
    test.notOk(waits.includes(true), 'nobody ever waits for the reader')
    const client = await dial(test, { port, realm })
    const path = `/c/${'long-name/'.repeat(700)}`
    for (let round = 0; round < 60 && await metric('tidegate_log_lines_dropped_total') === 0; round++) {
      for (let i = 0; i < 50; i++) if ((await client.ask(`GET ${path}`)).status !== 200) test.fail('a request fared worse')
    }
    test.ok(await metric('tidegate_log_lines_dropped_total') > 0, 'lines are dropped and counted')
    child.kill('SIGTERM')
    const [code] = (await within(once(child, 'exit'), 'the end')) as [number | null]
    test.equal(code, 0)
  })
}

void t.test('a reader that goes away just before the end, as after Ctrl-C on a pipeline, delays it no more', async (test) => {
  const child = spawned(test, await writeConfiguration(realm, { storage: { blob: upstream.port }, drain: { deadline: '5s' } }), ['ignore', 'pipe', 'inherit'])
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await until(() => text.includes('"msg":"listening"'), 'the line `listening`')
  const gone = once(child.stdout ?? child, 'close')
  child.stdout?.destroy()
  await gone
  child.kill('SIGTERM')
  const [code] = (await within(once(child, 'exit'), 'the end')) as [number | null]
  test.equal(code, 0)
})
