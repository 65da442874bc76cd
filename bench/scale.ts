// How cost and memory grow with what comes: node bench/scale.ts
//     Needs gcc, libssl-dev and openssl; four minutes. Prints a table: what a request costs with more and more connections and
//     with more and more accounts and routes, what a connection holds, what a stream of 10 GiB holds, how often clients resume.
import { setTimeout as pause } from 'node:timers/promises'
import { account, hold, prepare, serve, SNI, told, upstream, type Gate } from './stage.ts'

const SECS = 4
const GIB = 1024
const rows: [string, string][] = []

function note(what: string, value: string): void {
  rows.push([what, value])
  console.error(`${what}: ${value}`)
}

const to = (gate: Gate): string[] => ['--port', gate.port, '--sni', SNI]

/** Processor time of the gate for a small GET, in microseconds: what a long run needs more than a short one, so that opening the connections does not count. */
async function costOfGet(gate: Gate, connections: number): Promise<string> {
  const secs = SECS + connections / 800
  const [short, long] = [await measureGets(gate, connections, secs), await measureGets(gate, connections, 2 * secs)]
  const cost = ((long.cpu - short.cpu) / (long.ok - short.ok)) * 1e6
  const lost = short.errors + long.errors
  return `${cost.toFixed(0)} µs of cpu, p99 ${(long.p99 / 1000).toFixed(1)} ms${lost > 0 ? `, ${lost} LOST` : ''}`
}

async function measureGets(gate: Gate, connections: number, secs: number): Promise<{ cpu: number; ok: number; errors: number; p99: number }> {
  const before = gate.cpu()
  const { ok = 0, errors = 0, p99_us: p99 = 0 } = await told('load', ['get', ...to(gate), '--conns', connections, '--secs', secs])
  return { cpu: gate.cpu() - before, ok, errors, p99 }
}

async function byConnections(): Promise<void> {
  const gate = await serve({ limits: { connections: 20_000, handshakes: 20_000 } })
  await told('load', ['get', ...to(gate), '--conns', 64, '--secs', 6])
  for (const connections of [10, 100, 500, 1000, 10_000]) note(`small GET, ${connections} busy connections`, await costOfGet(gate, connections))
  await gate.stop()
}

async function byRoutes(): Promise<void> {
  for (const count of [1, 10, 100, 1000]) {
    const accounts = [account('benchaccount'), ...Array.from({ length: count - 1 }, (_, i) => account(`account${i}`))]
    const apis = Array.from({ length: count }, (_, i) => ({ name: `api${i}`, host: `api${i % 10}.example`, prefix: `/v${i}`, upstream: upstream() }))
    const gate = await serve({ storage: { domain: 'localhost', accounts }, apis })
    await told('load', ['get', ...to(gate), '--conns', 64, '--secs', 4])
    note(`small GET, ${count} accounts and ${count} APIs`, await costOfGet(gate, 64))
    await gate.stop()
  }
}

async function idle(): Promise<void> {
  const gate = await serve({ limits: { connections: 20_000 } })
  const fresh = gate.memory()
  note('memory fresh', `${fresh.toFixed(0)} MB`)
  const end = await hold(gate, 10_000)
  await pause(2000)
  const held = gate.memory()
  await told('load', ['get', ...to(gate), '--conns', 64, '--secs', 6])
  const beside = await costOfGet(gate, 10)
  const { still_open = 0 } = await end()
  note('10,000 idle connections', `${held.toFixed(0)} MB, ${(((held - fresh) * 1e6) / Math.max(1, still_open) / 1000).toFixed(1)} kB each, ${still_open} open`)
  note('small GET, 10 busy connections beside 10,000 idle ones', beside)
  note('the same without the idle ones', await costOfGet(gate, 10))
  await gate.stop()
}

async function stream(): Promise<void> {
  const gate = await serve({})
  await told('load', ['get', ...to(gate), '--conns', 1, '--secs', 1])
  const before = gate.memory()
  const over = told('load', ['get', ...to(gate), '--conns', 1, '--path', '/bulk', '--count', 1, '--secs', 120])
  let done = false
  void over.then(() => (done = true))
  let most = 0
  while (!done) {
    await pause(250)
    most = Math.max(most, gate.memory())
  }
  const { ok = 0, bytes_in = 0, secs = 1 } = await over
  note('a stream of 10 GiB', `${(most - before).toFixed(0)} MB at most above ${before.toFixed(0)} MB; ${ok} whole, ${(bytes_in / secs / 1e6).toFixed(0)} MB/s`)
  await gate.stop()
}

async function resumption(): Promise<void> {
  const gate = await serve({ workers: 2 })
  for (const version of ['1.3', '1.2']) {
    const { handshakes = 0, resumed = 0 } = await told('load', ['conn', ...to(gate), '--conns', 16, '--secs', 3, '--resume', 1, '--tls', version])
    note(`TLS ${version}, two workers, clients that come back`, `${((100 * resumed) / handshakes).toFixed(1)} % of ${handshakes} handshakes resumed`)
  }
  await gate.stop()
}

prepare(10 * GIB)
for (const part of [idle, byConnections, byRoutes, stream, resumption]) await part()
console.log(['| what | measured |', '|---|--:|', ...rows.map(([what, value]) => `| ${what} | ${value} |`)].join('\n'))
process.exit(0)
