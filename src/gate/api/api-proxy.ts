// Internal REST APIs: carried by @fastify/http-proxy, which gets our own verified pools, no retries and our field rules.
// It never sees a path that it could change: the bytes that go up come from the permit.
import httpProxy from '@fastify/http-proxy'
import { METHODS, type IncomingMessage, type ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { containOn, type Arrival } from '../../door/arrival.ts'
import { Refusal } from '../../refusal.ts'
import { UpstreamFailure, upstreamRefusal } from '../../upstream/failure.ts'
import type { ResponseHead } from '../../upstream/response-head.ts'
import { dropRest, lingerAtEnd } from '../deliver.ts'
import { hasBody, upstreamHead, type ForwardContext } from '../storage/forward.ts'
import { headGoesFirst, isEventStream, refusePlainRedirect } from '../relay.ts'
import { downstreamHeaders } from '../headers.ts'
import type { ApiPermit } from '../admit.ts'
import { PROTOTYPE, ReplyStream, type PluginCallback } from './reply-stream.ts'
import type { Transaction } from '../transaction.ts'

/** What the onRequest hook leaves on a request for the proxy. */
export interface Passage {
  readonly transaction: Transaction
  readonly permit: ApiPermit
}

const PASSAGE = Symbol('passage')
interface Carrying { [PASSAGE]?: Passage }

/** Puts a permitted API request's passage where the proxy finds it. */
export function givePassage(request: IncomingMessage, passage: Passage): void {
  ;(request as Carrying)[PASSAGE] = passage
}

/** Registers the proxy on the one path that all requests are routed by. */
export function registerApiProxy(app: FastifyInstance, context: ForwardContext): void {
  // No body parser runs: the body goes from the raw request to the pool.
  for (const method of METHODS) if (method !== 'CONNECT') app.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  void app.register(httpProxy, {
    upstream: '',
    httpMethods: app.supportedMethods,
    // reply-from takes any object with `request`; ours cannot make an unverified connection.
    undici: { request: (options: PluginRequest, callback: PluginCallback) => send(options, callback, context) } as never,
    disableCache: true,
    retryMethods: [],
    replyOptions: {
      getUpstream: () => 'https://upstream.invalid',
      rewriteRequestHeaders: (request: { raw?: unknown }) => ({ [PASSAGE]: passageOf(request as FastifyRequest) }) as never,
      rewriteHeaders: (headers) => headers,
      onError: (reply, { error }) => failed(reply as unknown as FastifyReply, error, context),
    },
  })
}

interface PluginRequest {
  readonly method: string
  readonly headers: Carrying
}

function passageOf(request: FastifyRequest): Passage {
  const passage = (request.raw as Carrying)[PASSAGE]
  if (passage === undefined) throw new Error('no passage was given')
  return passage
}

function send(options: PluginRequest, callback: PluginCallback, context: ForwardContext): void {
  const passage = options.headers[PASSAGE]
  if (passage === undefined) return callback(new Error('no passage was given'))
  const { transaction, permit } = passage
  const { request, fields } = transaction
  if (fields === undefined) return callback(new Error('no fields were read'))
  const body = hasBody(fields)
  if (body) transaction.askForBody()
  const { origin } = permit.route
  const method = request.method ?? ''
  const head = upstreamHead(method, permit.upstreamTarget, origin, fields, context.via, forwardedFields(transaction.arrival, fields.host))
  transaction.forwardedAt = context.monotonic()
  const stream = new ReplyStream(callback, {
    onHead: (reply) => onHead(reply, transaction, context),
    onBytes: (count) => (transaction.sent += count),
    onBroken: (failure) => upstreamRefusal(failure, origin.name),
  })
  // Before the head is written the error comes to Fastify's handler; after it Fastify would only end the connection.
  stream.once('error', containOn(request.socket, 'api error', (error: unknown) => {
    if (transaction.reply.headersSent && error instanceof Refusal) context.fail(transaction, error)
  }))
  transaction.exchange = stream.exchange = origin.pool.send({ method, head, body: body ? request : undefined, chunked: fields.chunked }, stream)
}

/** Who asked, in our own words (contract section 4): fields for the upstream, each with its CRLF. */
export function forwardedFields(arrival: Arrival | undefined, host: string | undefined): string {
  return `X-Forwarded-For: ${arrival?.address ?? 'unknown'}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: ${host ?? ''}\r\n${clientCertificate(arrival)}`
}

/** RFC 9440: the verified certificate of the client, for APIs alone. */
function clientCertificate(arrival: Arrival | undefined): string {
  return arrival?.peer === undefined ? '' : `Client-Cert: :${arrival.peer.der}:\r\n`
}

function onHead(head: ResponseHead, transaction: Transaction, context: ForwardContext): void {
  transaction.repliedAt = context.monotonic()
  refusePlainRedirect(head)
  const { request, reply } = transaction
  const unread = !request.complete
  // reply-from closes the connection then, however short the rest of the body is.
  if (unread) {
    lingerAtEnd(request.socket)
    reply.once('finish', containOn(request.socket, 'api finish', () => dropRest(request)))
  }
  if (head.framing === 'close') reply.useChunkedEncodingByDefault = false
  // Fastify sets the status alone; the upstream's own words for it stay.
  reply.statusMessage = head.reasonPhrase
  if (headGoesFirst(head)) reply.once('pipe', containOn(request.socket, 'api pipe', () => setImmediate(containOn(request.socket, 'api flush', flushHead), reply)))
  transaction.eventStream = isEventStream(head)
  for (let i = 0; i < head.headers.length; i += 2) if (head.headers[i]?.toLowerCase() === PROTOTYPE) reply.appendHeader(PROTOTYPE, head.headers[i + 1] ?? '')
  downstreamHeaders(head.headers, { tightened: false, close: unread || head.framing === 'close' || context.draining() || transaction.arrival?.stale === true })
  transaction.replyStartedAt = context.monotonic()
}

/** Fastify would keep the head until the first piece of the body, which may be long in coming. */
function flushHead(reply: ServerResponse): void {
  if (!reply.headersSent && !reply.destroyed) reply.flushHeaders()
}

function failed(reply: FastifyReply, error: Error, context: ForwardContext): void {
  const { transaction, permit } = passageOf(reply.request)
  void reply.hijack()
  const failure = failureIn(error)
  context.fail(transaction, failure === undefined ? new Refusal('unexpected', {}, {}, error) : upstreamRefusal(failure, permit.route.origin.name))
}

/** The plugin wraps what we gave it into errors of its own. */
function failureIn(error: unknown): UpstreamFailure | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof UpstreamFailure) return at
  }
  return undefined
}
