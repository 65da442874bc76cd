// File descriptors used up: what does not fit is turned away, with its reason where the gate knows its limit and by the kernel
// where not; who is inside stays served, nothing spins, no worker ends, and with room all is well again.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { serveGate, type GateProcess } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { askOnce, dial, dialPlain, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

t.setTimeout(90_000)
const skip = spawnSync('prlimit', ['--version']).status === 0 ? false : 'prlimit is missing'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)

const allow = (pid: number, count: number): void => void execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:${count}`])
const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
/** Hundredths of a second that a process has worked. */
const worked = (pid: number): number => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ').slice(11, 13).map(Number).reduce((a, b) => a + b) ?? Number.NaN

async function workerOf(gate: GateProcess): Promise<number> {
  const [pid = 0] = await gate.workers()
  return pid
}

/** Opens connections until more than `room` were tried; returns them when some have been turned away. */
async function crowd(test: Test, gate: GateProcess): Promise<Client[]> {
  const clients: Client[] = []
  for (let i = 0; i < 100; i++) clients.push(await dialPlain(test, gate.port))
  await until(() => clients.some(({ ending }) => ending !== undefined), 'some to be turned away')
  return clients
}

async function staysWell(test: Test, gate: GateProcess, healthy: Client, clients: readonly Client[]): Promise<void> {
  const pid = await workerOf(gate)
  test.equal((await healthy.ask('GET /inside')).status, 200, 'who is inside is served')
  const before = worked(pid)
  await pause(1000)
  test.ok(worked(pid) - before < 50, 'nothing spins')
  test.ok(clients.some(({ ending }) => ending === undefined), 'as many as fit stay')
  for (const client of clients) client.close()
  await until(async () => await gate.metric('tidegate_connections_open', { listener: 'tls' }) <= 1, 'room')
  test.equal((await askOnce(test, gate, 'GET /after')).status, 200, 'there is room again')
  test.equal(await workerOf(gate), pid, 'the worker is the same')
  test.equal(await gate.metric('tidegate_worker_restarts_total'), gate.lines().filter(({ msg }) => msg.includes('worker ended')).length, 'and did not end')
}

void t.test('a limit that the gate knows: refused, counted, and logged', { skip }, async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port } })
  const first = await workerOf(gate)
  // The next worker begins with what its supervisor may have.
  allow(gate.child.pid ?? 0, 100)
  process.kill(first, 'SIGKILL')
  await until(async () => ![0, first].includes(await workerOf(gate)) && await gate.metric('tidegate_workers') === 1, 'another worker')
  await until(async () => await dial(test, gate).then(() => true, () => false), 'it to listen')
  const healthy = await dial(test, gate)
  test.equal((await healthy.ask('GET /inside')).status, 200)
  const clients = await crowd(test, gate)
  await until(async () => await gate.metric('tidegate_refusals_total', { reason: 'too-many-connections' }) > 50, 'the count')
  test.ok(gate.lines('refused').some(({ reason }) => reason === 'too-many-connections'))
  await staysWell(test, gate, healthy, clients)
})

void t.test('a limit that came later: the kernel runs out, and nothing ends', { skip }, async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port } })
  const pid = await workerOf(gate)
  const healthy = await dial(test, gate)
  test.equal((await healthy.ask('GET /inside')).status, 200)
  allow(pid, openFiles(pid) + 10)
  const clients = await crowd(test, gate)
  await staysWell(test, gate, healthy, clients)
})
