// The lock of an authority's folder. Node has no flock, so the lock is a file that only one process can link into place; it
// says who holds it, and the next command replaces the lock of a process that was killed.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { OfficeFault } from './fault.ts'

/** Contract 10.6. */
const PATIENCE_MS = 5000
const RETRY_MS = 50

interface Holder {
  readonly nonce: string
  readonly host: string
  /** Of the machine's start: process ids are given anew after it. */
  readonly boot: string
  readonly pid: number
  /** When the process was started, in the kernel's ticks: ids of ended processes are given again. */
  readonly started: string
}

/** Waits for the lock, 5 s at most. Returns what lets it go. Throws an OfficeFault that names the holder. */
export async function takeLock(path: string): Promise<() => void> {
  const own: Holder = { nonce: randomBytes(8).toString('hex'), host: hostname(), boot: bootId(), pid: process.pid, started: startOf(process.pid) ?? '' }
  const until = performance.now() + PATIENCE_MS
  while (!acquire(path, own)) {
    if (performance.now() > until) throw new OfficeFault(`${path} is held by ${holderOf(path)}; try again when it has ended`)
    await pause(RETRY_MS)
  }
  return () => rmSync(path, { force: true })
}

/**
 * Tries once. A lock whose holder has ended is replaced by whoever gets the lock that is named after it: two commands that see
 * the same stale lock could otherwise both take it.
 */
function acquire(path: string, own: Holder): boolean {
  if (linkOwn(path, own)) return true
  const held = read(path)
  if (held === undefined || !hasEnded(held, own)) return false
  const successor = `${path}.after-${held.nonce}`
  if (!acquire(successor, own)) return false
  if (read(path)?.nonce !== held.nonce) {
    rmSync(successor, { force: true })
    return false
  }
  renameSync(successor, path)
  return true
}

/** A link appears with its contents, so nobody ever reads half a lock. */
function linkOwn(path: string, own: Holder): boolean {
  const aside = `${path}.${own.nonce}`
  writeFileSync(aside, JSON.stringify(own), { mode: 0o600 })
  try {
    linkSync(aside, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

/** Undefined for a lock that is gone or was not written by this program. */
function read(path: string): Holder | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder>
    return typeof value.nonce === 'string' && /^[0-9a-f]{16}$/.test(value.nonce) ? value as Holder : undefined
  } catch {
    return undefined
  }
}

/** A holder on another machine may still run: nothing here can know. */
function hasEnded(held: Holder, own: Holder): boolean {
  if (held.host !== own.host) return false
  return held.boot !== own.boot || startOf(held.pid) !== held.started
}

function holderOf(path: string): string {
  const held = read(path)
  return held === undefined ? 'another program' : `process ${held.pid} on ${held.host}`
}

const bootId = (): string => textOf('/proc/sys/kernel/random/boot_id') ?? ''

/** Field 22 of /proc/PID/stat. The second one is a name in brackets, which may hold blanks. Undefined for no such process. */
function startOf(pid: number): string | undefined {
  const text = textOf(`/proc/${pid}/stat`)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
