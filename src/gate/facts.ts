// What is known of a request when it is judged, gathered from where Node and the door left it.
import type { IncomingMessage } from 'node:http'
import type { Arrival } from '../door/arrival.ts'
import type { RequestFacts } from './admit.ts'
import { soleFieldValue, type RequestFields } from './headers.ts'

/**
 * Returns what admission judges of a request. `target` is as the client sent it (Fastify has changed `url` by then), `fields`
 * as they were read, `now` in milliseconds since the epoch.
 */
export function factsOf(request: IncomingMessage, target: string, fields: RequestFields, arrival: Arrival | undefined, now: number): RequestFacts {
  const { rawHeaders } = request
  return {
    method: request.method ?? '',
    target,
    fields,
    raw: rawHeaders,
    serverName: arrival?.offer?.serverName,
    address: arrival?.address ?? '',
    peer: arrival?.peer,
    header: (name: string) => soleFieldValue(rawHeaders, name),
    now,
  }
}
