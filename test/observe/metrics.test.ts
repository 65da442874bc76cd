// The names of contract section 9, typed here: scripts outside the repository are written against them.
import t from 'tap'
import { Distributions, Numbers } from '../../src/observe/family.ts'
import { createStateMetrics, createTrafficMetrics, zeroSasOutcomes } from '../../src/observe/metrics.ts'

/** Name, type, labels; of traffic first, then of state. */
const TRAFFIC: [name: string, type: string, labels: string][] = [
  ['connections_open', 'gauge', 'listener'], ['connections_total', 'counter', 'listener'], ['plaintext_connections_total', 'counter', 'protocol'],
  ['tls_handshakes_total', 'counter', 'version suite resumed client_cert'], ['tls_handshake_duration_seconds', 'histogram', 'resumed'], ['tls_client_hello_total', 'counter', 'offered'], ['tls_groups_total', 'counter', 'group'],
  ['refusals_total', 'counter', 'stage reason'], ['requests_total', 'counter', 'route service method class'], ['request_duration_seconds', 'histogram', 'route'], ['gateway_duration_seconds', 'histogram', 'route'],
  ['requests_in_flight', 'gauge', 'route'], ['bytes_total', 'counter', 'route direction'], ['sas_total', 'counter', 'account kind outcome'],
  ['sas_would_refuse_total', 'counter', 'account reason'], ['sas_key_used_total', 'counter', 'account slot'],
  ['upstream_requests_total', 'counter', 'upstream result'], ['upstream_connections', 'gauge', 'upstream state'], ['upstream_connect_seconds', 'histogram', 'upstream'], ['upstream_first_byte_seconds', 'histogram', 'upstream'],
  ['upstream_healthy', 'gauge', 'upstream'], ['workers_short_of_memory', 'gauge', ''], ['event_loop_utilization_ratio', 'gauge', ''], ['log_lines_dropped_total', 'counter', ''], ['audit_lines_dropped_total', 'counter', ''], ['trace_spans_dropped_total', 'counter', ''],
]
const STATE: [name: string, type: string, labels: string][] = [
  ['connections_open', 'gauge', 'listener'], ['connections_total', 'counter', 'listener'], ['log_lines_dropped_total', 'counter', ''], ['ready', 'gauge', 'check'], ['draining', 'gauge', ''], ['names_without_certificate', 'gauge', ''],
  ['certificate_expiry_timestamp_seconds', 'gauge', 'name use'],
  ['config_reloads_total', 'counter', 'result'], ['config_last_reload_successful', 'gauge', ''], ['config_generation', 'gauge', ''], ['config_info', 'gauge', 'hash'], ['connections_limit', 'gauge', ''], ['workers', 'gauge', ''], ['worker_restarts_total', 'counter', ''],
  ['build_info', 'gauge', 'version node openssl'],
]

const SAMPLE = /^([a-z0-9_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[\d.e+-]+|NaN|Nan|\+Inf)$/

/** Every sample of the text; fails on a line that is none. */
function samples(test: typeof t, text: string): { name: string; labels: string; value: number }[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('# ')).map((line) => {
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? []
    if (name === '') test.fail(line)
    return { name, labels, value: Number(value) }
  })
}

const families = [createTrafficMetrics(), createStateMetrics()].flatMap((metrics): unknown[] => Object.values(metrics)).filter((it) => it instanceof Numbers || it instanceof Distributions)

void t.test('names, types, labels and help', async (test) => {
  test.strictSame(families.map(({ name, type, labels }) => [name, type, labels.join(' ')]), [...TRAFFIC, ...STATE].map(([name, ...rest]) => [`tidegate_${name}`, ...rest]))
  for (const { name, type, help } of families) {
    test.match(help, /^[A-Z].*\.$/, name)
    test.equal(name.endsWith('_total'), type === 'counter', `${name}: counters end in _total`)
  }
})

void t.test('the text parses, and is at zero at the start where code alone fixes the labels', async (test) => {
  const text = await createTrafficMetrics().registry.metrics()
  const own = samples(t, text).filter(({ name }) => name.startsWith('tidegate_'))
  for (const { name, labels, value } of own) test.equal(value, 0, `${name} ${labels}`)
  const count = (name: string): number => own.filter((it) => it.name === `tidegate_${name}`).length
  test.strictSame(['connections_open', 'connections_total', 'tls_client_hello_total', 'plaintext_connections_total', 'log_lines_dropped_total'].map(count), [3, 3, 6, 7, 1])
  for (const offered of ['ssl3', 'tls1.0', 'tls1.1', 'tls1.2', 'tls1.3', 'none']) test.ok(text.includes(`tidegate_tls_client_hello_total{offered="${offered}"} 0\n`))
  for (const protocol of ['http', 'smb', 'ssh', 'rdp', 'proxy-header', 'silence', 'other']) test.ok(text.includes(`tidegate_plaintext_connections_total{protocol="${protocol}"} 0\n`))
  for (const [name, type] of TRAFFIC) test.ok(text.includes(`# TYPE tidegate_${name} ${type}\n`) && text.includes(`# HELP tidegate_${name} `), name)
})

void t.test('the supervisor\'s text', async (test) => {
  const metrics = createStateMetrics()
  metrics.certificateExpiry.child('tls.certificates[0]', 'server').value = 1_800_000_000
  const text = await metrics.registry.metrics()
  samples(t, text)
  for (const [name, type] of STATE) test.ok(text.includes(`# TYPE tidegate_${name} ${type}\n`), name)
  for (const line of ['tidegate_config_reloads_total{result="success"} 0', 'tidegate_config_reloads_total{result="failure"} 0', 'tidegate_draining 0', 'tidegate_workers 0', 'tidegate_worker_restarts_total 0']) test.ok(text.includes(`${line}\n`), line)
  test.ok(text.includes('tidegate_certificate_expiry_timestamp_seconds{name="tls.certificates[0]",use="server"} 1800000000\n'))
})

void t.test('prom-client\'s own are there, but for the gauges that promtool refuses', async (test) => {
  const text = await createTrafficMetrics().registry.metrics()
  test.match(text, /^process_cpu_seconds_total /m)
  test.match(text, /^nodejs_eventloop_lag_seconds /m)
  test.notMatch(text, /nodejs_active_(?:handles|requests|resources)_total/)
})

void t.test('an account\'s outcomes are at zero when it is configured', async (test) => {
  const metrics = createTrafficMetrics()
  zeroSasOutcomes(metrics, 'tideoffice')
  const text = await metrics.registry.metrics()
  for (const kind of ['account', 'service', 'user-delegation']) {
    for (const outcome of ['unchanged', 'tightened', 'passed-unverified', 'sas-malformed', 'sas-duplicate', 'sas-mixed', 'sas-protocol-value', 'sas-version', 'sas-no-key', 'sas-signature', 'sas-not-yet', 'sas-expired', 'sas-source-ip', 'sas-resource']) {
      test.ok(text.includes(`tidegate_sas_total{account="tideoffice",kind="${kind}",outcome="${outcome}"} 0\n`), `${kind} ${outcome}`)
    }
  }
})
