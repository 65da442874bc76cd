// Judges requests for a WebSocket: they are admitted like any other, on API routes that ask for them and nowhere else.
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { parseTarget } from '../../azure/target.ts'
import { arrivalOf } from '../../door/arrival.ts'
import { Refusal } from '../../refusal.ts'
import { hostName, isApis, matchRoute } from '../../upstream/routes.ts'
import { admit, findRoute, findSite, isApiPermit, type ApiPermit, type Snapshot } from '../admit.ts'
import { forwardedFields } from './api-proxy.ts'
import { factsOf } from '../facts.ts'
import { readRequestFields, type RequestFields } from '../headers.ts'
import type { TransactionContext } from '../transaction.ts'
import { shed } from '../shed.ts'
import { tunnel, type TunnelContext } from './websocket.ts'

/** What judging an upgrade needs of the gate. */
export interface UpgradeContext {
  readonly snapshot: () => Snapshot
  readonly draining: () => boolean
  readonly shedSince: () => number | undefined
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  readonly context: Pick<TransactionContext, 'requestId'>
}

/** Returns whether a request asks for a WebSocket, as RFC 6455 section 4.1 writes it, on a route that carries them. */
export function wantsTunnel(request: IncomingMessage, { sites }: Snapshot): boolean {
  if (!asksForWebSocket(request)) return false
  const { host } = request.headers
  const site = host === undefined ? undefined : sites.get(hostName(host) ?? '')
  if (site === undefined || !isApis(site)) return false
  try {
    const route = matchRoute(site, parseTarget(request.url ?? '', host ?? '').decodedPath)
    return route.kind === 'api' && route.websocket
  } catch (error) {
    // Admission says what is wrong with it.
    if (error instanceof Refusal) return false
    throw error
  }
}

function asksForWebSocket({ method, headers, httpVersion }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && headers.upgrade?.toLowerCase() === 'websocket'
    && headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0'
}

/** Carries the connection of such a request from here on. `early` is what the client sent behind its head. */
export function carryUpgrade(request: IncomingMessage, socket: TLSSocket, early: Buffer, judged: UpgradeContext, context: TunnelContext): void {
  try {
    const { permit, fields } = judge(request, socket, judged)
    const extra = forwardedFields(arrivalOf(socket), fields.host)
    tunnel({ request, socket, early, route: permit.route, target: permit.upstreamTarget, fields, extra, requestId: judged.context.requestId() }, context)
  } catch (error) {
    context.refuse(socket, error instanceof Refusal ? error : new Refusal('unexpected', {}, {}, error))
  }
}

function judge(request: IncomingMessage, socket: TLSSocket, context: UpgradeContext): { permit: ApiPermit; fields: RequestFields } {
  if (context.draining()) throw new Refusal('draining')
  shed(arrivalOf(socket), context.shedSince())
  const snapshot = context.snapshot()
  const fields = readRequestFields(request.rawHeaders, true)
  const facts = factsOf(request, request.url ?? '', fields, arrivalOf(socket), context.wallClock())
  const { host, site } = findSite(facts, snapshot)
  const permit = admit(facts, findRoute(facts, host, site, snapshot), snapshot)
  if (!isApiPermit(permit)) throw new Error('an upgrade on a storage route')
  return { permit, fields }
}
