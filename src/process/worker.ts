// A worker process: carries the traffic, and does what the supervisor says.
import { randomBytes } from 'node:crypto'
import { loadConfig, type Loaded } from '../config/load.ts'
import { createLogger, type LogSink } from '../observe/log.ts'
import { prettyFor } from '../observe/pretty.ts'
import type { Cell } from '../observe/family.ts'
import { buildParts, type Parts } from './build.ts'
import { collectEarly } from './collector.ts'
import { measureLoop } from './loop.ts'
import { Outlets } from './outlets.ts'
import { watchMemory } from './memory.ts'
import { drain, listen, stop } from './traffic.ts'
import { keyInFile } from '../sas/delegation-key.ts'
import type { UserDelegationKey } from '../sas/signing-keys.ts'
import { WORKER_LOG_FD, type FromWorker, type LearnedKey, type ToWorker, type WorkerOrders } from './messages.ts'

const monotonic = (): number => performance.now()
const wallClock = (): number => Date.now()

async function run(orders: WorkerOrders): Promise<void> {
  const dropped: { cell?: Cell } = {}
  const loaded = await loadGiven(orders)
  const { config } = loaded
  const sink = createLogger({ level: config.log.level, fd: WORKER_LOG_FD, pretty: await prettyFor(WORKER_LOG_FD), onDropped: (lines) => countDropped(dropped.cell, lines) })
  const parts = await buildParts(loaded, {
    log: sink.log,
    seed: randomBytes(10),
    wallClock,
    monotonic,
    workers: orders.workers,
    ticketKeys: Buffer.from(orders.ticketKeys, 'base64'),
    learned: (account, key) => tell({ kind: 'learned', key: asLearned(account, key) }),
  })
  for (const key of orders.learned) remember(parts, key)
  dropped.cell = parts.metrics.logLinesDropped.child()
  const outlets = new Outlets(parts.recorder, wallClock)
  await outlets.take(loaded)
  collectEarly()
  measureLoop(parts.metrics.loopUtilization.child())
  guardMemory(parts)
  const addresses = await listen(parts, config, { ports: orders.ports, shared: orders.workers > 1 })
  obey(parts, sink, outlets)
  tell({ kind: 'listening', addresses })
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

function obey(parts: Parts, sink: LogSink, outlets: Outlets): void {
  const { flush } = sink
  let leaving = false
  const leave = (): void => {
    if (leaving) return
    leaving = true
    void end(parts, sink, outlets)
  }
  process.removeListener('message', takeOrders)
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'drain') leave()
    else if (message.kind === 'ticket-keys') parts.tickets.take(Buffer.from(message.keys, 'base64'))
    else if (message.kind === 'learned') remember(parts, message.key)
    else if (message.kind === 'reload') void reload(parts, sink, outlets, message)
    else if (message.kind === 'reopen') outlets.reopen()
    else if (message.kind === 'metrics') void parts.metrics.registry.getMetricsAsJSON().then((values) => tell({ kind: 'metrics', id: message.id, values: values as never, issuers: parts.recorder.issuers.list(), offers: parts.recorder.offers.list(), refusedBy: parts.recorder.refusedBy.list() }))
  })
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
  tell({ kind: 'failed', why: error instanceof Error ? `${(error as NodeJS.ErrnoException).code ?? error.name}: ${error.message}` : 'unknown' })
  process.exitCode = 1
  if (process.connected) process.disconnect?.()
}

function takeOrders(message: ToWorker): void {
  // A drain before there is anything to drain, while the parts are built too: the end at once.
  if (message.kind === 'drain') process.exit(0)
  if (message.kind === 'run') run(message).catch(failed)
}

process.on('message', takeOrders)
