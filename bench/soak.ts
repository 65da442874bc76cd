// Ten minutes of healthy load with hostile peers beside it (docs/spec/security.md section 5): node bench/soak.ts [--minutes N]
//     Needs gcc, libssl-dev and openssl. Prints a line a minute, and at the end whether what must hold held.
// Healthy: 1,000 small GETs and 200 new connections a second, four uploads of 1 GiB side by side each minute, readers of 300
// bytes a second. Hostile: 500 connections of each stalled kind, which come back whenever they are cut.
import { setTimeout as pause } from 'node:timers/promises'
import { prepare, serve, SNI, told, type Gate, type Report } from './stage.ts'

const STALLED = ['silent', 'hello', 'head', 'body', 'noread'] as const
const MINUTE = 60
const LOOKS = 12
const given = process.argv.indexOf('--minutes')
const MINUTES = given === -1 ? 10 : Number(process.argv[given + 1])

interface Minute {
  readonly get: Report
  readonly connections: Report
  readonly uploads: Report
  /** MB, the most that was seen. */
  readonly memory: number
}

/** One minute of healthy load. */
async function minute(gate: Gate): Promise<Minute> {
  const common = ['--port', gate.port, '--sni', SNI]
  const over = Promise.all([
    told('load', ['get', ...common, '--conns', 50, '--rate', 1000, '--secs', MINUTE]),
    told('load', ['conn', ...common, '--conns', 64, '--rate', 200, '--secs', MINUTE]),
    told('load', ['put', ...common, '--conns', 4, '--body', 2 ** 30, '--count', 4, '--secs', MINUTE]),
  ])
  let memory = 0
  for (let i = 0; i < LOOKS; i++) {
    await pause((MINUTE * 1000) / LOOKS)
    memory = Math.max(memory, gate.memory())
  }
  const [get, connections, uploads] = await over
  return { get, connections, uploads, memory }
}

function show(i: number, { get, connections, uploads, memory }: Minute): void {
  const p99 = ((get.p99_us ?? 0) / 1000).toFixed(1)
  console.log(`minute ${i + 1}: GETs ${get.ok} lost ${get.errors} p99 ${p99} ms; connections ${connections.ok} lost ${connections.errors}; uploads of 1 GiB ${uploads.ok} lost ${uploads.errors}; memory ${memory.toFixed(0)} MB`)
}

/** What must hold, as sentences with whether it did. */
function verdicts(minutes: readonly Minute[]): [string, boolean][] {
  const lost = minutes.flatMap(({ get, connections, uploads }) => [get, connections, uploads]).reduce((sum, { errors }) => sum + (errors ?? 1), 0)
  const after = minutes.slice(1).map(({ memory }) => memory)
  const [early = 0, late = 0] = [after.slice(0, Math.ceil(after.length / 2)), after.slice(Math.floor(after.length / 2))].map((half) => Math.max(0, ...half))
  return [
    ['no healthy request lost', lost === 0],
    [`memory flat after the first minute (${early.toFixed(0)} MB at most in the first half, then ${late.toFixed(0)} MB)`, late <= early * 1.1],
    ['p99 of small requests below 50 ms in every minute', minutes.every(({ get }) => (get.p99_us ?? Infinity) < 50_000)],
  ]
}

async function soak(): Promise<void> {
  prepare(64)
  const gate = await serve({ workers: 2 })
  const secs = MINUTES * MINUTE + 5
  const stalled = STALLED.map((kind) => told('peers', [kind, '--port', gate.port, '--sni', SNI, '--conns', 500, '--secs', secs]))
  const readers = told('peers', ['trickle', '--port', gate.port, '--sni', SNI, '--conns', 20, '--bytes', 300, '--secs', secs])
  await pause(2000)
  const minutes: Minute[] = []
  for (let i = 0; i < MINUTES; i++) {
    const one = await minute(gate)
    show(i, one)
    minutes.push(one)
  }
  for (const report of await Promise.all([...stalled, readers])) console.log(JSON.stringify(report))
  const status = (await (await fetch(`http://${gate.admin}/status`)).json()) as { refusals: unknown }
  console.log(`refusals ${JSON.stringify(status.refusals)}`)
  const odd = gate.log((line) => /"reason":"(?:http-malformed|unexpected|overloaded|upstream-[a-z]+)"|"level":"(?:warn|error|fatal)"/.test(line))
  for (const line of odd.slice(0, 20)) console.log(line)
  await pause(10_000)
  console.log(`memory when all have gone: ${gate.memory().toFixed(0)} MB`)
  await gate.stop()
  const result = verdicts(minutes)
  for (const [what, held] of result) console.log(`${held ? 'held' : 'NOT HELD'}: ${what}`)
  process.exit(result.every(([, held]) => held) ? 0 : 1)
}

await soak()
