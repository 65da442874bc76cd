// The few numbers that say how it goes, each with what it is of.
import { urgencyOf } from './attention.ts'
import { ago, count, counted, duration, latency, NOTHING, percent, rate } from './format.ts'
import { html, type Html, type Part } from './html.ts'
import type { View } from './view.ts'

interface Tile {
  readonly label: string
  readonly value: Part
  readonly note: Part
  readonly level?: 'warn' | 'bad'
}

const TILES: readonly ((view: View) => Tile)[] = [
  ({ requests, windowSeconds, inFlight }) => ({ label: 'Requests', value: rate(requests.recent, windowSeconds), note: `${count(requests.recent)} in the last ${duration(windowSeconds)}, ${count(inFlight)} in flight` }),
  ({ refused, refusals: [most], windowSeconds }) => ({ label: 'Refused', value: counted(refused.recent, 'time'), note: refused.recent === 0 || most === undefined ? `in the last ${duration(windowSeconds)}` : html`in the last ${duration(windowSeconds)}, most for <code>${most.reason}</code>` }),
  ({ connections: { tls, plain, limit } }) => ({ label: 'Connections', value: `${count(tls)} open`, note: `of ${count(limit)} allowed; ${count(plain)} on the plain port`, ...(tls + plain > 0.8 * limit ? { level: 'warn' } : {}) }),
  ({ handshakes, resumedShare, windowSeconds }) => ({ label: 'Handshakes', value: rate(handshakes.recent, windowSeconds), note: resumedShare === null ? 'none since the start' : `${percent(resumedShare)} resumed since the start` }),
  ({ postQuantumShare }) => ({ label: 'Post-quantum', value: percent(postQuantumShare), note: 'of the handshakes since the start' }),
  ({ own, windowSeconds }) => ({ label: 'Gateway’s own time', value: html`${latency(own.p99)}`, note: own.p99 === null ? `no requests in the last ${duration(windowSeconds)}` : `p99; p50 ${latency(own.p50)}; last ${duration(windowSeconds)}` }),
  upstreamTile,
  certificateTile,
  ({ workers, workersWanted, workerRestarts }) => {
    const listening = workers.filter((worker) => worker.listening).length
    return { label: 'Workers', value: `${listening} of ${workersWanted}`, note: `${counted(workerRestarts.total, 'restart')} since the start`, ...(listening < workersWanted ? { level: 'bad' } : {}) }
  },
  configurationTile,
]

/** The tiles as a list of terms. */
export function tilesOf(view: View): Html {
  return html`<dl class="tiles">${TILES.map((tile) => tile(view)).map(({ label, value, note, level }) =>
    html`<div class="tile-${level ?? 'plain'}"><dt>${label}</dt><dd>${value}</dd><dd>${note}</dd></div>`)}</dl>`
}

function upstreamTile({ upstreams }: View): Tile {
  const troubled = upstreams.filter(({ health }) => health === 'failing' || health === 'some-failures')
  const idle = upstreams.filter(({ health }) => health === 'idle').length
  if (upstreams.length === idle) return { label: 'Upstreams', value: idle === 0 ? NOTHING : `${count(idle)} idle`, note: 'no requests lately' }
  if (troubled.length === 0) return { label: 'Upstreams', value: `${count(upstreams.length - idle)} of ${count(upstreams.length)} answer`, note: idle > 0 ? `${count(idle)} idle, none failed lately` : 'none failed lately' }
  return { label: 'Upstreams', value: `${count(troubled.length)} in trouble`, note: troubled.map(({ name }) => name).slice(0, 3).join(', '), level: troubled.some(({ health }) => health === 'failing') ? 'bad' : 'warn' }
}

function certificateTile({ certificates: [first] }: View): Tile {
  if (first === undefined) return { label: 'Certificates', value: NOTHING, note: 'none with an end' }
  const level = urgencyOf(first)
  return { label: 'First certificate to end', value: first.daysLeft < 0 ? 'expired' : counted(first.daysLeft, 'day'), note: html`<code>${first.name}</code>`, ...(level === undefined ? {} : { level }) }
}

function configurationTile({ configuration: { generation, reloads: [last] }, now }: View): Tile {
  if (last === undefined) return { label: 'Configuration', value: `generation ${generation}`, note: 'no reload since the start' }
  return last.result === 'success'
    ? { label: 'Configuration', value: `generation ${generation}`, note: html`applied ${ago(Date.parse(last.at), now)}` }
    : { label: 'Configuration', value: 'reload refused', note: html`${ago(Date.parse(last.at), now)}; generation ${generation} in force`, level: 'bad' }
}
