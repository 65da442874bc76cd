// Runs the parts of one worker: binds its listeners, and drains them in order.
import type { Server } from 'node:net'
import type { Config } from '../config/schema.ts'
import { addressText, type Bound } from './messages.ts'
import { bindFault } from './bind-fault.ts'
import type { Parts } from './build.ts'

export interface ListenOptions {
  /** Ports that the first worker got, where the configuration says 0. */
  readonly ports: { readonly tls?: number; readonly plain?: number }
  /** Several workers share the port. */
  readonly shared: boolean
}

/** Connections that wait for accept; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 4096

/** Binds the worker's listeners. Returns their addresses; rejects with an error that names the key of the configuration. */
export async function listen(parts: Parts, { listen: wanted }: Config, options: ListenOptions): Promise<Bound> {
  const how = { backlog: BACKLOG, exclusive: true, ...(options.shared ? { reusePort: true } : {}) }
  for (const server of [parts.server, parts.plain]) server?.on('error', acceptFaults(parts))
  const tls = await bind(parts.server, 'listen.tls', { ...how, host: wanted.tls.host, port: options.ports.tls ?? wanted.tls.port })
  if (parts.plain === undefined || wanted.plain === undefined) return { tls }
  const plain = await bind(parts.plain, 'listen.plain', { ...how, host: wanted.plain.host, port: options.ports.plain ?? wanted.plain.port })
  return { tls, plain }
}

/** Connections that the system could not give us: told once a second, since they come as fast as the loop turns. */
function acceptFaults({ recorder }: Parts): (error: NodeJS.ErrnoException) => void {
  let told = false
  return ({ code, syscall }) => {
    if (told || syscall !== 'accept') return
    told = true
    recorder.noted('error', 'a connection could not be accepted', { code })
    setTimeout(() => (told = false), 1000).unref()
  }
}

function bind(server: Server, key: string, where: { host: string; port: number; backlog: number; exclusive: boolean }): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(bindFault(error, key, where.host, where.port))
    server.once('error', failed)
    server.listen(where, () => {
      server.removeListener('error', failed)
      resolve(addressText(server.address()))
    })
  })
}

const POLL_MS = 20

/**
 * Drains: accepts nothing more, closes idle connections, lets requests under way finish, and ends what is left at
 * `deadline` milliseconds. New requests on open connections get `draining`. Resolves when all is closed.
 */
export async function drain(parts: Parts, deadline: number, monotonic: () => number): Promise<void> {
  const until = monotonic() + deadline
  parts.drain.on = true
  parts.server.close()
  parts.plain?.close()
  parts.server.closeIdleConnections()
  while (parts.live.size + parts.tunnels.size > 0 && monotonic() < until) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    parts.server.closeIdleConnections()
  }
  stop(parts)
  await parts.app.close()
}

/** Ends everything at once. */
export function stop(parts: Parts): void {
  parts.stopPace()
  for (const door of parts.doors) door.close()
  for (const tunnel of parts.tunnels.all()) tunnel.end()
  parts.server.closeAllConnections()
  parts.server.close()
  parts.plain?.close()
  for (const pool of parts.pools) pool.destroy()
}
