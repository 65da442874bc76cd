// A gate for a journey: in the test's own process with a clock of the test, or as the program that people run.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { createLoggerOver } from '../../src/observe/log.ts'
import { buildParts, type Parts } from '../../src/process/build.ts'
import { portOf } from '../../src/process/messages.ts'
import { drain, listen, stop } from '../../src/process/traffic.ts'
import { until } from './until.ts'
import { ACCOUNT, DOMAIN, SERVICES, storageHost, upstreamHost, type Realm, type Service } from './realm.ts'

export const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** An upstream as the configuration names it: the port alone is one of our own under the realm's authority. */
export type Far = number | Readonly<Record<string, unknown>>

export interface GateWish {
  /** Services of the one account, each with its upstream. */
  readonly storage?: Partial<Readonly<Record<Service, Far>>>
  /** More accounts, as they stand in a configuration. */
  readonly accounts?: readonly object[]
  /** Keys in `storage.sas` and so on. */
  readonly storageOptions?: Readonly<Record<string, unknown>>
  readonly apis?: readonly object[]
  /** Keys beside the addresses, e.g. `proxyProtocol`. */
  readonly listen?: object
  readonly limits?: object
  readonly drain?: object
  readonly tls?: object
  /** Names in the gate's certificate beside those of the storage services. */
  readonly names?: readonly string[]
  readonly level?: string
  /** Keys in `log` beside the level. */
  readonly log?: object
  readonly tracing?: object
  readonly workers?: number
  /** A program and its arguments that becomes the gateway's process, e.g. with other limits; the real program only. */
  readonly under?: readonly string[]
  /** Of the process that serves; the test's own gate only. */
  readonly clock?: () => number
}

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly reason?: string
  readonly [key: string]: unknown
}

export interface Gate {
  readonly port: number
  readonly plainPort: number
  readonly realm: Realm
  /** Every line so far, as written. */
  readonly text: readonly string[]
  /** Every line so far, read. */
  lines(message?: string): LogLine[]
  /** The `request` lines, as soon as there are that many. */
  requests(count: number): Promise<LogLine[]>
  /** The value of one metric: the sum of all children with these labels. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  stop(): Promise<void>
}

/** An upstream of the test that is reached by a name of its own at a local port. */
export function far(realm: Realm, host: string, port: number): Readonly<Record<string, unknown>> {
  return { url: `https://${host}:${port}`, connect: `127.0.0.1:${port}`, ca: realm.caFile }
}

/** Writes a configuration; returns the file's name. YAML reads JSON. */
export async function writeConfiguration(realm: Realm, wish: GateWish): Promise<string> {
  const own = await realm.certificate('gate', { names: [...SERVICES.flatMap((s) => [storageHost(s), storageHost(s, `${ACCOUNT}-secondary`)]), ...(wish.names ?? [])] })
  const entries = Object.entries(wish.storage ?? {}) as [Service, Far][]
  const services = Object.fromEntries(entries.map(([service, it]) => [service, typeof it === 'number' ? far(realm, upstreamHost(service), it) : it]))
  const account = { name: ACCOUNT, keys: ['key1', 'key2'], ...services }
  const accounts = [...(entries.length > 0 ? [account] : []), ...(wish.accounts ?? [])]
  return realm.write('tidegate.yaml', JSON.stringify({
    listen: { tls: { host: '127.0.0.1', port: 0 }, plain: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 }, ...wish.listen },
    tls: { certificates: [{ cert: own.certFile, key: own.keyFile }], ...wish.tls },
    ...(accounts.length === 0 ? {} : { storage: { domain: DOMAIN, accounts, ...wish.storageOptions } }),
    apis: wish.apis ?? [],
    limits: wish.limits ?? {},
    drain: wish.drain ?? { deadline: '20s' },
    log: { level: wish.level ?? 'trace', ...wish.log },
    ...(wish.tracing === undefined ? {} : { tracing: wish.tracing }),
    ...(wish.workers === undefined ? {} : { workers: wish.workers }),
  }, null, 2))
}

const monotonic = (): number => performance.now()

/** `parts` are its inside, to see that nothing is left; a test drives it by its sockets. */
export interface GateHere extends Gate {
  readonly parts: Parts
}

/** A gate in the test's process. */
export async function startGate(t: Test, realm: Realm, wish: GateWish): Promise<GateHere> {
  const text: string[] = []
  const loaded = await loadConfig(await writeConfiguration(realm, wish), { environment: {}, now: Date.now() })
  const log = createLoggerOver('trace', { write: (line) => void text.push(line.trimEnd()) })
  const parts = await buildParts(loaded, { log, seed: randomBytes(10), ticketKeys: randomBytes(48), wallClock: wish.clock ?? Date.now, monotonic })
  const bound = await listen(parts, loaded.config, { ports: {}, shared: false })
  const halt = (): Promise<void> => drain(parts, 0, monotonic)
  t.teardown(async () => {
    stop(parts)
    await parts.app.close()
  })
  const metric = async (name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> =>
    sumOf((await parts.metrics.registry.getMetricsAsJSON()) as unknown as Family[], name, labels)
  return { port: portOf(bound.tls), plainPort: portOf(bound.plain ?? ':0'), realm, text, parts, metric, stop: halt, ...readingOf(text) }
}

interface Family {
  readonly name: string
  readonly values: readonly { readonly value: number; readonly metricName?: string; readonly labels: Readonly<Record<string, string>> }[]
}

function sumOf(families: readonly Family[], name: string, labels: Readonly<Record<string, string>>): number {
  return families.flatMap((family) => family.values.filter(({ metricName = family.name }) => metricName === name))
    .filter((entry) => Object.entries(labels).every(([key, value]) => entry.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

function readingOf(text: readonly string[]): Pick<Gate, 'lines' | 'requests'> {
  const lines = (message?: string): LogLine[] => text.map((line) => JSON.parse(line) as LogLine).filter(({ msg }) => message === undefined || msg === message)
  const requests = async (count: number): Promise<LogLine[]> => {
    await until(() => lines('request').length >= count, `${count} lines of requests`)
    return lines('request')
  }
  return { lines, requests }
}

export interface GateProcess extends Gate {
  readonly adminPort: number
  /** The supervisor. */
  readonly child: ChildProcess
  /** Its workers' process ids. */
  workers(): Promise<number[]>
  /** Body and status of one of the admin pages. */
  admin(path: string): Promise<{ status: number; type: string; text: string }>
  /** Exit code or signal; resolves when the supervisor has ended and all that it wrote was read. */
  readonly ended: Promise<number | string>
  /** What it wrote to standard error. */
  errors(): string
}

/** The program: `serve --config` with the configuration of the wish; `environment` is added to the test's own. */
export async function serveGate(t: Test, realm: Realm, wish: GateWish, environment: Readonly<Record<string, string>> = {}): Promise<GateProcess> {
  const running = runGate(t, ['serve', '--config', await writeConfiguration(realm, wish)], environment, wish.under)
  const reading = readingOf(running.text)
  await Promise.race([until(() => reading.lines('listening').length > 0, 'the line `listening`'), running.ended.then((how) => {
    throw new Error(`the gate ended with ${how}: ${running.errors()}`)
  })])
  const addresses = reading.lines('listening')[0]?.['addresses'] as { tls: string; plain: string; admin: string }
  const adminPort = portOf(addresses.admin)
  const admin = async (path: string): Promise<{ status: number; type: string; text: string }> => {
    const reply = await fetch(`http://127.0.0.1:${adminPort}${path}`, { headers: { connection: 'close' } })
    return { status: reply.status, type: reply.headers.get('content-type') ?? '', text: await reply.text() }
  }
  const metric = async (name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> => sumOf(parseMetrics((await admin('/metrics')).text), name, labels)
  const halt = async (): Promise<void> => {
    running.child.kill('SIGTERM')
    await running.ended
  }
  return { ...running, ...reading, realm, port: portOf(addresses.tls), plainPort: portOf(addresses.plain), adminPort, admin, metric, stop: halt, workers: () => childrenOf(running.child.pid ?? 0) }
}

/** Reads Prometheus' text format, as far as a test needs it. */
export function parseMetrics(text: string): Family[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    return { name, values: [{ value: Number(value), labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', to = '']) => [key, to])) }] }
  })
}

/** Runs the program with any arguments; ends it and its workers with the test. */
export function runGate(t: Test, args: readonly string[], environment: Readonly<Record<string, string>> = {}, under: readonly string[] = []): { child: ChildProcess; text: string[]; ended: Promise<number | string>; errors(): string } {
  const [program = process.execPath, ...rest] = [...under, process.execPath, MAIN, ...args]
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, ...environment } })
  const text: string[] = []
  const complaints: string[] = []
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => text.push(line))
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => (signal ?? code ?? 'nothing') as number | string)
  t.teardown(async () => {
    // The group holds the workers too.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL')
    await ended
  })
  return { child, text, ended, errors: () => complaints.join('') }
}

async function childrenOf(pid: number): Promise<number[]> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter((part) => part !== '').map(Number)
}
