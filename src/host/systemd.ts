// What systemd is told, where it started us (sd_notify(3)): READY, RELOADING, STOPPING, and WATCHDOG for as long as all answer.
// Node has no datagram socket of the unix kind, so systemd's own program speaks for us: the unit has NotifyAccess=all.
import { execFile } from 'node:child_process'
import type { Log } from '../observe/recorder.ts'

const PROGRAM = 'systemd-notify'
const TIMEOUT_MS = 5000

type Environment = Readonly<Record<string, string | undefined>>

/** Given the environment and this process's id, returns ms between two signs of life, undefined where none are asked of us (sd_watchdog_enabled(3)). */
export function watchdogPause({ WATCHDOG_USEC, WATCHDOG_PID }: Environment, pid: number): number | undefined {
  const period = Number(WATCHDOG_USEC)
  const meant = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid)
  return meant && Number.isSafeInteger(period) && period > 0 ? Math.max(1, Math.floor(period / 2000)) : undefined
}

export class Notifier {
  readonly #log: Log
  readonly #environment: Environment
  #sent: Promise<void> = Promise.resolve()
  #failed = false

  constructor(environment: Environment, log: Log) {
    this.#environment = environment
    this.#log = log
  }

  /** All is bound; or a reload is over, whether it was applied or not. */
  ready(): Promise<void> {
    return this.#send('--ready')
  }

  reloading(): Promise<void> {
    return this.#send('--reloading')
  }

  stopping(): Promise<void> {
    return this.#send('--stopping')
  }

  /** From now on a sign of life at half the watchdog's time, whenever `answering` gives true; a question that takes longer is waited for. */
  watch(answering: () => Promise<boolean>): void {
    const pause = watchdogPause(this.#environment, process.pid)
    if (pause === undefined || !this.#listened) return
    let asking = false
    setInterval(() => {
      if (asking) return
      asking = true
      void answering().then((all) => (all ? this.#send('WATCHDOG=1') : undefined)).finally(() => (asking = false))
    }, pause).unref()
  }

  get #listened(): boolean {
    return (this.#environment['NOTIFY_SOCKET'] ?? '') !== ''
  }

  /** One after another, so that they arrive in their order. Resolves when systemd has it; never rejects. */
  #send(message: string): Promise<void> {
    if (!this.#listened) return Promise.resolve()
    this.#sent = this.#sent.then(() => new Promise((resolve) => {
      execFile(PROGRAM, [message], { timeout: TIMEOUT_MS }, (error) => {
        if (error !== null) this.#fail(error)
        resolve()
      })
    }))
    return this.#sent
  }

  /** Told once: without it a unit of Type=notify is ended by systemd, and its log should say why. */
  #fail({ message }: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#log.error({ why: message.split('\n')[0] }, 'systemd cannot be told')
  }
}
