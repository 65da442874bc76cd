// The supervisor: checks the configuration, starts the worker that carries the traffic, starts it again when it dies,
// sums its numbers, and serves the admin listener. It never touches traffic.
import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { Loaded } from '../config/load.ts'
import type { StateMetrics } from '../observe/metrics.ts'
import type { Log } from '../observe/recorder.ts'
import { workerFlags } from '../host/collector.ts'
import { COMPILE_CACHE } from '../host/compile-cache.ts'
import { handle, portOf, type Bound, type FromWorker, type LearnedKey, type ToWorker, type WorkerOrders } from './messages.ts'
import type { WorkerState } from '../admin/running.ts'
import { Pauses } from './restart-delays.ts'
import { Questions } from './questions.ts'
import { RehearsalQueue } from './rehearsal-queue.ts'
import type { Readiness } from '../admin/readiness.ts'
import { SEAL_FLAGS } from '../host/seal.ts'
import { Tickets } from './tickets.ts'
import { Totals } from '../admin/totals.ts'

export interface SupervisorOptions {
  readonly loaded: Loaded
  readonly workers: number
  readonly log: Log
  readonly metrics: StateMetrics
  readonly readiness: Readiness
  /** When the configuration was checked, ms since the epoch. */
  readonly checkedAt: number
  readonly monotonic: () => number
}

/** A worker that does not answer in this time is shown with its last numbers. */
const METRICS_TIMEOUT_MS = 1000
const RELOAD_TIMEOUT_MS = 10_000
/** User delegation keys that are passed on to new workers. */
const LEARNED_LIMIT = 1000

export class Supervisor {
  readonly totals = new Totals()
  readonly #options: SupervisorOptions
  /** The configuration in force, and when it was checked: ms since the epoch. */
  #loaded: Loaded
  #checkedAt: number
  /** With when each was started, ms since the epoch. */
  readonly #workers = new Map<Worker, number>()
  /** Those of them that have their orders: from then on they must be told what changes, while they start too. */
  readonly #ordered = new Set<Worker>()
  /** Those of them that listen. */
  readonly #serving = new Set<Worker>()
  /** What kept a worker from taking a configuration up; null where it did, or is no more. */
  readonly #reloads = new Questions<Worker, string | null>()
  /** True if a worker answered. */
  readonly #looks = new Questions<number, boolean>()
  /** Workers that end by themselves and have been replaced. */
  readonly #replaced = new Set<Worker>()
  readonly #rehearsals = new RehearsalQueue<Worker>((worker) => send(worker, { kind: 'rehearse' }))
  readonly #tickets: Tickets
  /** By account and texts; the oldest goes first beyond the limit. */
  readonly #learned = new Map<string, LearnedKey>()
  #bound: Bound | undefined
  readonly #pauses = new Pauses()
  #startedAt = 0
  #leaving = false
  #question = 0

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#loaded = options.loaded
    this.#checkedAt = options.checkedAt
    this.#tickets = new Tickets(options.loaded, (keys) => {
      for (const worker of this.#ordered) send(worker, { kind: 'ticket-keys', keys: keys.toString('base64') })
    })
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('worker.ts', import.meta.url)),
      args: [],
      // No input; what a library prints is no line of the log; Node's last words come through us: see WORKER_LOG_FD.
      stdio: ['ignore', 'ignore', 'pipe', 1, 'ipc'],
      execArgv: [...process.execArgv, ...workerFlags(process.constrainedMemory(), options.workers), ...SEAL_FLAGS],
    })
  }

  /** Where the workers listen; undefined before the first one does. */
  get bound(): Bound | undefined {
    return this.#bound
  }

  /** Every worker process, those that start or end too. */
  get workers(): WorkerState[] {
    return [...this.#workers].map(([worker, startedAt]) => ({ pid: worker.process.pid ?? 0, startedAt, listening: this.#serving.has(worker) }))
  }

  /** Starts the workers. Resolves when each listens; rejects with what the first one that could not start said. */
  async start(): Promise<Bound> {
    const first = await this.#fork()
    await Promise.all(Array.from({ length: this.#options.workers - 1 }, () => this.#fork()))
    return first
  }

  /**
   * Hands another configuration to all workers, and to those that will come. Resolves with what kept one from taking it
   * up, undefined where all did; then the old one is in force everywhere.
   */
  async reload(next: Loaded, checkedAt: number): Promise<string | undefined> {
    const before = { loaded: this.#loaded, checkedAt: this.#checkedAt }
    this.#take(next, checkedAt)
    const [why] = (await this.#publish()).filter((answer) => answer !== null)
    if (why === undefined) return undefined
    this.#take(before.loaded, before.checkedAt)
    await this.#publish()
    return why
  }

  /** Has the workers open their audit log by its name again. */
  reopen(): void {
    for (const worker of this.#ordered) send(worker, { kind: 'reopen' })
  }

  #take(loaded: Loaded, checkedAt: number): void {
    this.#loaded = loaded
    this.#checkedAt = checkedAt
    this.#tickets.take(loaded)
  }

  #publish(): Promise<(string | null)[]> {
    const order: ToWorker = { kind: 'reload', orders: this.#orders() }
    return Promise.all([...this.#ordered].map((worker) => this.#reloads.ask(worker, () => send(worker, order), RELOAD_TIMEOUT_MS, 'a worker did not answer')))
  }

  /** Passes a drain on. Resolves when every worker has ended. */
  async drain(): Promise<void> {
    this.#leaving = true
    for (const worker of this.#workers.keys()) send(worker, { kind: 'drain' })
    while (this.#workers.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** Ends the workers at once. */
  kill(): void {
    this.#leaving = true
    for (const worker of this.#workers.keys()) worker.process.kill('SIGKILL')
  }

  /** Asks every worker for its numbers. Resolves when all have answered or their time is over. */
  async collect(): Promise<void> {
    await Promise.all([...this.#serving].map((worker) => this.#ask(worker)))
  }

  /** Returns whether there are workers and each answers in its time; while ending, always. */
  async answers(): Promise<boolean> {
    const all = await Promise.all([...this.#serving].map((worker) => this.#ask(worker)))
    return this.#leaving || (all.length > 0 && all.every((answered) => answered))
  }

  #ask(worker: Worker): Promise<boolean> {
    const id = ++this.#question
    return this.#looks.ask(id, () => send(worker, { kind: 'metrics', id }), METRICS_TIMEOUT_MS, false)
  }

  #fork(): Promise<Bound> {
    const worker = cluster.fork({ NODE_COMPILE_CACHE: COMPILE_CACHE })
    worker.process.stderr?.on('data', (words: Buffer) => process.stderr.write(words))
    worker.on('online', () => this.#order(worker))
    this.#workers.set(worker, Date.now())
    this.#startedAt = this.#options.monotonic()
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => handle<FromWorker>({
        listening: ({ addresses }) => resolve(this.#listening(worker, addresses)),
        failed: ({ why }) => reject(new Error(why)),
        leaving: () => this.#replace(worker),
        learned: ({ key }) => this.#share(key),
        reloaded: ({ why }) => this.#reloads.answer(worker, why),
        metrics: (answer) => this.#answered(worker, answer),
        rehearsed: () => this.#rehearsals.remove(worker),
      }, message))
      worker.on('exit', (code, signal) => {
        // Whoever asked for the end is told by that, not by a fault.
        if (!this.#leaving) reject(new Error(`a worker ended with ${signal ?? code}`))
        this.#ended(worker, code, signal)
      })
    })
  }

  #order(worker: Worker): void {
    this.#ordered.add(worker)
    send(worker, { kind: 'run', orders: this.#orders() })
  }

  #orders(): WorkerOrders {
    const { workers } = this.#options
    const loaded = this.#loaded
    const bound = this.#bound
    const ports = bound === undefined ? {} : { tls: portOf(bound.tls), ...(bound.plain === undefined ? {} : { plain: portOf(bound.plain) }) }
    const contents = [...loaded.contents].map(([name, { bytes }]) => [name, bytes.toString('base64')] as const)
    const ticketKeys = this.#tickets.current.toString('base64')
    return { file: loaded.file, contents, checkedAt: this.#checkedAt, ports, workers, ticketKeys, learned: [...this.#learned.values()], rehearseFirst: bound === undefined }
  }

  /** What one worker learned, the others and those to come know too; itself as well, since a reload may have come meanwhile. */
  #share(key: LearnedKey): void {
    const { value: _, ...texts } = key.fields
    this.#learned.set(`${key.account} ${JSON.stringify(texts)}`, key)
    const [oldest] = this.#learned.keys()
    if (this.#learned.size > LEARNED_LIMIT && oldest !== undefined) this.#learned.delete(oldest)
    for (const worker of this.#ordered) send(worker, { kind: 'learned', key })
  }

  #listening(worker: Worker, addresses: Bound): Bound {
    if (this.#bound !== undefined) this.#rehearsals.add(worker)
    this.#bound ??= addresses
    this.#serving.add(worker)
    this.#count()
    return this.#bound
  }

  #answered(worker: Worker, { id, counts }: Extract<FromWorker, { kind: 'metrics' }>): void {
    // A last message may come after the end of its sender, whose numbers are in the sum by then.
    if (this.#workers.has(worker)) this.totals.update(worker.id, counts)
    this.#looks.answer(id, true)
  }

  #ended(worker: Worker, code: number | null, signal: string | null): void {
    for (const group of [this.#workers, this.#ordered, this.#serving]) group.delete(worker)
    // Its successor starts with the configuration that is in force by then.
    this.#reloads.answer(worker, null)
    this.#rehearsals.remove(worker)
    this.totals.retire(worker.id)
    this.#count()
    // Before the first one listened, start() tells its caller.
    if (this.#leaving || this.#bound === undefined) return
    if (!this.#replaced.delete(worker)) this.#restartAfter(code, signal)
  }

  /** A worker drains after a fault of its own: its place is taken at once. */
  #replace(worker: Worker): void {
    if (this.#leaving || this.#replaced.has(worker)) return
    this.#replaced.add(worker)
    this.#restartAfter(null, null)
  }

  #restartAfter(code: number | null, signal: string | null): void {
    this.#options.metrics.workerRestarts.child().value++
    const pause = this.#pauses.after(this.#options.monotonic() - this.#startedAt)
    this.#options.log.error({ code, signal, restartInMs: pause }, 'a worker ended')
    setTimeout(() => this.#restart(), pause)
  }

  #restart(): void {
    if (this.#leaving) return
    this.#fork().catch((error: unknown) => this.#options.log.error({ why: error instanceof Error ? error.message : 'unknown' }, 'a worker could not start'))
  }

  #count(): void {
    const { metrics, readiness } = this.#options
    metrics.workers.child().value = this.#serving.size
    readiness.set('workers', this.#serving.size > 0)
  }
}

function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message)
}
