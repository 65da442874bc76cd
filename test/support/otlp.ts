// A receiver of OTLP over HTTP with JSON, as opentelemetry-proto writes it: keeps every span that it is sent.
import { createServer, type Server } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Realm } from './realm.ts'
import { until } from './until.ts'

/** A value of the wire: one of these keys. */
interface AnyValue { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number; readonly boolValue?: boolean }
interface KeyValue { readonly key: string; readonly value: AnyValue }
interface WireSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly KeyValue[]
  readonly status: { readonly code?: number }
}
interface Payload {
  readonly resourceSpans: readonly { readonly resource: { readonly attributes: readonly KeyValue[] }; readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly WireSpan[] }[] }[]
}

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export interface ReceivedSpan extends Omit<WireSpan, 'attributes'> {
  readonly attributes: Attributes
  readonly resource: Attributes
}

export interface Receiver {
  readonly port: number
  readonly spans: readonly ReceivedSpan[]
  /** The fields of each export. */
  readonly heads: readonly IncomingHttpHeaders[]
  /** How it answers from now on: a status, or not at all. */
  answer(how: number | 'never'): void
  /** The spans, as soon as there are that many. */
  received(count: number): Promise<readonly ReceivedSpan[]>
}

/** Starts one under the realm's authority, as 127.0.0.1; it stops with the test. */
export async function startReceiver(t: Test, realm: Realm): Promise<Receiver> {
  const { cert, key } = await realm.authority.issue({ names: ['127.0.0.1'] })
  const spans: ReceivedSpan[] = []
  const heads: IncomingHttpHeaders[] = []
  let how: number | 'never' = 200
  const take = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    heads.push(request.headers)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (how === 'never') return
    if (how === 200) spans.push(...decode(Buffer.concat(chunks).toString()))
    reply.writeHead(how, { 'content-type': 'application/json' }).end('{}')
  }
  const server: Server = createServer({ cert, key }, (request, reply) => void take(request, reply).catch(() => reply.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const received = async (count: number): Promise<readonly ReceivedSpan[]> => {
    await until(() => spans.length >= count, `${count} spans at the receiver`)
    return spans
  }
  return { port: (server.address() as AddressInfo).port, spans, heads, received, answer: (next) => (how = next) }
}

function decode(text: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(text) as Payload
  return resourceSpans.flatMap(({ resource, scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, attributes: plain(span.attributes), resource: plain(resource.attributes) }))))
}

function plain(list: readonly KeyValue[]): Attributes {
  return Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue ?? value.boolValue ?? value.doubleValue ?? (value.intValue === undefined ? undefined : Number(value.intValue))]))
}
