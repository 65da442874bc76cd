// Keeps the memory of a process, where every key lies, from leaving it: no inspector, nothing of it in a core file
// (security.md K4 and section 1).
import { readFileSync, writeFileSync } from 'node:fs'
import { url as inspectorUrl } from 'node:inspector'

/** Linux: which mappings of this process a core file holds, as bits; children inherit it, across exec too (core(5)). */
const CORE_FILTER = '/proc/self/coredump_filter'

/** For the command line of a worker: SIGUSR1 is ignored from its first moment on. */
export const SEAL_FLAGS: readonly string[] = ['--disable-sigusr1']

/** Seals this process, as far as it can itself: Node opens the inspector at SIGUSR1 unless someone else listens. */
export function sealMemory(): void {
  process.on('SIGUSR1', () => undefined)
  try {
    writeFileSync(CORE_FILTER, '0')
  } catch {
    // Another system, or a /proc that cannot be written: told by `unsealed`.
  }
}

/** What is open all the same, in words for the log; none where all is well. */
export function unsealed(): string[] {
  return [
    ...(inspectorUrl() === undefined ? [] : ['the inspector is open: start without --inspect']),
    ...(isCoreEmpty() ? [] : ['a core file would hold keys: set the limit of core files to 0']),
  ]
}

function isCoreEmpty(): boolean {
  try {
    return Number.parseInt(readFileSync(CORE_FILTER, 'latin1'), 16) === 0
  } catch {
    return false
  }
}
