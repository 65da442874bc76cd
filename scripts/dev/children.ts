// The services of `npm start` as child processes: started with a log each, waited for, watched and stopped together.
import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const WITH_PARENT = pathToFileURL(join(import.meta.dirname, 'with-parent.ts')).href
const KEPT_LINES = 20
const READY_WITHIN = 30_000

export interface Service {
  readonly name: string
  /** Arguments of Node: a script and its own. */
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What its output has to show, in any order, before it counts as ready. */
  readonly ready: readonly string[]
  /** How long it may take to stop, in milliseconds, before it is killed. */
  readonly patience: number
}

interface Running {
  readonly service: Service
  readonly child: ChildProcess
  readonly ended: Promise<string>
  readonly lastLines: string[]
}

/** Starts and stops services. `died` is told, once for each, of one that ended by itself: what happened and its last lines. */
export class Children {
  readonly #folder: string
  readonly #logs: string
  readonly #died: (what: string) => void
  readonly #running: Running[] = []
  #stopping = false

  /** `died` is told of a death. */
  constructor(folder: string, logs: string, died: (what: string) => void) {
    this.#folder = folder
    this.#logs = logs
    this.#died = died
  }

  /** Returns when the service is ready; never when it dies before, since then `died` is told. Throws when it stays silent. */
  async start(service: Service): Promise<void> {
    if (this.#stopping) throw new Error(`${service.name} is not started any more`)
    // A session of its own, so that a terminal's Ctrl-C reaches it through `stop` only, once and in order.
    const child = spawn(process.execPath, ['--import', WITH_PARENT, ...service.args], {
      cwd: this.#folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...service.env, TIDEGATE_DEV_PARENT: String(process.pid) },
    })
    const lastLines: string[] = []
    const ended = end(child)
    const running = { service, child, ended, lastLines }
    this.#running.push(running)
    void ended.then((how) => this.#ended(running, how))
    await this.#ready(running)
  }

  /** How many were started. */
  get size(): number {
    return this.#running.length
  }

  /** Ends all, the newest first, since each is in front of those before it. */
  async stop(): Promise<void> {
    this.#stopping = true
    // oxlint-disable-next-line no-await-in-loop -- the order is the point
    for (const running of this.#running.toReversed()) await halt(running)
  }

  /** Ends all at once. */
  kill(): void {
    this.#stopping = true
    for (const { child } of this.#running) child.kill('SIGKILL')
  }

  #ready({ service, child, lastLines }: Running): Promise<void> {
    const log = createWriteStream(join(this.#logs, `${service.name}.log`))
    const missing = new Set(service.ready)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(told(service.name, `was not ready after ${READY_WITHIN / 1000} s`, lastLines))), READY_WITHIN)
      child.once('close', () => {
        clearTimeout(timer)
        log.end()
      })
      eachLine(child, (line) => {
        log.write(`${line}\n`)
        lastLines.push(line)
        if (lastLines.length > KEPT_LINES) lastLines.shift()
        for (const text of missing) if (line.includes(text)) missing.delete(text)
        if (missing.size > 0) return
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #ended({ service, lastLines }: Running, how: string): void {
    if (!this.#stopping) this.#died(told(service.name, how, lastLines))
  }
}

function eachLine({ stdout, stderr }: ChildProcess, take: (line: string) => void): void {
  for (const input of [stdout, stderr]) if (input !== null) createInterface({ input }).on('line', take)
}

function told(name: string, what: string, lastLines: readonly string[]): string {
  const said = lastLines.length === 0 ? '    (it said nothing)' : lastLines.map((line) => `    ${line}`).join('\n')
  return `${name} ${what}. Its last lines, whole in .dev/${name}.log:\n${said}`
}

function end(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started (${error.message})`))
    child.once('close', (code, signal) => resolve(signal === null ? `ended with exit code ${code ?? '?'}` : `was ended by ${signal}`))
  })
}

async function halt({ service, child, ended }: Running): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), service.patience)
  await ended
  clearTimeout(timer)
}
