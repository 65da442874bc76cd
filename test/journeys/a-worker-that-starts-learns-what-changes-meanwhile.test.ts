// A worker that is started again gets its orders before it has loaded its program. A configuration that comes into force while
// it does is its own as well: no worker may go on with an old one.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { serveGate, writeConfiguration, type GateProcess } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

const wish = (headerFields: number): Parameters<typeof writeConfiguration>[1] => ({ storage: { blob: upstream.port }, limits: { headerFields } })

/** Hundredths of a second of cpu: by then its orders are there, and most of the program is still to be loaded. */
const LOADING = 15

/** Cpu that a process has used, in hundredths of a second (proc(5), stat: utime and stime). */
function cpuOf(pid: number): number {
  try {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')
    const [utime, stime] = fields.split(' ').slice(11, 13).map(Number)
    return (utime ?? 0) + (stime ?? 0)
  } catch {
    return 0
  }
}

async function killAndWaitForNext(gate: GateProcess): Promise<void> {
  const [old = 0] = await gate.workers()
  process.kill(old, 'SIGKILL')
  await until(async () => (await gate.workers()).some((pid) => pid !== old && cpuOf(pid) >= LOADING), 'a worker that loads its program')
}

void t.test('a reload while a worker starts', { skip: existsSync('/proc') ? false : 'needs /proc' }, async (test) => {
  const gate = await serveGate(test, realm, wish(100))
  for (const headerFields of [9, 19, 29]) {
    const fields = Array.from({ length: headerFields }, (_, i) => `x-${i}: 1`)
    await writeConfiguration(realm, wish(headerFields))
    const reloads = gate.lines('reloaded').length
    await killAndWaitForNext(gate)
    gate.child.kill('SIGHUP')
    await until(() => gate.lines('reloaded').length > reloads, 'the reload')
    await until(async () => await gate.metric('tidegate_workers') === 1, 'the worker')
    const client = await dial(test, gate)
    test.equal((await client.ask('GET /a', fields.slice(1))).status, 200)
    test.equal((await client.ask('GET /a', fields)).status, 431, `${headerFields}: with Host one too many`)
  }
})
