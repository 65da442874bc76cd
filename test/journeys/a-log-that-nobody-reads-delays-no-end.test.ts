// Standard output is a pipe whose reader has stopped reading: requests go on, lines are dropped and counted, and SIGTERM
// still ends the gateway.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
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

void t.test('it serves on, and ends', { skip: missing }, async (test) => {
  const file = await writeConfiguration(realm, { storage: { blob: upstream.port }, drain: { deadline: '5s' } })
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(pipe, constants.O_WRONLY)
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: ['ignore', writer, 'inherit'], detached: true })
  closeSync(writer)
  test.teardown(() => {
    closeSync(reader)
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  })
  let text = ''
  await until(() => (text += readNow(reader)).includes('"msg":"listening"'), 'the line `listening`')
  const port = Number(/"tls":"127\.0\.0\.1:(\d+)"/.exec(text)?.[1])
  const admin = Number(/"admin":"127\.0\.0\.1:(\d+)"/.exec(text)?.[1])
  const client = await dial(test, { port, realm })
  const path = `/c/${'long-name/'.repeat(200)}`
  const dropped = async (): Promise<number> => Number(/^tidegate_log_lines_dropped_total (\d+)/m.exec(await (await fetch(`http://127.0.0.1:${admin}/metrics`, { headers: { connection: 'close' } })).text())?.[1])
  for (let round = 0; round < 60 && await dropped() === 0; round++) {
    for (let i = 0; i < 50; i++) if ((await client.ask(`GET ${path}`)).status !== 200) test.fail('a request fared worse')
  }
  test.ok(await dropped() > 0, 'lines are dropped and counted')
  child.kill('SIGTERM')
  const [code] = (await within(once(child, 'exit'), 'the end')) as [number | null]
  test.equal(code, 0)
})
