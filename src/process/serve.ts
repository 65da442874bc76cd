// `serve` from a loaded configuration to the end of the process: supervisor, admin listener, signals, drain.
import closeWithGrace from 'close-with-grace'
import { availableParallelism } from 'node:os'
import type { Loaded } from '../config/load.ts'
import { createLogger, type LogSink } from '../observe/log.ts'
import { prettyFor } from '../observe/pretty.ts'
import { createStateMetrics, type StateMetrics } from '../observe/metrics.ts'
import { describeError, type Log } from '../observe/recorder.ts'
import { buildAdmin } from '../admin/listener.ts'
import { certificatesOf, EndsToTell } from '../admin/certificates.ts'
import { bindFault } from './bind-fault.ts'
import { addressText } from './messages.ts'
import { Notifier } from '../host/systemd.ts'
import { Readiness } from '../admin/readiness.ts'
import { readVersions, recordState, versionWarnings, type Versions } from '../admin/status.ts'
import { Reloader } from './reload.ts'
import { Reports } from '../admin/reports.ts'
import { unsealed } from '../host/seal.ts'
import { Supervisor } from './supervisor.ts'

const monotonic = (): number => performance.now()
const CERTIFICATE_CHECK_MS = 1000
/** Over the workers' own deadline, for closing and for the last lines. */
const GRACE_MS = 5000

/** What runs in the supervisor. */
interface Running {
  readonly sink: LogSink
  readonly metrics: StateMetrics
  readonly readiness: Readiness
  readonly versions: Versions
  readonly ends: EndsToTell
  readonly supervisor: Supervisor
  readonly reloader: Reloader
  readonly notifier: Notifier
}

/** Runs the gateway. Resolves when it listens; the process ends by a signal. Rejects when a listener cannot be bound. */
export async function serve(loaded: Loaded): Promise<void> {
  const { log: { level }, listen, workers } = loaded.config
  const metrics = createStateMetrics()
  const sink = createLogger({ level, fd: 1, pretty: await prettyFor(1), onDropped: (lines) => (metrics.logLinesDropped.child().value += lines) })
  const workersWanted = workersOf(workers)
  const running = assemble(loaded, metrics, sink, workersWanted)
  tellAtStart(running, loaded)
  const addresses: Record<string, string> = {}
  const reports = new Reports({ ...running, addresses, workersWanted, monotonic })
  const admin = openAdmin(running, reports, listen.admin.hosts)
  endGracefully(running, admin)
  reloadAtHangup(running)
  await admin.listen({ host: listen.admin.host, port: listen.admin.port }).catch((error: unknown) => Promise.reject(bindFault(error, 'listen.admin', listen.admin.host, listen.admin.port)))
  Object.assign(addresses, await running.supervisor.start(), { admin: addressText(admin.server.address()) })
  running.readiness.set('listeners', true)
  watch(running, reports)
  tellAddresses(sink, addresses)
  signsOfLife(running)
}

function assemble(loaded: Loaded, metrics: StateMetrics, sink: LogSink, workers: number): Running {
  const { log } = sink
  const readiness = new Readiness()
  const versions = readVersions()
  const ends = new EndsToTell()
  const supervisor = new Supervisor({ loaded, workers, log, metrics, readiness, checkedAt: Date.now(), monotonic })
  const taken = (next: Loaded, generation: number): void => {
    log.level = next.config.log.level
    recordState(metrics, next, versions, generation)
    ends.startOver()
    tellWarnings(next, log)
  }
  const reloader = new Reloader({ loaded, metrics, log, publish: (next, checkedAt) => supervisor.reload(next, checkedAt), taken })
  return { sink, metrics, readiness, versions, ends, supervisor, reloader, notifier: new Notifier(process.env, log) }
}

function tellAtStart({ metrics, versions, sink: { log } }: Running, loaded: Loaded): void {
  recordState(metrics, loaded, versions, 1)
  metrics.lastReloadSuccessful.child().value = 1
  for (const warning of versionWarnings(versions)) log.warn({ warning }, 'version below the stated minimum')
  for (const why of unsealed()) log.warn({ why }, 'the memory of this process can leave it')
  tellWarnings(loaded, log)
}

function tellWarnings({ warnings }: Loaded, log: Log): void {
  for (const warning of warnings) log.warn({ ...warning }, 'configuration')
}

function openAdmin(running: Running, reports: Reports, hosts: readonly string[]): ReturnType<typeof buildAdmin> {
  const { readiness, metrics, sink } = running
  return buildAdmin({
    hosts,
    readiness,
    reports,
    connection: (change) => {
      metrics.connectionsOpen.child('admin').value += change
      if (change > 0) metrics.connections.child('admin').value++
    },
    broken: (error) => sink.log.error({ err: describeError(error) }, 'unexpected'),
  })
}

function reloadAtHangup({ supervisor, notifier, reloader }: Running): void {
  process.on('SIGHUP', () => {
    supervisor.reopen()
    void notifier.reloading().then(() => reloader.reload()).then(() => notifier.ready())
  })
}

/** Scripts wait for this line and learn the ports from it (contract section 2): it is written whatever the level is. */
function tellAddresses({ log, flush }: LogSink, addresses: object): void {
  log.child({}, { level: 'info' }).info({ addresses }, 'listening')
  flush()
}

function signsOfLife({ notifier, supervisor }: Running): void {
  void notifier.ready()
  notifier.watch(() => supervisor.answers())
}

function watch(running: Running, reports: Reports): void {
  watchCertificates(running)
  running.reloader.watch()
  reports.watch()
}

/** `auto` is one a core that this process may use. */
function workersOf(workers: number | 'auto'): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** An expired certificate of ours makes the gateway not ready; it goes on serving with it, and is loud (security.md 5). */
function watchCertificates({ reloader, readiness, ends, sink: { log } }: Running): void {
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

/** The order of the end: readiness off, the announced pause, drain, then the log. A second signal ends at once. */
function endGracefully({ reloader, supervisor, readiness, sink, notifier }: Running, admin: { close(): Promise<void> }): void {
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
