// Settings that the parts read at each use instead of keeping, so that a reload reaches what runs already.
import type { Server as TlsServer } from 'node:https'
import type { Config } from '../config/schema.ts'
import { asksForCertificates } from '../config/load.ts'

/** The configuration in force, as a worker's parts see it. */
export class Settings {
  readonly #workers: number
  #config: Config

  /** `workers` is how many share the limits. */
  constructor(config: Config, workers: number) {
    this.#config = config
    this.#workers = workers
  }

  take(config: Config): void {
    this.#config = config
  }

  get config(): Config {
    return this.#config
  }

  /** This worker's part of what all share. */
  share(limit: number): number {
    return Math.ceil(limit / this.#workers)
  }
}

/** What node:tls and node:http keep on the server, and read for each connection, parser and reply. */
interface Adjustable {
  requestCert: boolean
  rejectUnauthorized: boolean
  maxHeaderSize: number
  headersTimeout: number
  keepAliveTimeout: number
}

/**
 * Applies the settings of another configuration to a running server. Where certificates begin to be asked for, idle
 * connections end: their clients had no chance to show one. test/journeys/every-setting-is-taken-up.test.ts holds that Node reads them.
 */
export function adjust(server: TlsServer, config: Config): void {
  const adjustable = server as TlsServer & Adjustable
  const asks = asksForCertificates(config)
  const begins = asks && !adjustable.requestCert
  Object.assign(adjustable, {
    requestCert: asks,
    // Where they are optional, an unverified one is refused by watchHandshakes.
    rejectUnauthorized: config.tls.clients.verify === 'required',
    maxHeaderSize: config.limits.requestHeaders,
    headersTimeout: config.limits.headersTimeout,
    keepAliveTimeout: config.limits.idleTimeout,
  } satisfies Adjustable)
  if (begins) server.closeIdleConnections()
}
