// The Grafana dashboard as a table: rows of panels, each with its queries. `npm run generate` writes it to
// deploy/chart/files/dashboard.json; test/ops/dashboard.test.ts asks a real Prometheus every query.

/** What a value is, in Grafana's words. */
type Unit = 'short' | 'reqps' | 'percentunit' | 's' | 'd' | 'bytes' | 'Bps' | 'none'

interface Query {
  readonly expr: string
  /** Of each series; Grafana fills in the labels. */
  readonly legend: string
  /** All at zero, or none of it, is as good as it gets: no test awaits more. */
  readonly quiet?: true
}

interface Panel {
  readonly title: string
  readonly kind: 'stat' | 'timeseries'
  readonly unit: Unit
  /** In columns of 24. */
  readonly width: number
  readonly queries: readonly Query[]
  readonly stacked?: true
  /** From here on a number is worth a look, and worth acting on. */
  readonly thresholds?: readonly [look: number, act: number]
  readonly says?: string
}

interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

/** A metric of the chosen replicas. */
const m = (name: string, matchers = ''): string => `tidegate_${name}{instance=~"$instance"${matchers === '' ? '' : `,${matchers}`}}`
const p = (name: string): string => `${name}{instance=~"$instance"}`
const rate = (name: string, matchers = ''): string => `rate(${m(name, matchers)}[$__rate_interval])`
const by = (labels: string, name: string, matchers = ''): string => `sum by (${labels}) (${rate(name, matchers)})`
const quantile = (q: number, labels: string, name: string): string => `histogram_quantile(${q}, sum by (le${labels === '' ? '' : `, ${labels}`}) (${rate(`${name}_bucket`)}))`
const quantiles = (labels: string, name: string): Query[] => [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, labels, name), legend: `${labels === '' ? '' : `{{${labels}}} `}p${q * 100}` }))
const one = (expr: string, legend = ''): readonly Query[] => [{ expr, legend }]
const quiet = (expr: string, legend = ''): readonly Query[] => [{ expr, legend, quiet: true }]

const time = (title: string, unit: Unit, width: number, queries: readonly Query[], more: Partial<Panel> = {}): Panel => ({ title, kind: 'timeseries', unit, width, queries, ...more })
const stat = (title: string, unit: Unit, width: number, queries: readonly Query[], more: Partial<Panel> = {}): Panel => ({ title, kind: 'stat', unit, width, queries, ...more })

/** An office, SMB and envelope row comes with each of their issues. */
export const ROWS: readonly Row[] = [
  { title: 'Is it up?', panels: [
    stat('Replicas up', 'none', 3, one('sum(up{job="tidegate"})')),
    stat('Not ready', 'none', 3, quiet(`count(min by (instance) (${m('ready')}) == 0) or vector(0)`), { thresholds: [1, 1] }),
    stat('Workers', 'none', 3, one(`sum(${m('workers')})`)),
    stat('Version', 'none', 3, one(`count by (version) (${m('build_info')})`, '{{version}}')),
    stat('Configurations in force', 'none', 3, one(`count(count by (hash) (${m('config_info')}))`), { thresholds: [2, 2], says: 'More than one: replicas differ.' }),
    stat('Generation', 'none', 3, one(`max(${m('config_generation')})`), { says: 'Configurations applied since the start.' }),
    stat('Days to the next expiry', 'd', 3, one(`(min(${m('certificate_expiry_timestamp_seconds')}) - time()) / 86400`)),
    stat('Burn rate, 1 h', 'none', 3, one('tidegate:errors:ratio_rate1h / 0.001'), { thresholds: [1, 14.4], says: '1 uses up the month\'s budget of 0.1 % in a month; 14.4 in two days.' }),
  ] },
  { title: 'Who connects, and how?', panels: [
    time('Handshakes by result', 'reqps', 8, [{ expr: by('version', 'tls_handshakes_total'), legend: '{{version}}' }, { expr: by('reason', 'refusals_total', 'stage="handshake"'), legend: 'refused: {{reason}}' }], { stacked: true }),
    time('Versions', 'percentunit', 8, one(`${by('version', 'tls_handshakes_total')} / ignoring (version) group_left sum(${rate('tls_handshakes_total')})`, '{{version}}'), { stacked: true }),
    time('Cipher suites', 'percentunit', 8, one(`${by('suite', 'tls_handshakes_total')} / ignoring (suite) group_left sum(${rate('tls_handshakes_total')})`, '{{suite}}'), { stacked: true }),
    time('Key exchange', 'reqps', 6, one(by('group', 'tls_groups_total'), '{{group}}'), { stacked: true }),
    time('Resumed', 'percentunit', 6, one(`sum(${rate('tls_handshakes_total', 'resumed="yes"')}) / sum(${rate('tls_handshakes_total')})`, 'resumed')),
    time('Handshake duration', 's', 6, quantiles('resumed', 'tls_handshake_duration_seconds').filter(({ legend }) => !legend.endsWith('p95')), { says: 'From accept to the end, by whether it was resumed.' }),
    time('Offered at most, refused ones too', 'reqps', 6, one(by('offered', 'tls_client_hello_total'), '{{offered}}'), { says: 'The best version of each hello: who has to be upgraded.' }),
  ] },
  { title: 'What is refused?', panels: [
    time('By reason', 'reqps', 12, one(`${by('reason', 'refusals_total')} > 0`, '{{reason}}'), { stacked: true, says: 'docs/refusals.md says of each what it means and what to do.' }),
    time('By stage', 'reqps', 6, one(by('stage', 'refusals_total'), '{{stage}}'), { stacked: true }),
    time('Not TLS, by what it spoke', 'reqps', 6, one(by('protocol', 'plaintext_connections_total'), '{{protocol}}'), { stacked: true }),
  ] },
  { title: 'Shared access signatures', panels: [
    time('Outcomes', 'reqps', 12, one(`${by('account, outcome', 'sas_total')} > 0`, '{{account}} {{outcome}}'), { stacked: true }),
    time('Key that verified them', 'reqps', 6, one(by('account, slot', 'sas_key_used_total'), '{{account}} {{slot}}'), { says: 'A key that stands still can be rotated away.' }),
    time('Share that would work over plain http', 'percentunit', 6, one(`sum by (account) (${rate('sas_total', 'outcome=~"tightened|passed-unverified"')}) / sum by (account) (${rate('sas_total', 'outcome=~"tightened|passed-unverified|unchanged"')})`, '{{account}}'), { says: 'Of the tokens that pass: whose issuers must be fixed is in /status.' }),
  ] },
  { title: 'Traffic', panels: [
    time('Requests by route and class', 'reqps', 8, one(`${by('route, class', 'requests_total')} > 0`, '{{route}} {{class}}'), { stacked: true }),
    time('The gateway\'s own share', 's', 8, quantiles('', 'gateway_duration_seconds')),
    time('The upstream\'s first byte', 's', 8, quantiles('', 'upstream_first_byte_seconds')),
    time('Whole requests, with bodies', 's', 8, one(quantile(0.99, 'route', 'request_duration_seconds'), '{{route}} p99')),
    time('Body bytes', 'Bps', 8, one(by('direction', 'bytes_total'), '{{direction}}')),
    time('In flight', 'short', 4, quiet(`sum by (route) (${m('requests_in_flight')})`, '{{route}}')),
    time('Connections', 'short', 4, [{ expr: `sum by (listener) (${m('connections_open')})`, legend: '{{listener}}' }, { expr: `sum(${m('connections_limit')})`, legend: 'limit' }]),
  ] },
  { title: 'Upstreams', panels: [
    time('Results', 'reqps', 8, one(`${by('upstream, result', 'upstream_requests_total')} > 0`, '{{upstream}} {{result}}'), { stacked: true }),
    time('First byte, p99', 's', 4, one(quantile(0.99, 'upstream', 'upstream_first_byte_seconds'), '{{upstream}}')),
    time('Connecting, p99', 's', 4, one(quantile(0.99, 'upstream', 'upstream_connect_seconds'), '{{upstream}}')),
    time('Connections', 'short', 4, one(`sum by (upstream, state) (${m('upstream_connections')})`, '{{upstream}} {{state}}')),
    time('Health', 'percentunit', 4, one(`min by (upstream) (${m('upstream_healthy')})`, '{{upstream}}'), { says: '1 while the last exchange with it brought a reply, in every worker that had one.' }),
  ] },
  { title: 'The process', panels: [
    time('Cpu', 'percentunit', 4, one(`sum by (instance) (rate(${p('process_cpu_seconds_total')}[$__rate_interval]))`, '{{instance}}'), { says: 'All workers of a replica; 100 % is one core.' }),
    time('Event loop lag', 's', 4, [{ expr: `max by (instance) (${p('nodejs_eventloop_lag_p99_seconds')})`, legend: '{{instance}} p99' }, { expr: `max by (instance) (${p('nodejs_eventloop_lag_p50_seconds')})`, legend: '{{instance}} p50' }]),
    time('Event loop busy', 'percentunit', 4, one(`max by (instance) (${m('event_loop_utilization_ratio')})`, '{{instance}}')),
    time('Memory', 'bytes', 4, [{ expr: `sum by (instance) (${p('nodejs_heap_size_used_bytes')})`, legend: '{{instance}} heap' }, { expr: `sum by (instance) (${p('process_resident_memory_bytes')})`, legend: '{{instance}} resident' }]),
    time('Open files', 'short', 4, [{ expr: `sum by (instance) (${p('process_open_fds')})`, legend: '{{instance}}' }]),
    time('Lost and restarted, 10 min', 'short', 4, [
      ...quiet(`sum(increase(${m('log_lines_dropped_total')}[10m]))`, 'log lines'), ...quiet(`sum(increase(${m('audit_lines_dropped_total')}[10m]))`, 'audit lines'), ...quiet(`sum(increase(${m('trace_spans_dropped_total')}[10m]))`, 'spans'),
      ...quiet(`sum(increase(${m('worker_restarts_total')}[10m]))`, 'workers restarted'), ...quiet(`sum(${m('workers_short_of_memory')})`, 'workers short of memory'),
    ]),
  ] },
]

const PANEL_HEIGHT = 8
const STAT_HEIGHT = 4
const COLUMNS = 24
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

/** The dashboard as Grafana imports it (schema 39, Grafana 10 and newer), as text. */
export function dashboardText(): string {
  return `${JSON.stringify({
    uid: 'tidegate', title: 'Tidegate', tags: ['tidegate'], schemaVersion: 39, version: 1, editable: true, timezone: 'utc', refresh: '30s',
    time: { from: 'now-6h', to: 'now' }, templating: { list: VARIABLES }, annotations: { list: [] }, panels: panels(),
  }, null, 1)}\n`
}

const VARIABLES = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
  { name: 'instance', label: 'Replica', type: 'query', datasource: DATASOURCE, query: 'label_values(tidegate_build_info, instance)', refresh: 2, includeAll: true, multi: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
]

function panels(): object[] {
  const out: object[] = []
  let y = 0
  for (const row of ROWS) {
    out.push({ id: out.length + 1, type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y, w: COLUMNS, h: 1 }, panels: [] })
    y += 1
    let x = 0
    for (const [i, panel] of row.panels.entries()) {
      const h = panel.kind === 'stat' ? STAT_HEIGHT : PANEL_HEIGHT
      out.push(panelOf(panel, out.length + 1, { x, y, w: panel.width, h }))
      x += panel.width
      if (x >= COLUMNS || i === row.panels.length - 1) [x, y] = [0, y + h]
    }
  }
  return out
}

function panelOf({ title, kind, unit, queries, stacked, thresholds, says }: Panel, id: number, gridPos: object): object {
  return {
    id, type: kind, title, description: says, gridPos, datasource: DATASOURCE,
    targets: queries.map(({ expr, legend }, i) => ({ refId: String.fromCodePoint(65 + i), datasource: DATASOURCE, expr, legendFormat: legend === '' ? '__auto' : legend, instant: kind === 'stat', range: kind !== 'stat' })),
    fieldConfig: { defaults: { unit, min: unit === 'd' ? undefined : 0, ...(kind === 'stat' ? colours(thresholds) : drawing(stacked === true)) }, overrides: [] },
    options: kind === 'stat' ? { colorMode: thresholds === undefined ? 'none' : 'value', textMode: title === 'Version' ? 'name' : 'auto', reduceOptions: { calcs: ['lastNotNull'] } } : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
  }
}

function colours(thresholds: Panel['thresholds']): object {
  const steps = thresholds === undefined ? [] : [{ color: 'orange', value: thresholds[0] }, { color: 'red', value: thresholds[1] }]
  return { thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }, ...steps] } }
}

const drawing = (stacked: boolean): object => ({ custom: { lineWidth: 1, fillOpacity: stacked ? 40 : 0, stacking: { mode: stacked ? 'normal' : 'none' }, showPoints: 'never' } })
