// `serve` from a loaded configuration to the end of the process: supervisor, admin listener, signals, drain.
import closeWithGrace from 'close-with-grace'
import { availableParallelism } from 'node:os'
import type { Loaded } from '../config/load.ts'
import { createLogger, type LogSink } from '../observe/log.ts'
import { prettyFor } from '../observe/pretty.ts'
import { createStateMetrics } from '../observe/metrics.ts'
import { buildAdmin } from './admin.ts'
import { certificatesOf, EndsToTell } from './certificates.ts'
import { addressText } from './messages.ts'
import { Notifier } from './notify.ts'
import { Readiness } from './readiness.ts'
import { readVersions, recordState, versionWarnings } from './status.ts'
import { Reloader } from './reload.ts'
import { Reports } from './reports.ts'
import { unsealed } from './seal.ts'
import { Supervisor } from './supervisor.ts'

const monotonic = (): number => performance.now()
const CERTIFICATE_CHECK_MS = 1000
/** Over the workers' own deadline, for closing and for the last lines. */
const GRACE_MS = 5000

/** Runs the gateway. Resolves when it listens; the process ends by a signal. Rejects when a listener cannot be bound. */
export async function serve(loaded: Loaded): Promise<void> {
  const { config } = loaded
  const metrics = createStateMetrics()
  const sink = createLogger({ level: config.log.level, fd: 1, pretty: await prettyFor(1), onDropped: (lines) => (metrics.logLinesDropped.child().value += lines) })
  const readiness = new Readiness()
  const versions = readVersions()
  recordState(metrics, loaded, versions, 1)
  metrics.lastReloadSuccessful.child().value = 1
  for (const warning of versionWarnings(versions)) sink.log.warn({ warning }, 'version below the stated minimum')
  for (const why of unsealed()) sink.log.warn({ why }, 'the memory of this process can leave it')
  for (const warning of loaded.warnings) sink.log.warn({ ...warning }, 'configuration')
  const workers = workersOf(config.workers)
  const ends = new EndsToTell()
  const supervisor = new Supervisor({ loaded, workers, log: sink.log, metrics, readiness, checkedAt: Date.now(), monotonic })
  const reloader = new Reloader({
    loaded,
    metrics,
    log: sink.log,
    publish: (next, checkedAt) => supervisor.reload(next, checkedAt),
    taken: (next, generation) => {
      sink.log.level = next.config.log.level
      recordState(metrics, next, versions, generation)
      ends.startOver()
      for (const warning of next.warnings) sink.log.warn({ ...warning }, 'configuration')
    },
  })
  const addresses: Record<string, string> = {}
  const reports = new Reports({ supervisor, reloader, readiness, metrics, versions, addresses, workersWanted: workers, monotonic })
  const admin = buildAdmin({
    readiness,
    reports,
    connection: (change) => {
      metrics.connectionsOpen.child('admin').value += change
      if (change > 0) metrics.connections.child('admin').value++
    },
  })
  const notifier = new Notifier(process.env, sink.log)
  endGracefully({ reloader, supervisor, admin, readiness, sink, notifier })
  process.on('SIGHUP', () => {
    supervisor.reopen()
    void notifier.reloading().then(() => reloader.reload()).then(() => notifier.ready())
  })
  await admin.listen({ host: config.listen.admin.host, port: config.listen.admin.port })
  const bound = await supervisor.start()
  Object.assign(addresses, bound, { admin: addressText(admin.server.address()) })
  readiness.set('listeners', true)
  watchCertificates({ reloader, readiness, ends, log: sink.log })
  reloader.watch()
  reports.watch()
  sink.log.info({ addresses }, 'listening')
  sink.flush()
  void notifier.ready()
  notifier.watch(() => supervisor.answers())
}

/** `auto` is one a core that this process may use. */
function workersOf(workers: number | 'auto'): number {
  return workers === 'auto' ? availableParallelism() : workers
}

interface Watched {
  readonly reloader: Reloader
  readonly readiness: Readiness
  readonly ends: EndsToTell
  readonly log: LogSink['log']
}

/** An expired certificate of ours makes the gateway not ready; it goes on serving with it, and is loud (security.md 5). */
function watchCertificates({ reloader, readiness, ends, log }: Watched): void {
  const look = (): void => {
    const now = Date.now()
    const certificates = certificatesOf(reloader.loaded)
    readiness.set('certificates', certificates.every(({ use, validUntil }) => use !== 'server' || validUntil > now))
    for (const { daysLeft, validUntil, ...it } of ends.due(certificates, now)) {
      const facts = { ...it, validUntil: new Date(validUntil).toISOString(), daysLeft }
      if (daysLeft < 0) log.error(facts, 'a certificate has expired')
      else log.warn(facts, 'a certificate is near its end')
    }
  }
  look()
  setInterval(look, CERTIFICATE_CHECK_MS).unref()
}

interface Ending {
  readonly reloader: Reloader
  readonly supervisor: Supervisor
  readonly admin: { close(): Promise<void> }
  readonly readiness: Readiness
  readonly sink: LogSink
  readonly notifier: Notifier
}

/** The order of the end: readiness off, the announced pause, drain, then the log. A second signal ends at once. */
function endGracefully({ reloader, supervisor, admin, readiness, sink, notifier }: Ending): void {
  process.on('exit', () => supervisor.kill())
  closeWithGrace({ delay: false, skip: ['SIGHUP'], logger: false }, async ({ signal, err }) => {
    // Read now: a reload may have changed them.
    const { announce, deadline } = reloader.loaded.config.drain
    setTimeout(() => process.exit(1), announce + deadline + GRACE_MS).unref()
    readiness.startDraining()
    void notifier.stopping()
    if (err !== undefined) sink.log.error({ err: { type: err.name, message: err.message, stack: err.stack } }, 'uncaught')
    sink.log.info({ signal, announceMs: announce, deadlineMs: deadline }, 'draining')
    sink.flush()
    await new Promise((resolve) => setTimeout(resolve, announce))
    await supervisor.drain()
    await admin.close()
    sink.log.info({}, 'stopped')
    sink.flush()
  })
}
