// What runs, as reports need it: the configuration in force, its reloads and the worker processes. The room `process`
// implements these types, so that reports depend on no part that starts or stops anything.
import type { Fault } from '../config/fault.ts'
import type { Loaded } from '../config/load.ts'
import type { Totals } from './totals.ts'

/** One worker process. */
export interface WorkerState {
  readonly pid: number
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly listening: boolean
}

/** One reload as /status shows it. */
export interface ReloadRecord {
  readonly at: string
  readonly trigger: 'SIGHUP' | 'files'
  readonly result: 'success' | 'failure'
  readonly faults: readonly Fault[]
}

/** The workers and what they have counted. */
export interface RunningWorkers {
  readonly totals: Totals
  readonly workers: readonly WorkerState[]
  /** Asks all workers for their counters; resolves once they have answered or their time is over. */
  collect(): Promise<void>
}

/** The configuration in force. */
export interface RunningConfiguration {
  readonly loaded: Loaded
  readonly generation: number
  readonly history: readonly ReloadRecord[]
}
