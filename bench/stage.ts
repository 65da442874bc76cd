// What soak and scale stand on: generator, peers and upstream compiled, certificates made, a gate started, its use of the
// machine read from /proc. Everything is gone at the end of the process.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const HERE = import.meta.dirname
const UPSTREAM = 18_539
/** The name that generator and peers ask for. */
export const SNI = 'benchaccount.blob.localhost'

/** What the programs in src/ say at their end. */
export interface Report {
  readonly ok?: number
  readonly errors?: number
  readonly secs?: number
  readonly p99_us?: number
  readonly bytes_in?: number
  readonly handshakes?: number
  readonly resumed?: number
  readonly opened?: number
  readonly still_open?: number
  readonly cut?: number
  readonly longest_s?: number
  readonly taken?: number
}

export interface Gate {
  readonly port: string
  readonly admin: string
  /** The lines of its log so far that `wanted` picks. */
  log(wanted: (line: string) => boolean): string[]
  /** Proportional set size of supervisor and workers, in MB. */
  memory(): number
  /** User and system time of supervisor and workers so far, in seconds. */
  cpu(): number
  stop(): Promise<void>
}

const folder = mkdtempSync(join(tmpdir(), 'tidegate-bench-'))
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

function start(program: string, args: readonly (string | number)[]): ChildProcess {
  const child = spawn(program, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

/** Runs load or peers. Returns what it says at its end. */
export function told(program: 'load' | 'peers', args: readonly (string | number)[]): Promise<Report> {
  const child = start(join(folder, program), args)
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  return new Promise((resolve) => child.on('close', () => resolve(JSON.parse(text.trim().split('\n').at(-1) || '{}') as Report)))
}

/** Opens idle connections. Gives, when all are there, a function that ends them and says how many were still open. */
export function hold(gate: Gate, count: number): Promise<() => Promise<Report>> {
  const child = start(join(folder, 'load'), ['idle', '--port', gate.port, '--sni', SNI, '--conns', count, '--secs', 120])
  let text = ''
  const over = new Promise<Report>((resolve) => child.on('close', () => resolve(JSON.parse(text.trim().split('\n').at(-1) || '{}') as Report)))
  return new Promise((resolve) => child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (text.includes('ready')) resolve(() => (child.stdin?.end(), over))
  }))
}

/** Compiles, makes certificates and starts the upstream with replies of `bulkMib` MiB under /bulk. Ends the process where a program is missing. */
export function prepare(bulkMib: number): void {
  for (const name of ['load', 'peers', 'storage']) {
    const { status } = spawnSync('gcc', ['-O2', '-o', join(folder, name), join(HERE, 'src', `${name}.c`), '-lssl', '-lcrypto'], { stdio: 'inherit' })
    if (status !== 0) process.exit(2)
  }
  mkdirSync(join(folder, 'certs'))
  if (spawnSync('bash', [join(HERE, 'make-certs'), join(folder, 'certs')], { stdio: 'inherit' }).status !== 0) process.exit(2)
  writeFileSync(join(folder, 'key'), Buffer.alloc(64, 7).toString('base64'), { mode: 0o600 })
  start(join(folder, 'storage'), ['--port', UPSTREAM, '--cert', join(folder, 'certs', 'storage.crt'), '--key', join(folder, 'certs', 'storage.key'), '--bulk-mib', bulkMib])
}

/** An account of a configuration, answered by the one upstream. */
export function account(name: string): object {
  return { name, keys: ['key'], blob: upstream() }
}

/** The one upstream as an entry of a configuration. */
export function upstream(): object {
  return { url: `https://storage.test:${UPSTREAM}`, connect: `127.0.0.1:${UPSTREAM}`, ca: join(folder, 'certs', 'ca.pem') }
}

/** Starts a gate with a configuration of one account and what `more` adds or replaces. */
export async function serve(more: object): Promise<Gate> {
  const file = join(folder, 'tidegate.yaml')
  const certs = join(folder, 'certs')
  writeFileSync(file, JSON.stringify({
    listen: { tls: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } },
    tls: { certificates: [{ cert: join(certs, 'proxy.crt'), key: join(certs, 'proxy.key') }] },
    storage: { domain: 'localhost', accounts: [account('benchaccount')] },
    ...more,
  }))
  const child = start(process.execPath, [join(HERE, '..', 'src', 'cli', 'main.ts'), 'serve', '--config', file])
  const pid = child.pid ?? 0
  const log = join(folder, 'log')
  child.stdout?.pipe(createWriteStream(log))
  const { tls, admin } = await listening(child)
  return {
    port: tls.split(':').at(-1) ?? '',
    admin,
    log: (wanted) => readOr(log).split('\n').filter(wanted),
    memory: () => below(pid).reduce((sum, one) => sum + Number(/^Pss:\s+(\d+)/m.exec(readOr(`/proc/${one}/smaps_rollup`))?.[1] ?? 0), 0) / 1000,
    cpu: () => below(pid).reduce((sum, one) => sum + ticks(one), 0) / 100,
    stop: async () => {
      const over = new Promise((resolve) => child.on('exit', resolve))
      child.kill('SIGTERM')
      await over
    },
  }
}

function listening(child: ChildProcess): Promise<{ tls: string; admin: string }> {
  return new Promise((resolve, reject) => {
    let text: string | undefined = ''
    child.on('exit', () => reject(new Error('the gate ended')))
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text === undefined) return
      text += chunk
      const line = text.split('\n').find((one) => one.includes('"msg":"listening"'))
      if (line === undefined) return
      text = undefined
      resolve((JSON.parse(line) as { addresses: { tls: string; admin: string } }).addresses)
    })
  })
}

/** A process and all below it. */
function below(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = Number(fieldsOf(Number(entry))[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const tree = (pid: number): number[] => [pid, ...(children.get(pid) ?? []).flatMap(tree)]
  return tree(root)
}

const ticks = (pid: number): number => Number(fieldsOf(pid)[11] ?? 0) + Number(fieldsOf(pid)[12] ?? 0)

/** The fields of /proc/PID/stat after the name. */
function fieldsOf(pid: number): string[] {
  const stat = readOr(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
