// Certificates, upstreams, configuration and its history, the processes and what they are made of.
import { ago, count, counted, duration, latency, moment, NOTHING } from './format.ts'
import { html, type Html, type Part } from './html.ts'
import { urgencyOf } from './attention.ts'
import { badge, bar, table } from './table.ts'
import type { Health, UpstreamView } from './upstreams.ts'
import type { CertificateView, View } from './view.ts'

const USES: Readonly<Record<string, string>> = { 'server': 'our own', 'client-ca': 'authority of clients', 'crl': 'revocation list', 'upstream-ca': 'authority of an upstream', 'upstream-client': 'ours, shown to an upstream' }
/** A year of days makes a whole bar. */
const FULL_BAR_DAYS = 365

/** The section on certificates, those that end first on top. */
export function certificatesSection(view: View): Html {
  return html`<section id="certificates" aria-labelledby="certificates-title"><h2 id="certificates-title">Certificates</h2>
${table({
  id: 'certificate-list', caption: 'Those that end first come first', columns: [{ head: 'Place in the configuration' }, { head: 'What' }, { head: 'State' }, { head: 'Left', number: true }, { head: 'Ends', number: true }],
  rows: view.certificates.map((it) => [html`<code>${it.name}</code>${names(it)}`, USES[it.use] ?? it.use, certificateState(it), html`${bar(it.daysLeft / FULL_BAR_DAYS)}<span class="figure days">${daysLeft(it)}</span>`, moment(it.validUntil)]),
  empty: 'The configuration names no certificate with an end.',
})}</section>`
}

const NAMES_SHOWN = 4

function names({ names: all }: CertificateView): Part {
  const rest = all.length - NAMES_SHOWN
  return all.length > 0 && html`<p class="quiet">${all.slice(0, NAMES_SHOWN).join(', ')}${rest > 0 && ` and ${rest} more`}</p>`
}

function daysLeft({ daysLeft: days }: CertificateView): string {
  return days < 0 ? `${counted(-days, 'day')} over` : counted(days, 'day')
}

function certificateState(certificate: CertificateView): Html {
  const level = urgencyOf(certificate)
  if (level === undefined) return badge('good', 'good')
  return badge(level, certificate.daysLeft < 0 ? 'expired' : level === 'bad' ? 'renew now' : 'renew soon')
}

const HEALTH: Readonly<Record<Health, Html>> = { 'failing': badge('bad', 'failing'), 'some-failures': badge('warn', 'some failures'), 'well': badge('good', 'answers'), 'idle': badge('note', 'no requests lately') }

/** The section on upstreams, those in trouble on top. */
export function upstreamsSection(view: View): Html {
  return html`<section id="upstreams" aria-labelledby="upstreams-title"><h2 id="upstreams-title">Upstreams</h2>
<p class="lead">Requests, times (p50 / p99) and states are of the last ${duration(view.windowSeconds)}, connections of now. The gateway’s own share of a request: ${latency(view.own.p50)} / ${latency(view.own.p99)}.</p>
${table({
  id: 'upstream-list', caption: 'Upstreams, those in trouble first', columns: [{ head: 'Upstream' }, { head: 'State' }, { head: 'Requests', number: true }, { head: 'Failed', number: true }, { head: 'Its 5xx', number: true }, { head: 'First byte', number: true }, { head: 'Connect', number: true }, { head: 'Open / pending', number: true }],
  rows: view.upstreams.map(upstreamRow),
  empty: 'No upstream is configured, or no worker has told of one yet.',
})}</section>`
}

function upstreamRow(it: UpstreamView): readonly Part[] {
  return [
    html`<code>${it.name}</code><p class="quiet">${it.target ?? 'no longer configured'}</p>`,
    html`${HEALTH[it.health]}${it.failed.length > 0 && html`<p class="quiet">since the start: ${it.failed.map(({ labels, total }) => `${labels['result']} × ${count(total)}`).join(', ')}</p>`}`,
    count(it.requests.recent), count(it.failures.recent), count(it.serverErrors.recent),
    `${latency(it.firstByte.p50)} / ${latency(it.firstByte.p99)}`, `${latency(it.connect.p50)} / ${latency(it.connect.p99)}`,
    `${count(it.open)} / ${count(it.pending)}`,
  ]
}

/** The section on the configuration in force, its warnings and the reloads. */
export function configurationSection(view: View): Html {
  const { file, generation, hash, warnings, reloads } = view.configuration
  return html`<section id="configuration" aria-labelledby="configuration-title"><h2 id="configuration-title">Configuration</h2>
<dl class="facts"><div><dt>File</dt><dd><code>${file}</code></dd></div><div><dt>Generation</dt><dd>${generation}${generation === 1 && ', as at the start'}</dd></div><div><dt>Hash</dt><dd><code>${hash}</code></dd></div></dl>
${table({
  id: 'reloads', caption: 'Reloads, latest first', columns: [{ head: 'When' }, { head: 'Result' }, { head: 'Trigger' }, { head: 'Why it was refused' }],
  rows: reloads.map(({ at, trigger, result, faults }) => [moment(Date.parse(at)), result === 'success' ? badge('good', 'applied') : badge('bad', 'refused'), trigger === 'files' ? 'a file changed' : trigger, faults.length === 0 ? NOTHING : html`<ul>${faults.map(faultLine)}</ul>`]),
  empty: 'None since the start. Send SIGHUP to apply a changed configuration; changed certificates and keys are applied automatically.',
})}${table({
  id: 'warnings', caption: 'Warnings of the configuration in force', columns: [{ head: 'Where' }, { head: 'Found' }, { head: 'Better' }],
  rows: warnings.map(({ path, found, allowed }) => [html`<code>${path}</code>`, found, allowed]),
  empty: 'None.',
})}${table({
  id: 'routes', caption: 'Routes', columns: [{ head: 'Host' }, { head: 'Path' }, { head: 'Route' }, { head: 'Service' }, { head: 'Upstream' }],
  rows: view.routes.map(({ host, prefix, route, service, upstream }) => [html`<code>${host}</code>`, html`<code>${prefix ?? '/'}</code>`, route, service, html`<code>${upstream}</code>`]),
  empty: 'No route is configured: every request is refused.',
})}</section>`
}

function faultLine({ path, found, allowed }: View['configuration']['warnings'][number]): Html {
  return html`<li><code>${path}</code>: found ${found}; allowed is ${allowed}</li>`
}

/** The section on the processes: workers, listeners, versions. */
export function processSection(view: View): Html {
  const { workers, versions, versionWarnings, workerRestarts, linesDropped, now } = view
  const below = new Map(versionWarnings.map((warning) => [warning.split(' ')[0], warning]))
  return html`<section id="process" aria-labelledby="process-title"><h2 id="process-title">Process</h2>
<dl class="facts"><div><dt>Started</dt><dd>${moment(view.startedAt)}</dd></div><div><dt>Worker restarts</dt><dd>${count(workerRestarts.total)} since the start</dd></div><div><dt>Log lines lost</dt><dd>${count(linesDropped.total)} since the start</dd></div></dl>
<div class="pair">${table({
  id: 'workers', caption: 'Workers', columns: [{ head: 'Process id' }, { head: 'State' }, { head: 'Started', number: true }],
  rows: workers.map(({ pid, startedAt, listening }) => [pid, listening ? badge('good', 'listening') : badge('warn', 'starting or ending'), ago(startedAt, now)]),
  empty: 'No worker is running: one is started again by itself.',
})}${table({
  id: 'listeners', caption: 'Listeners', columns: [{ head: 'Listener' }, { head: 'Address' }],
  rows: view.listeners.map(([name, address]) => [name, html`<code>${address}</code>`]),
  empty: 'Nothing is bound yet.',
})}${table({
  id: 'versions', caption: 'Versions', columns: [{ head: 'Part' }, { head: 'Version' }, { head: 'State' }],
  rows: (Object.entries(versions) as [string, string][]).map(([name, version]) => [name, html`<code>${version}</code>`, below.has(name) ? badge('warn', below.get(name) ?? '') : badge('good', 'good')]),
  empty: 'Unknown.',
})}</div></section>`
}

