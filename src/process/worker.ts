// A worker process: carries the traffic, and does what the supervisor says.
import { randomBytes } from 'node:crypto'
import { loadConfig, type Loaded } from '../config/load.ts'
import { createLogger, createLoggerOver, type LogSink } from '../observe/log.ts'
import { prettyFor } from '../observe/pretty.ts'
import type { Cell } from '../observe/family.ts'
import { buildParts, type Parts } from './build.ts'
import { collectEarly } from '../host/collector.ts'
import { measureLoop } from '../host/event-loop.ts'
import { Outlets } from './sinks.ts'
import { watchMemory } from '../host/memory.ts'
import { rehearse } from './rehearsal.ts'
import { drain, listen, stop } from './traffic.ts'
import { keyInFile } from '../sas/delegation-key.ts'
import type { UserDelegationKey } from '../sas/signing-keys.ts'
import type { Counts } from '../admin/totals.ts'
import { WORKER_LOG_FD, handle, type FromWorker, type Handling, type LearnedKey, type ToWorker, type WorkerOrders } from './messages.ts'

const monotonic = (): number => performance.now()
const wallClock = (): number => Date.now()

async function run(orders: WorkerOrders): Promise<void> {
  const dropped: { cell?: Cell } = {}
  const loaded = await loadGiven(orders)
  const { config } = loaded
  const sink = createLogger({ level: config.log.level, fd: WORKER_LOG_FD, pretty: await prettyFor(WORKER_LOG_FD), onDropped: (lines) => countDropped(dropped.cell, lines) })
  const parts = await build(loaded, orders, sink)
  dropped.cell = parts.metrics.logLinesDropped.child()
  const outlets = new Outlets(parts.recorder, wallClock)
  await outlets.take(loaded)
  collectEarly()
  measureLoop(parts.metrics.loopUtilization.child())
  guardMemory(parts)
  const addresses = await listen(parts, config, { ports: orders.ports, shared: orders.workers > 1 })
  if (orders.rehearseFirst) await rehearseQuietly()
  obey(parts, sink, outlets)
  tell({ kind: 'listening', addresses })
}

/** Its lines go nowhere. */
async function rehearseQuietly(): Promise<void> {
  await rehearse({ log: createLoggerOver('info', { write: () => undefined }), wallClock, monotonic })
}

async function build(loaded: Loaded, { workers, ticketKeys, learned }: WorkerOrders, { log }: LogSink): Promise<Parts> {
  const parts = await buildParts(loaded, {
    log, wallClock, monotonic, workers,
    seed: randomBytes(10),
    ticketKeys: Buffer.from(ticketKeys, 'base64'),
    learned: (account, key) => tell({ kind: 'learned', key: asLearned(account, key) }),
  })
  for (const key of learned) remember(parts, key)
  return parts
}

/** New connections are turned away before kernel or V8 ends the process for want of memory. */
function guardMemory({ pressure, metrics, recorder }: Parts): void {
  watchMemory({ pressure, monotonic, changed: (change) => {
    metrics.memoryShort.child().value = pressure.since === undefined ? 0 : 1
    if (change === 'enough') recorder.noted('info', 'memory is enough again')
    else recorder.noted('warn', 'memory is short: new connections are turned away', { ...change })
  } })
}

/** Reads the configuration from what the supervisor checked. */
function loadGiven({ file, contents, checkedAt }: WorkerOrders): Promise<Loaded> {
  const given = new Map(contents)
  return loadConfig(file, {
    environment: process.env,
    now: checkedAt,
    read: (name) => Promise.resolve({ bytes: Buffer.from(given.get(name) ?? '', 'base64'), exposed: false }),
    appendable: () => Promise.resolve(undefined),
  })
}

async function reload(parts: Parts, { log }: LogSink, outlets: Outlets, orders: WorkerOrders): Promise<void> {
  try {
    const loaded = await loadGiven(orders)
    parts.publish(loaded, Buffer.from(orders.ticketKeys, 'base64'))
    await outlets.take(loaded)
    log.level = parts.config.log.level
    tell({ kind: 'reloaded', why: null })
  } catch (error) {
    tell({ kind: 'reloaded', why: error instanceof Error ? error.message : 'unknown' })
  }
}

/** A learned key as it crosses between processes. */
function asLearned(account: string, { key, ...fields }: UserDelegationKey): LearnedKey {
  return { account, fields: { ...fields, value: key.export().toString('base64') } }
}

function remember(parts: Parts, { account, fields }: LearnedKey): void {
  const key = keyInFile(Buffer.from(JSON.stringify(fields)))
  if (typeof key !== 'string') parts.delegation.get(account)?.learn(key, wallClock())
}

function countDropped(cell: Cell | undefined, lines: number): void {
  if (cell !== undefined) cell.value += lines
}

/** The end in its order: traffic, what is still to be told, the process. */
async function end(parts: Parts, { flush }: LogSink, outlets: Outlets): Promise<void> {
  try {
    await drain(parts, parts.config.drain.deadline, monotonic)
  } finally {
    await outlets.close()
    flush()
    process.exit(process.exitCode ?? 0)
  }
}

type Running = Exclude<ToWorker, { kind: 'run' }>

/** From now on does what the supervisor says, and first what it said meanwhile. */
function obey(parts: Parts, sink: LogSink, outlets: Outlets): void {
  let leaving = false
  const leave = (): void => {
    if (leaving) return
    leaving = true
    void end(parts, sink, outlets)
  }
  const handling = handlingOf(parts, sink, outlets, leave)
  process.removeListener('message', takeOrders)
  process.on('message', (message: Running) => handle<Running>(handling, message))
  for (const message of early.splice(0)) handle<Running>(handling, message)
  watchEnds(parts, sink, leave)
}

function handlingOf(parts: Parts, sink: LogSink, outlets: Outlets, leave: () => void): Handling<Running> {
  // One after the other: the answers come in the order of the questions.
  let reloads = Promise.resolve()
  return {
    'drain': leave,
    'rehearse': () => void rehearseQuietly().then(() => tell({ kind: 'rehearsed' })),
    'reopen': () => outlets.reopen(),
    'ticket-keys': ({ keys }) => parts.tickets.take(Buffer.from(keys, 'base64')),
    'learned': ({ key }) => remember(parts, key),
    'reload': ({ orders }) => void (reloads = reloads.then(() => reload(parts, sink, outlets, orders))),
    'metrics': ({ id }) => void countsOf(parts).then((counts) => tell({ kind: 'metrics', id, counts })),
  }
}

async function countsOf({ metrics, recorder: { issuers, offers, refusedBy } }: Parts): Promise<Counts> {
  // prom-client's type knows its own metrics only; what ours give is in family.ts.
  const values = (await metrics.registry.getMetricsAsJSON()) as unknown as Counts['values']
  return { values, issuers: issuers.list(), offers: offers.list(), refusedBy: refusedBy.list() }
}

function watchEnds(parts: Parts, { flush }: LogSink, leave: () => void): void {
  // Ctrl-C reaches the whole group: the supervisor says what happens.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', leave)
  process.on('disconnect', () => {
    stop(parts)
    flush()
    process.exit(1)
  })
  process.on('uncaughtException', (error) => {
    parts.recorder.noted('error', 'uncaught', { err: { type: error.name, message: error.message, stack: error.stack } })
    process.exitCode = 1
    tell({ kind: 'leaving' })
    leave()
  })
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message)
}

function failed(error: unknown): void {
  tell({ kind: 'failed', why: error instanceof Error ? whyOf(error) : 'unknown' })
  process.exitCode = 1
  if (process.connected) process.disconnect?.()
}

/** Our own words stand alone; the system's have their code in front. */
function whyOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code
  return code === undefined && error.name === 'Error' ? error.message : `${code ?? error.name}: ${error.message}`
}

/** What came while the parts were built. */
const early: Running[] = []

function takeOrders(message: ToWorker): void {
  // A drain before there is anything to drain, while the parts are built too: the end at once.
  if (message.kind === 'drain') process.exit(0)
  if (message.kind === 'run') run(message.orders).catch(failed)
  else early.push(message)
}

process.on('message', takeOrders)
