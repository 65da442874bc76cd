// Ten minutes of healthy load with hostile peers beside it (docs/spec/security.md section 5): node bench/soak.ts [--minutes N]
//     Needs gcc, libssl-dev and openssl. Prints a line a minute, and at the end whether what must hold held.
// Healthy: 1,000 small GETs and 200 new connections a second, four uploads of 1 GiB side by side each minute, readers of 300
// bytes a second. Hostile: 500 connections of each stalled kind, which come back whenever they are cut.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const HERE = import.meta.dirname
const SNI = 'benchaccount.blob.localhost'
const UPSTREAM = 18_539
const STALLED = ['silent', 'hello', 'head', 'body', 'noread'] as const
const MINUTE = 60
const given = process.argv.indexOf('--minutes')
const MINUTES = given === -1 ? 10 : Number(process.argv[given + 1])

interface Report { readonly ok?: number; readonly errors?: number; readonly p99_us?: number; readonly opened?: number; readonly cut?: number; readonly longest_s?: number; readonly taken?: number }

const folder = mkdtempSync(join(tmpdir(), 'tidegate-soak-'))
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

function start(program: string, args: readonly (string | number)[]): ChildProcess {
  const child = spawn(program, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

/** Runs a program that says one line of JSON at its end. */
function told(program: string, args: readonly (string | number)[]): Promise<Report> {
  const child = start(join(folder, program), args)
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  return new Promise((resolve) => child.on('close', () => resolve(JSON.parse(text.trim().split('\n').at(-1) || '{}') as Report)))
}

function prepare(): void {
  for (const name of ['load', 'peers', 'storage']) {
    const { status } = spawnSync('gcc', ['-O2', '-o', join(folder, name), join(HERE, 'src', `${name}.c`), '-lssl', '-lcrypto'], { stdio: 'inherit' })
    if (status !== 0) process.exit(2)
  }
  if (spawnSync('bash', [join(HERE, 'make-certs'), join(folder, 'certs')], { stdio: 'inherit' }).status !== 0) process.exit(2)
  writeFileSync(join(folder, 'key'), Buffer.alloc(64, 7).toString('base64'), { mode: 0o600 })
  const certs = join(folder, 'certs')
  writeFileSync(join(folder, 'tidegate.yaml'), JSON.stringify({
    listen: { tls: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } },
    workers: 2,
    tls: { certificates: [{ cert: join(certs, 'proxy.crt'), key: join(certs, 'proxy.key') }] },
    storage: { domain: 'localhost', accounts: [{ name: 'benchaccount', keys: ['key'], blob: { url: `https://storage.test:${UPSTREAM}`, connect: `127.0.0.1:${UPSTREAM}`, ca: join(certs, 'ca.pem') } }] },
  }))
}

/** The gate, its two ports, and an end. */
async function serve(): Promise<{ gate: ChildProcess; port: string; admin: string }> {
  const gate = start(process.execPath, [join(HERE, '..', 'src', 'cli', 'main.ts'), 'serve', '--config', join(folder, 'tidegate.yaml')])
  const addresses = await new Promise<{ tls: string; admin: string }>((resolve, reject) => {
    let text = ''
    gate.on('exit', () => reject(new Error('the gate ended')))
    gate.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text === 'found') return
      text += chunk
      const line = text.split('\n').find((one) => one.includes('"msg":"listening"'))
      if (line === undefined) return
      text = 'found'
      resolve((JSON.parse(line) as { addresses: { tls: string; admin: string } }).addresses)
    })
  })
  return { gate, port: addresses.tls.split(':').at(-1) ?? '', admin: addresses.admin }
}

/** Proportional set size of a process and all below it, in MB. */
function memoryOf(root: number): number {
  const parents = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = readOr(`/proc/${entry}/stat`)
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)])
  }
  const below = (pid: number): number[] => [pid, ...(parents.get(pid) ?? []).flatMap(below)]
  return below(root).reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readOr(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0), 0) / 1000
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

interface Minute { readonly get: Report; readonly connections: Report; readonly uploads: Report; readonly memory: number }

/** One minute of healthy load; memory is the most of twelve looks. */
async function minute(port: string, root: number): Promise<Minute> {
  const common = ['--port', port, '--sni', SNI]
  const looks: number[] = []
  const over = Promise.all([
    told('load', ['get', ...common, '--conns', 50, '--rate', 1000, '--secs', MINUTE]),
    told('load', ['conn', ...common, '--conns', 64, '--rate', 200, '--secs', MINUTE]),
    told('load', ['put', ...common, '--conns', 4, '--body', 2 ** 30, '--count', 4, '--secs', MINUTE]),
  ])
  for (let i = 0; i < 12; i++) {
    await pause((MINUTE * 1000) / 12)
    looks.push(memoryOf(root))
  }
  const [get, connections, uploads] = await over
  return { get, connections, uploads, memory: Math.max(...looks) }
}

function show(i: number, { get, connections, uploads, memory }: Minute): void {
  const p99 = ((get.p99_us ?? 0) / 1000).toFixed(1)
  console.log(`minute ${i + 1}: GETs ${get.ok} lost ${get.errors} p99 ${p99} ms; connections ${connections.ok} lost ${connections.errors}; uploads of 1 GiB ${uploads.ok} lost ${uploads.errors}; memory ${memory.toFixed(0)} MB`)
}

/** What must hold, as sentences with whether it did. */
function verdicts(minutes: readonly Minute[], readers: Report): [string, boolean][] {
  const sum = (pick: (one: Minute) => number | undefined): number => minutes.reduce((total, one) => total + (pick(one) ?? 1), 0)
  const after = minutes.slice(1).map(({ memory }) => memory)
  const [early, late] = [after.slice(0, Math.ceil(after.length / 2)), after.slice(Math.floor(after.length / 2))].map((half) => Math.max(...half))
  return [
    ['no healthy request lost', sum(({ get }) => get.errors) + sum(({ connections }) => connections.errors) + sum(({ uploads }) => uploads.errors) === 0],
    ['no slow reader cut', readers.cut === 0 && (readers.taken ?? 0) > 0],
    [`memory flat after the first minute (${early?.toFixed(0)} MB, then ${late?.toFixed(0)} MB)`, (late ?? Infinity) <= (early ?? 0) * 1.1],
    ['p99 of small requests below 50 ms in every minute', minutes.every(({ get }) => (get.p99_us ?? Infinity) < 50_000)],
  ]
}

async function soak(): Promise<void> {
  mkdirSync(join(folder, 'certs'), { recursive: true })
  prepare()
  start(join(folder, 'storage'), ['--port', UPSTREAM, '--cert', join(folder, 'certs', 'storage.crt'), '--key', join(folder, 'certs', 'storage.key')])
  const { gate, port, admin } = await serve()
  const secs = MINUTES * MINUTE + 5
  const stalled = STALLED.map((kind) => told('peers', [kind, '--port', port, '--sni', SNI, '--conns', 500, '--secs', secs]))
  const readers = told('peers', ['trickle', '--port', port, '--sni', SNI, '--conns', 20, '--bytes', 300, '--secs', secs])
  await pause(2000)
  const minutes: Minute[] = []
  for (let i = 0; i < MINUTES; i++) {
    const one = await minute(port, gate.pid ?? 0)
    show(i, one)
    minutes.push(one)
  }
  for (const report of await Promise.all(stalled)) console.log(`stalled ${JSON.stringify(report)}`)
  const slow = await readers
  console.log(`readers ${JSON.stringify(slow)}`)
  const status = (await (await fetch(`http://${admin}/status`)).json()) as { refusals: unknown }
  console.log(`refusals ${JSON.stringify(status.refusals)}`)
  await pause(5000)
  console.log(`memory when all have gone: ${memoryOf(gate.pid ?? 0).toFixed(0)} MB`)
  gate.kill('SIGTERM')
  const result = verdicts(minutes, slow)
  for (const [what, held] of result) console.log(`${held ? 'held' : 'NOT HELD'}: ${what}`)
  process.exit(result.every(([, held]) => held) ? 0 : 1)
}

await soak()
