// What a configuration decides and a reload replaces at once: routes, certificates, ticket keys, and the snapshot that judges.
import type { Server as TlsServer } from 'node:https'
import type { Loaded } from '../config/load.ts'
import type { Snapshot } from '../gate/admit.ts'
import { createKeptResults } from '../sas/admission.ts'
import { CertStore, type ClientTrustOptions } from '../tls/cert-store.ts'
import { serverOptions } from '../tls/policy.ts'
import { TicketSeal } from '../tls/ticket-renewal.ts'
import { buildRouting, type Routing, type RoutingNeeds } from './routes.ts'
import { settingsOf } from './tickets.ts'

export interface InForce {
  snapshot: Snapshot
  routing: Routing
  certificates: CertStore
  /** Of its own: a handshake that began under the trust before must not seal a ticket for that after. */
  tickets: TicketSeal
  /** A digest of what client certificates are trusted for. */
  trust: string
}

const KEPT_RESULTS = 10_000

/** Builds aside what a configuration decides; throws, and changes nothing, where a TLS context cannot be made. `ticketKeys` are 48 bytes. */
export function buildAside(loaded: Loaded, ticketKeys: Buffer, needs: RoutingNeeds, generation: number): InForce {
  const tickets = new TicketSeal(ticketKeys)
  const certificates = new CertStore(loaded.config.tls.profile, loaded.credentials, trustOptions(loaded), (context) => tickets.putOn(context))
  const routing = buildRouting(loaded, needs)
  return { routing, certificates, tickets, trust: settingsOf(loaded), snapshot: snapshotOf(loaded, routing, generation) }
}

/**
 * Puts what was built aside in force, in one synchronous turn. Requests under way finish on what they began with: their pools
 * close when their exchanges are over. Keys that clients fetched stay known, those of files that are named no more do not.
 * `now` in ms since the epoch.
 */
export function takeUp(inForce: InForce, next: InForce, loaded: Loaded, server: TlsServer, now: number): void {
  const { routing: old } = inForce
  server.setSecureContext({ ...serverOptions(loaded.config.tls.profile), ...next.certificates.fallbackOptions })
  next.tickets.putOnServer(server)
  if (loaded.config.storage?.sas.learnDelegationKeys === true) {
    for (const [account, keys] of old.delegation) for (const key of keys.learned) next.routing.delegation.get(account)?.learn(key, now)
  }
  Object.assign(inForce, next)
  for (const pool of old.pools) pool.close()
}

function snapshotOf(loaded: Loaded, { sites, sourceHosts }: Routing, generation: number): Snapshot {
  return Object.freeze({
    generation,
    sites,
    kept: createKeptResults(KEPT_RESULTS),
    via: `tidegate-${loaded.digest.slice(0, 12)}`,
    headerFields: loaded.config.limits.headerFields,
    clients: { verify: loaded.config.tls.clients.verify, allow: loaded.config.tls.clients.allow },
    sourceHosts,
    anyHttpsSource: loaded.config.storage?.copySources === 'any-https',
  })
}

/** Authorities and lists as node:tls takes them: one entry for each list. */
function trustOptions({ clientTrust }: Loaded): ClientTrustOptions {
  if (clientTrust === undefined) return {}
  const { bundle, lists } = clientTrust
  return { ca: bundle.pem, ...(lists.length === 0 ? {} : { crl: lists.map(({ pem }) => pem) }) }
}
