// The real program in a container of 256 MB, with more in hand than that holds: new connections get 503 with Retry-After while
// those from before are served, nothing ends the process, and afterwards all is as before.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce, dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const MIB = 1 << 20
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

interface Group {
  readonly folder: string
  /** How often the kernel ended a process in it. */
  readonly killed: () => number
}

/** A control group with a limit, version 1 or 2; undefined where none can be made. */
function makeGroup(test: Test, limit: number): Group | undefined {
  const v1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')
  const folder = `/sys/fs/cgroup${v1 ? '/memory' : ''}/tidegate-test-${process.pid}`
  test.teardown(() => until(() => !existsSync(folder) || spawnSync('rmdir', [folder]).status === 0, 'the group to be empty'))
  try {
    mkdirSync(folder)
    writeFileSync(`${folder}/${v1 ? 'memory.limit_in_bytes' : 'memory.max'}`, String(limit))
  } catch {
    return undefined
  }
  const killed = (): number => Number(/^oom_kill (\d+)$/m.exec(readFileSync(`${folder}/${v1 ? 'memory.oom_control' : 'memory.events'}`, 'latin1'))?.[1])
  return { folder, killed }
}

/** `tls.connect` hands it on to `net.connect`, which its types do not know. */
const from = (localAddress: string): ConnectionOptions => ({ localAddress } as ConnectionOptions)

const HEAD = `POST /?comp=batch HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nContent-Type: multipart/mixed; boundary=b\r\nAuthorization: Bearer token\r\nContent-Length: ${4 * MIB}\r\n\r\n`

/** Batches are held in memory until they are whole; this one never is. One address may hold four of this size. Returns its connection. */
async function holdBatch(test: Test, gate: GateProcess, number: number): Promise<Client> {
  const client = await dial(test, gate, from(`127.0.1.${1 + Math.floor(number / 4)}`))
  client.expect(HEAD)
  await client.send(HEAD)
  await client.send(Buffer.alloc(4 * MIB - 1, 0x61))
  return client
}

const group = makeGroup(t, 256 * MIB)
const skip = group === undefined ? 'no control group can be made here: that needs root, and /sys/fs/cgroup to be writable' : false

void t.test('new connections are shed before the limit, with Retry-After; no process ends; and all is well again', { skip }, async (test) => {
  if (group === undefined) return
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, under: ['/bin/sh', '-c', `echo $$ > '${group.folder}/cgroup.procs'; exec "$0" "$@"`] })
  const pids = [gate.child.pid, ...await gate.workers()]
  const early = await dial(test, gate)
  test.equal((await early.ask('GET /a')).status, 200)

  const held: Client[] = []
  const short = async (): Promise<boolean> => await gate.metric('tidegate_workers_short_of_memory') === 1
  for (let number = 0; number < 64 && !await short(); number++) {
    held.push(await holdBatch(test, gate, number))
    await pause(50)
  }
  test.ok(await short(), `after ${held.length} batches of 4 MiB`)
  const refused = await askOnce(test, gate, 'GET /late')
  test.strictSame([refused.status, refused.header('x-tidegate-reason'), refused.header('retry-after'), refused.header('connection')], [503, 'overloaded', '1', 'close'])
  test.equal((await early.ask('GET /b')).status, 200, 'a connection from before')
  test.equal((await early.ask('POST /?comp=batch', ['Content-Type: multipart/mixed; boundary=b', 'Authorization: Bearer token', 'Content-Length: 0'])).header('x-tidegate-reason'), 'overloaded', 'but no batch of its own')
  await until(() => gate.lines('memory is short: new connections are turned away').length > 0, 'the line')
  test.match(gate.lines('memory is short: new connections are turned away'), [{ level: 'warn', of: 'container', limit: 256 * MIB }])

  for (const client of held) client.close()
  await until(async () => !await short(), 'memory to be enough again')
  test.equal((await askOnce(test, gate, 'GET /after')).status, 200)
  test.equal(upstream.seen.filter(({ target }) => target === '/late').length, 0, 'what was turned away did not go up')
  test.strictSame([gate.child.pid, ...await gate.workers()], pids, 'the same processes')
  test.equal(group.killed(), 0)
  await gate.stop()
  test.equal(await gate.ended, 0)
})
