// Where else a worker tells what it sees, as the configuration in force says: the share of lines, the audit log, traces. A
// reload changes them while it runs.
import type { Loaded } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { SERVICE_NAMES } from '../azure/services.ts'
import { openAudit, type AuditSink } from '../observe/audit.ts'
import type { Recorder } from '../observe/recorder.ts'
import type { FinishedRequest } from '../observe/request-line.ts'
import { openTracing, type Tracing } from '../observe/tracing.ts'
import { clientOptions } from '../tls/policy.ts'
import { trustedFor } from './routes.ts'
import { readVersions } from '../admin/status.ts'

/** The outlets of one worker's recorder. */
export class Outlets {
  readonly #recorder: Recorder
  /** Milliseconds since the epoch. */
  readonly #wallClock: () => number
  #audit: { readonly file: string; readonly sink: AuditSink } | undefined
  #tracing: { readonly key: string; readonly tracing: Tracing } | undefined
  /** The names that clients use, by `SERVICE ROUTE`. */
  #addresses: ReadonlyMap<string, string> = new Map()

  constructor(recorder: Recorder, wallClock: () => number) {
    this.#recorder = recorder
    this.#wallClock = wallClock
  }

  /** Applies a configuration, the first or another. Rejects where traces are wanted and OpenTelemetry is not installed. */
  async take(loaded: Loaded): Promise<void> {
    const { log } = loaded.config
    this.#recorder.sample(log.sample)
    this.#addresses = addressesOf(loaded.config)
    if (this.#audit?.file !== log.audit) this.#openAudit(log.audit)
    await this.#trace(loaded)
  }

  /** Opens the audit log by its name again, after a rotation. */
  reopen(): void {
    this.#audit?.sink.reopen()
  }

  /** Writes and sends what is left; takes little more than a second. */
  async close(): Promise<void> {
    this.#audit?.sink.flush()
    await this.#tracing?.tracing.close()
  }

  #openAudit(file: string | undefined): void {
    const dropped = this.#recorder.metrics.auditLinesDropped.child()
    this.#audit?.sink.end()
    this.#audit = file === undefined ? undefined : { file, sink: openAudit(file, (lines) => (dropped.value += lines)) }
    this.#recorder.audit = this.#audit?.sink.log
  }

  /** Makes nothing anew where nothing changed: spans that wait are sent by what they wait in. */
  async #trace(loaded: Loaded): Promise<void> {
    const { tracing: wanted } = loaded.config
    const key = wanted === undefined ? undefined : JSON.stringify([wanted, loaded.traceHeaders, loaded.trust.get(wanted.ca ?? '')?.pem])
    if (key === this.#tracing?.key) return
    const tracing = wanted === undefined ? undefined : await this.#openTracing(loaded, wanted)
    void this.#tracing?.tracing.close()
    this.#tracing = key === undefined || tracing === undefined ? undefined : { key, tracing }
    this.#recorder.trace = tracing?.record
  }

  #openTracing(loaded: Loaded, { endpoint, ratio, ca }: NonNullable<Config['tracing']>): Promise<Tracing> {
    const dropped = this.#recorder.metrics.spansDropped.child()
    return openTracing({
      endpoint: `${endpoint.origin}${endpoint.path}`,
      headers: loaded.traceHeaders,
      connection: { ...clientOptions(), ca: trustedFor(loaded, ca) },
      ratio,
      version: readVersions().tidegate,
      addressOf: ({ numbers }: FinishedRequest) => this.#addresses.get(`${numbers.service} ${numbers.route}`),
      onDropped: (spans) => (dropped.value += spans),
      wallClock: this.#wallClock,
    })
  }
}

function addressesOf({ storage, apis }: Config): ReadonlyMap<string, string> {
  const names = (storage?.accounts ?? []).flatMap((account) => SERVICE_NAMES.map((service) => [`${service} ${account.name}`, `${account.name}.${service}.${storage?.domain}`] as const))
  return new Map([...names, ...apis.map((api) => [`api ${api.name}`, api.host] as const)])
}
