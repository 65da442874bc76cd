// Reloads: SIGHUP reads the whole configuration anew; a changed file that the running configuration names is applied by
// itself. Either way all or nothing: a fault leaves everything as it was, and is told.
import { readAll, type FileRead } from '../config/disk.ts'
import { ConfigFaults, loadConfig, type Loaded } from '../config/load.ts'
import { planReload } from '../config/plan.ts'
import type { StateMetrics } from '../observe/metrics.ts'
import type { Log } from '../observe/recorder.ts'
import type { Fault } from '../config/fault.ts'
import type { ReloadRecord } from '../admin/running.ts'

export interface ReloadOptions {
  readonly loaded: Loaded
  readonly metrics: StateMetrics
  readonly log: Log
  /** Hands a configuration to the workers; resolves with what kept one of them from taking it up. */
  readonly publish: (next: Loaded, checkedAt: number) => Promise<string | undefined>
  /** Told of each configuration that came into force. */
  readonly taken: (loaded: Loaded, generation: number) => void
}

/**
 * Polled, since a swap of a mounted folder and network mounts send no events that could be relied on. What two looks find
 * alike is applied, so within two seconds (contract section 2); in between a file may be half written, or of a pair only
 * one be replaced, and half a bundle of authorities looks whole.
 */
const LOOK_EVERY_MS = 500
const HISTORY = 20

export class Reloader {
  readonly history: ReloadRecord[] = []
  generation = 1
  readonly #options: ReloadOptions
  #loaded: Loaded
  /** Contents that were tried and found faulty: not to be told again every half second. */
  #rejected = ''
  /** What the last look found changed. */
  #seen = ''
  #busy: Promise<void> = Promise.resolve()

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#loaded = options.loaded
  }

  /** The configuration in force. */
  get loaded(): Loaded {
    return this.#loaded
  }

  /** Reads the whole configuration anew. */
  reload(): Promise<void> {
    return this.#queue(async () => void await this.#attempt('SIGHUP', () => loadConfig(this.#loaded.file, { environment: process.env, now: Date.now(), serves: true })))
  }

  /** Starts watching the files that the configuration in force names. */
  watch(): void {
    let looking = false
    setInterval(() => {
      if (looking) return
      looking = true
      void this.#queue(() => this.#look()).finally(() => (looking = false))
    }, LOOK_EVERY_MS).unref()
  }

  /** One at a time. */
  #queue(work: () => Promise<void>): Promise<void> {
    this.#busy = this.#busy.then(work, work)
    return this.#busy
  }

  async #look(): Promise<void> {
    const found = await readAll(this.#loaded.files)
    const changed = this.#loaded.files.filter((file) => !same(found.get(file), this.#loaded.contents.get(file)))
    const seen = changed.map((file) => `${file} ${describe(found.get(file))}`).join('\n')
    const settled = seen === this.#seen
    this.#seen = seen
    if (seen === this.#rejected) return
    // Put back as it was: what is in force is what the disk holds.
    if (changed.length === 0 && this.#rejected !== '') this.#options.metrics.lastReloadSuccessful.child().value = 1
    this.#rejected = ''
    if (changed.length === 0 || !settled) return
    const { file, contents } = this.#loaded
    const read = (name: string): Promise<FileRead | string> => Promise.resolve((name === file ? contents.get(file) : found.get(name)) ?? 'does not exist')
    const taken = await this.#attempt('files', () => loadConfig(file, { environment: process.env, now: Date.now(), serves: true, read }))
    if (!taken) this.#rejected = seen
  }

  /** Returns whether the configuration that `load` gives came into force. */
  async #attempt(trigger: ReloadRecord['trigger'], load: () => Promise<Loaded>): Promise<boolean> {
    const faults = await this.#take(load)
    const result = faults.length === 0 ? 'success' : 'failure'
    const { metrics, log } = this.#options
    metrics.reloads.child(result).value++
    metrics.lastReloadSuccessful.child().value = result === 'success' ? 1 : 0
    this.history.unshift({ at: new Date().toISOString(), trigger, result, faults })
    this.history.splice(HISTORY)
    if (result === 'success') log.info({ trigger, generation: this.generation }, 'reloaded')
    else log.error({ trigger, faults }, 'reload refused: the old configuration stays in force')
    return result === 'success'
  }

  async #take(load: () => Promise<Loaded>): Promise<readonly Fault[]> {
    try {
      const next = await load()
      const fixed = planReload(this.#loaded.config, next.config)
      if (fixed.length > 0) return fixed.map((path) => ({ path, found: 'a change', allowed: 'none while running: restart to take it up' }))
      const why = await this.#options.publish(next, Date.now())
      if (why !== undefined) return [{ path: next.file, found: why, allowed: 'what every worker can apply' }]
      this.#loaded = next
      this.generation++
      this.#options.taken(next, this.generation)
      return []
    } catch (error) {
      if (error instanceof ConfigFaults) return error.faults
      return [{ path: this.#loaded.file, found: error instanceof Error ? error.name : 'an unknown error', allowed: 'a configuration that can be read' }]
    }
  }
}

function same(found: FileRead | string | undefined, held: FileRead | undefined): boolean {
  return typeof found === 'object' && held !== undefined && found.bytes.equals(held.bytes)
}

/** Tells contents apart without keeping them. */
function describe(found: FileRead | string | undefined): string {
  return typeof found === 'object' ? `${found.bytes.length} ${found.bytes.reduce((sum, byte) => (sum * 31 + byte) % 0x7fffffff, 7)}` : (found ?? '')
}
