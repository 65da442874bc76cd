// How many files and connections the system lets a process have open. Where that is less than the configured connections need,
// the door turns away what would not fit, with a reason: the kernel would do so without one, and upstreams would go short too.
import { readFileSync } from 'node:fs'

/** What is open beside connections: listeners, pipes, Node's own, files that a reload reads. */
const OWN = 64

/** How many connections to clients and upstreams there is room for; Infinity where the system does not say. */
export function roomForConnections(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined ? Infinity : Math.max(1, Number(soft) - OWN)
  } catch {
    return Infinity
  }
}
