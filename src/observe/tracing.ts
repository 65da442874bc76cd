// Spans by OpenTelemetry's SDK, which is loaded when traces are configured and not before. A span is made when its request is
// over, so that nothing is done on the way; what a slow or failing receiver does not take is dropped and counted.
import type { AgentOptions } from 'node:https'
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { FinishedRequest } from './request-line.ts'
import { spanOf } from './span.ts'

export interface TracingOptions {
  /** The whole URL. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  /** How the connection to an https endpoint is made. */
  readonly connection: AgentOptions
  /** The share of traces that begin here, 0 to 1. */
  readonly ratio: number
  /** Of Tidegate. */
  readonly version: string
  /** The name by which clients reach a request's route. */
  readonly addressOf: (done: FinishedRequest) => string | undefined
  /** Told how many spans were lost. */
  readonly onDropped: (spans: number) => void
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
}

export interface Tracing {
  readonly record: (done: FinishedRequest) => void
  /** Sends what is left, for a second at most. */
  readonly close: () => Promise<void>
}

/** Spans that wait or are on their way; beyond it new ones are dropped. */
const QUEUE = 2048
const BATCH = 512
const SEND_EVERY_MS = 2000
const SEND_TIMEOUT_MS = 10_000
const LAST_MS = 1000
/** ExportResultCode of the SDK's core, which is no dependency of ours. */
const SUCCESS = 0

const load = async () => ({
  api: await import('@opentelemetry/api'),
  exporter: await import('@opentelemetry/exporter-trace-otlp-http'),
  resources: await import('@opentelemetry/resources'),
  sdk: await import('@opentelemetry/sdk-trace-base'),
})

type Loaded = Awaited<ReturnType<typeof load>>

/** Loads the SDK and makes spans from then on. Rejects where it is not installed. */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const otel = await load()
  const { sdk } = otel
  const exporter = new otel.exporter.OTLPTraceExporter({
    url: options.endpoint, headers: { ...options.headers }, timeoutMillis: SEND_TIMEOUT_MS, httpAgentOptions: { keepAlive: true, ...options.connection },
  })
  const bounded = new BoundedQueue(exporter, options.onDropped)
  const batches = new sdk.BatchSpanProcessor(bounded, { maxQueueSize: QUEUE, maxExportBatchSize: BATCH, scheduledDelayMillis: SEND_EVERY_MS, exportTimeoutMillis: SEND_TIMEOUT_MS * 2 })
  const provider = new sdk.BasicTracerProvider({
    resource: resourceOf(otel, options.version),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(options.ratio) }),
    spanProcessors: [bounded.before(batches)],
  })
  const tracer = provider.getTracer('tidegate', options.version)
  return {
    record: (done) => record(done, options, tracer, otel),
    close: async () => {
      await Promise.race([provider.shutdown().catch(ignore), new Promise((resolve) => setTimeout(resolve, LAST_MS).unref())])
    },
  }
}

/** What the environment says of the resource (OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME) goes before ours. */
function resourceOf({ resources }: Loaded, version: string) {
  const own = resources.resourceFromAttributes({ 'service.name': 'tidegate', 'service.version': version, 'process.pid': process.pid })
  return own.merge(resources.detectResources({ detectors: [resources.envDetector] }))
}

type Tracer = ReturnType<Loaded['api']['trace']['getTracer']>

function record(done: FinishedRequest, { addressOf, wallClock }: TracingOptions, tracer: Tracer, { api }: Loaded): void {
  const { name, parent, attributes, failed } = spanOf(done, addressOf(done))
  const end = wallClock()
  const context = parent === undefined ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, {
    traceId: parent.traceId, spanId: parent.spanId, traceFlags: parent.sampled ? api.TraceFlags.SAMPLED : api.TraceFlags.NONE, isRemote: true,
  })
  const span = tracer.startSpan(name, { kind: api.SpanKind.SERVER, startTime: end - done.duration, attributes }, context)
  if (failed) span.setStatus({ code: api.SpanStatusCode.ERROR })
  span.end(end)
}

/** Counts spans between their end and the receiver's answer: the SDK drops beyond its own limit without telling. */
class BoundedQueue implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #onDropped: (spans: number) => void
  #waiting = 0

  constructor(exporter: SpanExporter, onDropped: (spans: number) => void) {
    this.#exporter = exporter
    this.#onDropped = onDropped
  }

  /** The same processor, given no more than fits. */
  before(processor: SpanProcessor): SpanProcessor {
    return {
      onStart: (span, context) => processor.onStart(span, context),
      onEnd: (span) => this.#enter(span, processor),
      forceFlush: () => processor.forceFlush(),
      shutdown: () => processor.shutdown(),
    }
  }

  #enter(span: ReadableSpan, processor: SpanProcessor): void {
    if (this.#waiting >= QUEUE) return this.#onDropped(1)
    this.#waiting++
    processor.onEnd(span)
  }

  export(spans: ReadableSpan[], told: Parameters<SpanExporter['export']>[1]): void {
    this.#exporter.export(spans, (result) => {
      const code: number = result.code
      this.#waiting -= spans.length
      if (code !== SUCCESS) this.#onDropped(spans.length)
      told(result)
    })
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }
}

function ignore(): void {
  // What was not taken is counted already.
}
