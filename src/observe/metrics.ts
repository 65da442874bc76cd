// Every metric of the product, defined once (contract section 9). No label value ever comes from a request, a certificate
// or DNS.
import { Gauge, Histogram, Registry, collectDefaultMetrics, type Metric } from 'prom-client'
import { REASONS, REFUSALS } from '../refusal.ts'
import { Distributions, Numbers, type Exposed } from './family.ts'

/** `other` stands for every method that is not listed. */
export const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'MERGE', 'OPTIONS', 'other'] as const
/** Of statuses. */
export const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
/** The storage services, and what is none. */
export const SERVICE_LABELS = ['blob', 'dfs', 'file', 'queue', 'table', 'api', 'unknown'] as const
/** Versions that a ClientHello offers at most. */
export const OFFERED = ['ssl3', 'tls1.0', 'tls1.1', 'tls1.2', 'tls1.3', 'none'] as const
/** What a connection spoke that did not begin with TLS. */
export const PROTOCOLS = ['http', 'smb', 'ssh', 'rdp', 'proxy-header', 'silence', 'other'] as const
const SAS_KINDS = ['account', 'service', 'user-delegation', 'unknown'] as const
export const UPSTREAM_RESULTS = ['ok', 'client-error', 'server-error', 'unreachable', 'certificate', 'timeout', 'reset', 'not-private'] as const
const SAS_OUTCOMES = ['unchanged', 'tightened', 'passed-unverified', ...REASONS.filter((r) => r.startsWith('sas-'))]
const LISTENERS = ['tls', 'plain', 'admin']

const counter = (name: string, help: string, ...labels: string[]): Numbers => new Numbers('counter', `tidegate_${name}`, help, labels)
const gauge = (name: string, help: string, ...labels: string[]): Numbers => new Numbers('gauge', `tidegate_${name}`, help, labels)
const seconds = (name: string, help: string, ...labels: string[]): Distributions => new Distributions(`tidegate_${name}`, help, labels)

/** Numbers of the traffic: made in every worker, summed by the supervisor. */
export interface TrafficMetrics extends ReturnType<typeof trafficFamilies> {
  readonly registry: Registry
}

/** Gauges of state, once, from the supervisor. */
export interface StateMetrics extends ReturnType<typeof stateFamilies> {
  readonly registry: Registry
}

function trafficFamilies() {
  return {
    connectionsOpen: gauge('connections_open', 'Connections open now.', 'listener'),
    connections: counter('connections_total', 'Connections accepted.', 'listener'),
    plaintext: counter('plaintext_connections_total', 'Connections that did not begin with TLS, by what they spoke.', 'protocol'),
    handshakes: counter('tls_handshakes_total', 'TLS handshakes completed.', 'version', 'suite', 'resumed', 'client_cert'),
    handshakeDuration: seconds('tls_handshake_duration_seconds', 'From accept to the end of the handshake.', 'resumed'),
    hellos: counter('tls_client_hello_total', 'ClientHellos by the highest version offered, refused handshakes too.', 'offered'),
    groups: counter('tls_groups_total', 'Key exchange groups of completed handshakes.', 'group'),
    refusals: counter('refusals_total', 'Connections and requests that did not pass, by reason.', 'stage', 'reason'),
    requests: counter('requests_total', 'Requests, refused ones too.', 'route', 'service', 'method', 'class'),
    requestDuration: seconds('request_duration_seconds', 'From the end of the request head to the end of the reply.', 'route'),
    gatewayDuration: seconds('gateway_duration_seconds', 'The gateway\'s own share of a request.', 'route'),
    inFlight: gauge('requests_in_flight', 'Requests under way.', 'route'),
    bytes: counter('bytes_total', 'Body bytes to and from clients.', 'route', 'direction'),
    sas: counter('sas_total', 'Requests with a shared access signature, by what became of it.', 'account', 'kind', 'outcome'),
    sasWouldRefuse: counter('sas_would_refuse_total', 'Requests with a shared access signature that storage.sas.accept would refuse, carried in mode report.', 'account', 'reason'),
    sasKeyUsed: counter('sas_key_used_total', 'Verified shared access signatures by the key that signed them.', 'account', 'slot'),
    upstreamRequests: counter('upstream_requests_total', 'Requests sent upstream, by result.', 'upstream', 'result'),
    upstreamConnections: gauge('upstream_connections', 'Connections to an upstream.', 'upstream', 'state'),
    upstreamConnect: seconds('upstream_connect_seconds', 'DNS, TCP and TLS to an upstream.', 'upstream'),
    upstreamFirstByte: seconds('upstream_first_byte_seconds', 'From the request\'s last byte to the reply\'s first.', 'upstream'),
    upstreamHealthy: new Numbers('gauge', 'tidegate_upstream_healthy', 'Whether the last exchange with it brought a reply, in each worker.', ['upstream'], { aggregator: 'min', initial: 1 }),
    memoryShort: gauge('workers_short_of_memory', 'Workers that turn new connections away for want of memory.'),
    loopUtilization: new Numbers('gauge', 'tidegate_event_loop_utilization_ratio', 'Share of the last five seconds in which a worker was not waiting, 0 to 1.', [], { aggregator: 'average' }),
    logLinesDropped: counter('log_lines_dropped_total', 'Log lines lost because the sink was slow, full or gone.'),
    auditLinesDropped: counter('audit_lines_dropped_total', 'Lines of the audit log lost because its file was slow, full or gone.'),
    spansDropped: counter('trace_spans_dropped_total', 'Spans lost because their receiver was slow, failing or gone.'),
  }
}

function stateFamilies() {
  return {
    // The admin listener is the supervisor's; these two are summed with the workers'.
    connectionsOpen: gauge('connections_open', 'Connections open now.', 'listener'),
    connections: counter('connections_total', 'Connections accepted.', 'listener'),
    logLinesDropped: counter('log_lines_dropped_total', 'Log lines lost because the sink was slow, full or gone.'),
    ready: gauge('ready', 'Whether the gateway takes traffic, by check.', 'check'),
    draining: gauge('draining', 'Whether the gateway is draining.'),
    namesWithoutCertificate: gauge('names_without_certificate', 'Names that the configuration serves and no certificate covers.'),
    certificateExpiry: gauge('certificate_expiry_timestamp_seconds', 'When a certificate or list in use ends.', 'name', 'use'),
    reloads: counter('config_reloads_total', 'Reloads of the configuration.', 'result'),
    lastReloadSuccessful: gauge('config_last_reload_successful', 'Whether the last reload was applied.'),
    generation: gauge('config_generation', 'How many configurations this process has applied.'),
    configInfo: gauge('config_info', 'The configuration in force.', 'hash'),
    connectionsLimit: gauge('connections_limit', 'Connections that may be open at once, over all workers.'),
    workers: gauge('workers', 'Worker processes running.'),
    workerRestarts: counter('worker_restarts_total', 'Workers started again after one ended.'),
    buildInfo: gauge('build_info', 'What is running.', 'version', 'node', 'openssl'),
  }
}

function register(families: Record<string, Exposed>): Registry {
  const registry = new Registry()
  // prom-client's type asks for its own classes; at run time its registry uses name, help, type, aggregator and get().
  for (const family of Object.values(families)) registry.registerMetric(family as unknown as Metric)
  return registry
}

/** A worker's metrics, with all that code alone fixes at zero; `ofProcess` adds prom-client's own of the process. */
export function createTrafficMetrics({ ofProcess = true } = {}): TrafficMetrics {
  const families = trafficFamilies()
  for (const listener of LISTENERS) {
    families.connectionsOpen.child(listener)
    families.connections.child(listener)
  }
  for (const reason of REASONS) families.refusals.child(REFUSALS[reason].stage, reason)
  for (const offered of OFFERED) families.hellos.child(offered)
  for (const protocol of PROTOCOLS) families.plaintext.child(protocol)
  for (const family of [families.memoryShort, families.loopUtilization, families.logLinesDropped, families.auditLinesDropped, families.spansDropped]) family.child()
  const registry = register(families)
  if (ofProcess) collectProcessMetrics(registry)
  return { ...families, registry }
}

/** The supervisor's metrics. */
export function createStateMetrics(): StateMetrics {
  const families = stateFamilies()
  for (const result of ['success', 'failure']) families.reloads.child(result)
  for (const family of [families.draining, families.workers, families.namesWithoutCertificate, families.workerRestarts, families.generation, families.lastReloadSuccessful]) family.child()
  return { ...families, registry: register(families) }
}

/** At zero from the start for what the configuration names. */
export function zeroSasOutcomes(metrics: TrafficMetrics, account: string): void {
  for (const kind of SAS_KINDS) for (const outcome of SAS_OUTCOMES) metrics.sas.child(account, kind, outcome)
  metrics.sasWouldRefuse.child(account, 'sas-lifetime')
}

/**
 * prom-client's own, without the three gauges that end in `_total` and that promtool refuses, and with no series that comes by
 * and by: every kind of collection from the start, and one number for all types of handles, which traffic makes come and go.
 */
function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of ['nodejs_active_handles', 'nodejs_active_requests', 'nodejs_active_resources']) {
    registry.removeSingleMetric(`${name}_total`)
    const metric = registry.getSingleMetric(name)
    if (metric instanceof Gauge) sumUp(metric)
  }
  const collections = registry.getSingleMetric('nodejs_gc_duration_seconds')
  if (collections instanceof Histogram) for (const kind of ['major', 'minor', 'incremental', 'weakcb']) collections.zero({ kind })
}

function sumUp(metric: Gauge): void {
  const own = metric.get.bind(metric)
  metric.get = async () => {
    const all = await own()
    return { ...all, values: [{ value: all.values.reduce((sum, { value }) => sum + value, 0), labels: {} }] }
  }
}
