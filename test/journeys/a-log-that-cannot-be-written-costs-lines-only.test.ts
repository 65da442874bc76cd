// The disk is full, or the reader of the log has gone: requests go on, lines are dropped and counted, memory does not grow,
// and the gateway ends as ever.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { MAIN, writeConfiguration } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until, within } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

/** The line with the addresses cannot be read here. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Resident memory without files, in bytes. */
function resident(pid: number): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024
}

async function serves(test: Test, stdout: number | 'pipe'): Promise<void> {
  const [tls, admin] = [await freePort(), await freePort()]
  const file = await writeConfiguration(realm, { storage: { blob: upstream.port }, listen: { tls: { host: '127.0.0.1', port: tls }, admin: { host: '127.0.0.1', port: admin } } })
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: ['ignore', stdout, 'inherit'], detached: true })
  test.teardown(() => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  })
  // Its reader goes at once.
  child.stdout?.destroy()
  const ask = async (path: string): Promise<string> => await (await fetch(`http://127.0.0.1:${admin}${path}`, { headers: { connection: 'close' } })).text()
  await until(() => ask('/readyz').then((text) => text.includes('"ready":true'), () => false), 'it to be ready')
  const dropped = async (): Promise<number> => Number(/^tidegate_log_lines_dropped_total (\d+)/m.exec(await ask('/metrics'))?.[1])
  const client = await dial(test, { port: tls, realm })
  const path = `/c/${'long-name/'.repeat(100)}`
  const run = async (): Promise<void> => {
    for (let i = 0; i < 500; i++) if ((await client.ask(`GET ${path}`)).status !== 200) test.fail('a request fared worse')
  }
  const worker = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  await run()
  const before = { dropped: await dropped(), memory: resident(worker) }
  test.ok(before.dropped > 0, 'lines are dropped and counted')
  await run()
  await run()
  test.ok(await dropped() > before.dropped, 'and go on being counted')
  // Heaps breathe; what must not be seen is lines that pile up for ever.
  test.ok(resident(worker) - before.memory < 48 * 1_048_576, 'memory does not grow')
  child.kill('SIGTERM')
  const [code] = (await within(once(child, 'exit'), 'the end')) as [number | null]
  test.equal(code, 0)
}

void t.test('the disk is full', { skip: existsSync('/dev/full') ? false : 'needs /dev/full' }, (test) => serves(test, openSync('/dev/full', 'w')))
void t.test('the reader is gone', { skip: existsSync('/proc/self/status') ? false : 'needs /proc' }, (test) => serves(test, 'pipe'))
