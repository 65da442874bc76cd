// Refusals of requests that Node never turned into a request: written to the socket as they are, with their own line.
import type { TLSSocket } from 'node:tls'
import { errorReply, replyBytes } from '../../azure/error-reply.ts'
import type { ServiceName } from '../../azure/services.ts'
import type { Arrival } from '../../door/arrival.ts'
import type { Refusal } from '../../refusal.ts'
import { lingerAtEnd } from '../deliver.ts'
import type { TransactionContext } from '../transaction.ts'

export interface RawRefusal {
  readonly service: ServiceName | undefined
  readonly method: string
  readonly arrival: Arrival | undefined
  readonly context: TransactionContext
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Tells of a refusal on a bare connection and ends it; counts it, and logs it as the request that it would have been. */
export function refuseRaw(socket: TLSSocket, refusal: Refusal, told: RawRefusal): void {
  const { context, service, now } = told
  const requestId = context.requestId()
  const reply = errorReply(refusal, { service, requestId, version: undefined, clientRequestId: undefined, now, head: false })
  lingerAtEnd(socket)
  if (socket.writable) socket.write(replyBytes(reply))
  socket.destroySoon()
  context.recorder.requestRefused(refusal, requestId, told.arrival?.address ?? '')
  context.recorder.requestCompleted({
    requestId,
    numbers: context.unrouted,
    method: told.method,
    target: '',
    status: reply.status,
    received: 0,
    sent: Buffer.byteLength(reply.body),
    duration: 0,
    gatewayDuration: 0,
    upstreamDuration: null,
    tls: told.arrival?.tlsVersion ?? '',
    address: told.arrival?.address ?? '',
    peer: null,
    traceparent: undefined,
    sas: null,
    refusal,
    broken: false,
  })
}
