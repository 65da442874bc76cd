// Who connects and how, what is refused and why, whose tokens must be fixed.
import type { Blame, Stage } from '../../refusal.ts'
import { ago, count, counted, duration, NOTHING, percent } from './format.ts'
import { html, type Html, type Part } from './html.ts'
import type { Tally } from './reading.ts'
import { sectionOf } from './advice.ts'
import { badge, bar, table, type Column } from './table.ts'
import type { RefusalView, View } from './view.ts'

const total: Column = { head: 'Since start', number: true }
const lately = (view: View): Column => ({ head: `Last ${duration(view.windowSeconds)}`, number: true })
const sumOf = (tallies: readonly Tally[]): number => tallies.reduce((sum, tally) => sum + tally.total, 0)
const shareOf = (tally: Tally, all: number): Part => html`${bar(all === 0 ? 0 : tally.total / all)}<span class="figure">${percent(all === 0 ? null : tally.total / all)}</span>`

const OFFER_NAMES: Readonly<Record<string, string>> = { 'ssl3': 'SSL 3', 'tls1.0': 'TLS 1.0', 'tls1.1': 'TLS 1.1', 'tls1.2': 'TLS 1.2', 'tls1.3': 'TLS 1.3', 'none': 'none readable' }
const OLD: ReadonlySet<string> = new Set(['ssl3', 'tls1.0', 'tls1.1'])
const nameOfOffer = (offered: string): string => OFFER_NAMES[offered] ?? offered

/** The section on connections: offers, what came of them, groups, clients below TLS 1.3, plaintext. */
export function connectionsSection(view: View): Html {
  return html`<section id="connections" aria-labelledby="connections-title"><h2 id="connections-title">Who connects, and how</h2>
<p class="lead">${counted(view.handshakes.total, 'handshake')} since the start${view.handshakes.total > 0 && `, ${percent(view.resumedShare)} resumed, ${percent(view.postQuantumShare)} with a post-quantum key exchange`}. Profile <code>${view.profile}</code>.</p>
<div class="pair">${offeredTable(view)}${groupsTable(view)}${plaintextTable(view)}</div>${negotiatedTable(view)}${oldTable(view)}</section>`
}

function offeredTable(view: View): Html {
  const all = sumOf(view.offered)
  return table({
    id: 'offered', caption: 'Best version that each hello offered', columns: [{ head: 'Version' }, lately(view), total, { head: 'Share', number: true }],
    rows: view.offered.map((tally) => {
      const offered = tally.labels['offered'] ?? ''
      return [html`${nameOfOffer(offered)} ${OLD.has(offered) && badge('warn', 'refused')}`, count(tally.recent), count(tally.total), shareOf(tally, all)]
    }),
    empty: 'No TLS hello has come yet. If clients say that they tried, it is before the gateway: DNS, balancer, firewall.',
  })
}

function groupsTable(view: View): Html {
  const all = sumOf(view.groups)
  return table({
    id: 'groups', caption: 'Key exchange groups agreed', columns: [{ head: 'Group' }, lately(view), total, { head: 'Share', number: true }],
    rows: view.groups.map((tally) => [html`<code>${tally.labels['group'] ?? ''}</code> ${tally.postQuantum && badge('good', 'post-quantum')}`, count(tally.recent), count(tally.total), shareOf(tally, all)]),
    empty: 'No handshake has been completed yet.',
  })
}

function negotiatedTable(view: View): Html {
  const all = sumOf(view.negotiated)
  return table({
    id: 'negotiated', caption: 'Versions and suites agreed', columns: [{ head: 'Suite' }, { head: 'Version' }, { head: 'Session' }, lately(view), total, { head: 'Share', number: true }],
    rows: view.negotiated.map((tally) => [html`<code>${tally.labels['suite'] ?? ''}</code>`, (tally.labels['version'] ?? '').replace('TLSv', 'TLS '), tally.labels['resumed'] === 'yes' ? 'resumed' : 'full', count(tally.recent), count(tally.total), shareOf(tally, all)]),
    empty: 'No handshake has been completed yet.',
  })
}

/** Whom `modern` would cut off, and who is refused already. */
function oldTable(view: View): Html {
  return table({
    id: 'below-tls13', caption: 'Clients below TLS 1.3: the profile modern would cut them off', columns: [{ head: 'Address' }, { head: 'Offers at best' }, { head: 'Agreed last' }, { head: 'Served', number: true }, { head: 'Last seen', number: true }],
    rows: view.belowTls13.map(({ client, offered, served, negotiated, serverName, lastSeen }) => [
      html`<code>${client}</code>${serverName !== null && html`<p class="quiet">${serverName}</p>`}`,
      Object.entries(offered).map(([version, times]) => `${nameOfOffer(version)} × ${count(times)}`).join(', '),
      negotiated === null ? badge('warn', 'refused') : html`${negotiated.version.replace('TLSv', 'TLS ')} <code>${negotiated.suite}</code>`,
      count(served), ago(lastSeen, view.now),
    ]),
    empty: 'Every client so far offers TLS 1.3.',
  })
}

function plaintextTable(view: View): Html {
  return table({
    id: 'plaintext', caption: 'Plaintext by protocol', columns: [{ head: 'Protocol' }, lately(view), total],
    rows: view.plaintext.map(({ labels, recent, total: all }) => [html`<code>${labels['protocol'] ?? ''}</code>`, count(recent), count(all)]),
    empty: 'Every connection so far began with TLS.',
  })
}

const STAGES: Readonly<Record<Stage, string>> = { door: 'at the door', handshake: 'in the handshake', http: 'in HTTP', sas: 'in its token', storage: 'at storage rules', smb: 'in SMB', us: 'by our state', upstream: 'at the upstream' }
const BLAMES: Readonly<Record<Blame, Html>> = { client: html`the client`, upstream: badge('warn', 'the upstream'), us: badge('warn', 'us') }

/** The section on refusals: by reason with what to do, and by address range. */
export function refusalsSection(view: View): Html {
  return html`<section id="refusals" aria-labelledby="refusals-title"><h2 id="refusals-title">What is refused, and why</h2>
<p class="lead">${counted(view.refused.recent, 'refusal')} in the last ${duration(view.windowSeconds)}, ${count(view.refused.total)} since the start. The single ones are in the log: <code>jq 'select(.reason == "REASON")'</code>.</p>
${reasonsTable(view)}${rangesTable(view)}</section>`
}

function reasonsTable(view: View): Html {
  return table({
    id: 'reasons', caption: 'By reason, most of the last minutes first', columns: [{ head: 'Reason, and what to do' }, lately(view), total, { head: 'Last seen', number: true }, { head: 'Who must act' }],
    rows: view.refusals.map((refusal) => [reasonCell(refusal), count(refusal.recent), count(refusal.total), refusal.lastSeen === undefined ? NOTHING : ago(refusal.lastSeen, view.now), BLAMES[refusal.blame]]),
    empty: 'Nothing has been refused since the start.', most: 100,
  })
}

function reasonCell({ reason, stage, says, todo }: RefusalView): Html {
  return html`<code class="reason">${reason}</code> <span class="quiet">${STAGES[stage]}</span><p>${todo ?? says} <span class="ref">${sectionOf(reason)}</span></p>`
}

function rangesTable(view: View): Html {
  return table({
    id: 'ranges', caption: 'By address range, most first', columns: [{ head: 'Range' }, { head: 'Reason' }, total, { head: 'Last seen', number: true }],
    rows: view.ranges.map(({ range, reason, count: times, lastSeen }) => [html`<code>${range}</code>`, html`<code>${reason}</code>`, count(times), ago(lastSeen, view.now)]),
    empty: 'No address range has been refused.', most: 30,
  })
}

/** The section on tokens that would work over plain HTTP, past the gateway. */
export function tokensSection(view: View): Html {
  const good = view.tokens.total === 0 ? 'No request has brought a shared access signature yet.' : 'Every token so far is https-only: the storage account can demand secure transfer.'
  return html`<section id="tokens" aria-labelledby="tokens-title"><h2 id="tokens-title">Tokens that need not be https-only</h2>
${table({
  id: 'issuers', caption: 'Who still brings tokens without spr=https', columns: [{ head: 'Account' }, { head: 'Kind' }, { head: 'Signed by' }, { head: 'Client' }, { head: 'Open tokens', number: true }, { head: 'https-only', number: true }, { head: 'Last seen', number: true }],
  rows: view.openIssuers.map(({ account, kind, slot, client, open, httpsOnly, lastSeen }) => [html`<code>${account}</code>`, kind, slot ?? 'unknown key', html`<code>${client}</code>`, counted(open, 'request'), counted(httpsOnly, 'request'), ago(lastSeen, view.now)]),
  empty: good,
})}</section>`
}

