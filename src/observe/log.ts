// The logger: JSON lines, written asynchronously so that no request waits for the sink. Only fields that the recorder
// builds are ever logged; URLs go through redact.ts first.
import fs, { constants, fstatSync, openSync } from 'node:fs'
import { pino, type DestinationStream, type Logger } from 'pino'
import type { Log } from './recorder.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** File descriptor to write to; 1 is standard output. */
  readonly fd: number
  /** Receives the lines in place of `fd`: for people at a terminal. */
  readonly pretty?: DestinationStream | undefined
  /** Called with the number of lines that were lost because the sink is slow, full or gone. */
  readonly onDropped: (lines: number) => void
}

/** pino's logger, and a way for lines that are JSON text already. */
export type LineLogger = Logger & Pick<Log, 'line'>

export interface LogSink {
  readonly log: LineLogger
  /** Writes out what is buffered; for the end of the process. */
  readonly flush: () => void
}

// A pipe takes up to PIPE_BUF bytes in one piece, so that lines of several processes do not mix; a file takes any size so.
const PIPE_BATCH = 4096
const FILE_BATCH = 32768
// What may wait for a slow sink; beyond it lines are dropped and counted.
const BACKLOG = 4 * 1024 * 1024
const FULL_ENOUGH = 0.85
const FLUSH_EVERY_MS = 250
// At the end a reader that takes nothing is waited for so often; sonic-boom pauses for a tenth of a second each time.
const LAST_TRIES = 10

/** Makes the logger of a process. Lines have `level` by name, `time` in ISO 8601, `pid` and `msg`. */
export function createLogger({ level, fd, pretty, onDropped }: LogOptions): LogSink {
  if (pretty !== undefined) return { log: createLoggerOver(level, pretty), flush: () => undefined }
  const sink = openSink(neverBlocking(fd), onDropped)
  return { log: createLoggerOver(level, sink), flush: () => sink.flushSync() }
}

/**
 * Writes whole lines to a file descriptor in the background. `onDropped` is told of each line that was lost, and of each
 * write that failed.
 */
export function openSink(fd: number, onDropped: LogOptions['onDropped']): ReturnType<typeof pino.destination> {
  const batch = isFile(fd) ? FILE_BATCH : PIPE_BATCH
  const last = { tries: Infinity }
  const sink = pino.destination({ fd, sync: false, minLength: batch * FULL_ENOUGH, maxWrite: batch, maxLength: BACKLOG, retryEAGAIN: () => last.tries-- > 0 })
  sink.on('drop', () => onDropped(1))
  // A full disk or a closed pipe must not end the process: what could not be written is dropped, and counted.
  sink.on('error', () => onDropped(1))
  endInTime(sink, last)
  const timer = setInterval(() => sink.flush(), FLUSH_EVERY_MS)
  timer.unref()
  sink.once('close', () => clearInterval(timer))
  return sink
}

/**
 * A write to a pipe that nobody reads would block a thread for ever, and the exit of the process waits for its threads. So
 * the pipe is opened once more, not to block: others who share the one we were given may set that back. What cannot be
 * opened so (another user's pipe, a socket) Node makes a non-blocking one when the supervisor asks for its standard output;
 * workers share it.
 */
function neverBlocking(fd: number): number {
  try {
    if (fstatSync(fd).isFIFO()) return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    // As below.
  }
  if (fd === 1 && !isFile(fd)) void process.stdout
  return fd
}

/**
 * A synchronous flush of sonic-boom tries for ever where writing fails (a full disk) or the reader takes nothing, and pino
 * flushes so at exit: the process could not end. While the last write failed there is nothing to wait for, and where the sink
 * is gone nobody is left to tell.
 */
function endInTime(sink: ReturnType<typeof pino.destination>, last: { tries: number }): void {
  const flushSync = sink.flushSync.bind(sink)
  let failing = false
  sink.on('error', () => (failing = true))
  sink.on('write', () => (failing = false))
  sink.flushSync = () => {
    if (failing) return
    last.tries = LAST_TRIES
    try {
      withLastingFailures(() => (last.tries = 0), flushSync)
    } catch {
      failing = true
    } finally {
      last.tries = Infinity
    }
  }
}

/**
 * sonic-boom also tries for ever where a write fails for good (EPIPE: the reader has gone, as after Ctrl-C on a pipeline), and
 * asks nobody. It looks up fs.writeSync at each write: while it flushes, such a failure is told as one that may pass, and
 * `giveUp` ends the tries.
 */
function withLastingFailures(giveUp: () => void, flush: () => void): void {
  const writeSync = fs.writeSync as (...args: readonly unknown[]) => number
  const told = (...args: readonly unknown[]): number => {
    try {
      return writeSync(...args)
    } catch (error) {
      if (!MAY_PASS.has((error as NodeJS.ErrnoException).code)) giveUp()
      throw Object.assign(new Error('the log takes nothing'), { code: 'EAGAIN' })
    }
  }
  try {
    Object.assign(fs, { writeSync: told })
    flush()
  } finally {
    Object.assign(fs, { writeSync })
  }
}

const MAY_PASS: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EBUSY'])

/** A logger over any stream, for tests and for tools. */
export function createLoggerOver(level: LogLevel, stream: DestinationStream): LineLogger {
  const logger = pino(settings(level), stream)
  return Object.assign(logger, { line: lineWriter(logger, stream) })
}

/** Writes what pino would write, level, time and process before the fields and the message behind them, without reading an object. */
function lineWriter(logger: Logger, stream: DestinationStream): Log['line'] {
  const { pid } = process
  let now = -1
  let front = ''
  return (level, fields, message) => {
    if (!logger.isLevelEnabled(level)) return
    const latest = Date.now()
    if (latest !== now) {
      now = latest
      front = `","time":"${new Date(latest).toISOString()}","pid":${pid},`
    }
    stream.write(`{"level":"${level}${front}${fields},"msg":"${message}"}\n`)
  }
}

function settings(level: LogLevel) {
  return {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // Faults come as plain values; pino's own reading would call each of them an `Object`.
    serializers: { err: (fault: unknown) => fault },
  }
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}
