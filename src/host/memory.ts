// Reads how much memory is in use: V8's heap of this process, and all of the container, as kernel and orchestrator count it.
import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'
import { isShort, Slack, type MemoryUse, type Pressure, type ProcessUse } from './pressure.ts'

const LOOK_EVERY_MS = 250
/** Garbage is no shortage: a full collection comes before the verdict, this often at most. */
const COLLECT_EVERY_MS = 5000
const PAGE = 4096

/** What a control group tells of its memory: cgroup v2 (Documentation/admin-guide/cgroup-v2.rst) or v1 (cgroup-v1/memory.rst). */
export interface Accounts {
  readonly limit: string
  readonly usage: string
  readonly stat: string
  /** What the kernel takes back before it ends anybody: pages of files. */
  readonly files: RegExp
}

const ROOT = '/sys/fs/cgroup'
const v2 = (folder: string): Accounts => ({ limit: `${folder}/memory.max`, usage: `${folder}/memory.current`, stat: `${folder}/memory.stat`, files: /^(?:in)?active_file (\d+)$/gm })
const v1 = (folder: string): Accounts => ({ limit: `${folder}/memory.limit_in_bytes`, usage: `${folder}/memory.usage_in_bytes`, stat: `${folder}/memory.stat`, files: /^total_(?:in)?active_file (\d+)$/gm })

export interface Watch {
  readonly pressure: Pressure
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Told of each change. */
  readonly changed: (change: MemoryUse | 'enough') => void
}

/** Looks four times a second, for as long as the process lives. */
export function watchMemory({ pressure, monotonic, changed }: Watch): void {
  const accounts = accountsHere()
  const slack = new Slack()
  let collected = -Infinity
  setInterval(() => {
    const now = monotonic()
    const tight = pressure.since !== undefined || readMemory(accounts, slack).some(isShort)
    if (tight && now - collected >= COLLECT_EVERY_MS) {
      collected = now
      globalThis.gc?.({ type: 'major', execution: 'sync' })
    }
    const change = pressure.judge(readMemory(accounts, slack), now)
    if (change !== undefined) changed(change)
  }, LOOK_EVERY_MS).unref()
}

/** What is in use of each thing that has a limit. */
export function readMemory(accounts: Accounts | undefined, slack: Slack): MemoryUse[] {
  const { used_heap_size: used, heap_size_limit: limit, total_heap_size: heap, external_memory: outside } = getHeapStatistics()
  const container = accounts === undefined ? undefined : readAccounts(accounts)
  if (container === undefined) return [{ of: 'heap', used, limit }]
  return [{ of: 'heap', used, limit }, { ...container, used: container.used - slack.of(readProcess(heap + outside)) }]
}

/** `needed` is what V8 knows of. */
function readProcess(needed: number): ProcessUse {
  const [, resident = '0', files = '0'] = readFileSync('/proc/self/statm', 'latin1').split(' ')
  return { needed, resident: (Number(resident) - Number(files)) * PAGE }
}

function readAccounts({ limit, usage, stat, files }: Accounts): MemoryUse | undefined {
  try {
    const most = Number(readFileSync(limit, 'latin1'))
    if (!Number.isFinite(most)) return undefined
    const reclaimable = [...readFileSync(stat, 'latin1').matchAll(files)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
    return { of: 'container', used: Number(readFileSync(usage, 'latin1')) - reclaimable, limit: most }
  } catch {
    return undefined
  }
}

/** The accounts of the group that this process is in; undefined where there are none, or none with a limit. */
export function accountsHere(): Accounts | undefined {
  // Within a container its own group is the root of what it sees, whatever path the kernel names.
  return groupsHere().find((accounts) => readAccounts(accounts) !== undefined)
}

function groupsHere(): Accounts[] {
  try {
    const lines = readFileSync('/proc/self/cgroup', 'latin1').split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])
    const inV1 = lines.filter(([, controllers = '']) => controllers.split(',').includes('memory')).flatMap(([, , path = '']) => [v1(`${ROOT}/memory${path}`), v1(`${ROOT}/memory`)])
    const inV2 = lines.filter(([, controllers]) => controllers === '').flatMap(([, , path = '']) => [v2(`${ROOT}${path}`), v2(ROOT)])
    return [...inV1, ...inV2]
  } catch {
    return []
  }
}
