// The audit log: one line for each refusal in a file of its own, where one is wanted. Every worker appends to the same file,
// whole lines at a time (a write to a file open for appending is one piece, POSIX write), and no request waits for it.
import { openSync } from 'node:fs'
import { createLoggerOver, openSink, type LogSink } from './log.ts'

export interface AuditSink extends LogSink {
  /** Lets go of the file and opens it by its name again: after a rotation. */
  readonly reopen: () => void
  /** Writes out what it holds and lets go of the file. */
  readonly end: () => void
}

/** For its owner, and a group that may read. */
const MODE = 0o640

/**
 * Opens a file to append to. `onDropped` is told of each line that was lost, and of each write or opening that failed: a
 * disk that is full or gone costs lines, never the process. Where it cannot be opened anew it stays with the one it has.
 */
export function openAudit(file: string, onDropped: (lines: number) => void): AuditSink {
  let sink = open(file, onDropped)
  const write = (line: string): void => {
    if (sink === undefined) onDropped(1)
    else sink.write(line)
  }
  const reopen = (): void => {
    const next = open(file, onDropped)
    if (next === undefined) return
    // What it holds goes into the file that was rotated away.
    sink?.end()
    sink = next
  }
  return { log: createLoggerOver('info', { write }), reopen, flush: () => sink?.flushSync(), end: () => sink?.end() }
}

function open(file: string, onDropped: (lines: number) => void): ReturnType<typeof openSink> | undefined {
  try {
    return openSink(openSync(file, 'a', MODE), onDropped)
  } catch {
    onDropped(1)
    return undefined
  }
}
