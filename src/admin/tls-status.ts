// The part `tls` of /status: what clients offer and what they get, and who would be cut off by the profile `modern`.
import { OFFERED } from '../observe/metrics.ts'
import type { ExposedValues } from '../observe/family.ts'
import type { ClientOffers } from '../observe/offers.ts'
import { POST_QUANTUM_GROUPS, type Profile } from '../tls/policy.ts'

/** `/status`, key `tls`. Counts are since the start, over all workers. */
export interface TlsStatus {
  readonly profile: Profile
  /** Hellos by the highest version offered, refused handshakes too; every version is there. */
  readonly offered: Readonly<Record<(typeof OFFERED)[number], number>>
  /** Completed handshakes, most first. */
  readonly negotiated: readonly NegotiatedCount[]
  /** Key exchange groups of completed handshakes, most first. */
  readonly groups: readonly { readonly group: string; readonly postQuantum: boolean; readonly count: number }[]
  readonly completed: number
  /** Shares of the completed handshakes, 0 to 1; null before there is one. */
  readonly resumedShare: number | null
  readonly postQuantumShare: number | null
  /** Handshakes that failed, by reason. */
  readonly refused: Readonly<Record<string, number>>
  /** Addresses that offered less than TLS 1.3, the latest first; at most a thousand, the longest unseen go first. */
  readonly cutOffByModern: readonly CutOff[]
}

export interface NegotiatedCount {
  readonly version: string
  readonly suite: string
  readonly resumed: boolean
  readonly clientCertificate: boolean
  readonly count: number
}

/** An address whose clients, or some of them, offer less than TLS 1.3. */
export interface CutOff {
  readonly client: string
  /** The lowest of the highest versions that its hellos offered. */
  readonly lowest: string
  /** Its hellos by the highest version offered, since the first below TLS 1.3. */
  readonly offered: Readonly<Record<string, number>>
  /** How many of them are served today with less than TLS 1.3; the others are refused already. */
  readonly served: number
  readonly negotiated: ClientOffers['negotiated']
  readonly serverName: string | null
  /** RFC 3339, UTC; of the latest hello below TLS 1.3. */
  readonly lastSeen: string
}

/** Returns the TLS part of /status, from the numbers and tables of all workers. */
export function tlsStatusOf(profile: Profile, numbers: readonly ExposedValues[], offers: readonly ClientOffers[]): TlsStatus {
  const handshakes = countsIn(numbers, 'tidegate_tls_handshakes_total')
  const groups = countsIn(numbers, 'tidegate_tls_groups_total').map(({ labels: { group = '' }, count }) => ({ group, postQuantum: POST_QUANTUM_GROUPS.has(group), count }))
  const completed = total(handshakes)
  const share = (part: readonly { count: number }[]): number | null => (completed === 0 ? null : Math.round((total(part) / completed) * 10_000) / 10_000)
  const hellos = new Map(countsIn(numbers, 'tidegate_tls_client_hello_total').map(({ labels, count }) => [labels['offered'] ?? '', count]))
  return {
    profile,
    offered: Object.fromEntries(OFFERED.map((version) => [version, hellos.get(version) ?? 0])) as TlsStatus['offered'],
    negotiated: handshakes.map(({ labels: { version = '', suite = '', resumed, client_cert: certificate }, count }) => ({ version, suite, resumed: resumed === 'yes', clientCertificate: certificate === 'yes', count })),
    groups,
    completed,
    resumedShare: share(handshakes.filter(({ labels }) => labels['resumed'] === 'yes')),
    postQuantumShare: share(groups.filter(({ postQuantum }) => postQuantum)),
    refused: Object.fromEntries(countsIn(numbers, 'tidegate_refusals_total').filter(({ labels }) => labels['stage'] === 'handshake').map(({ labels, count }) => [labels['reason'] ?? '', count])),
    cutOffByModern: offers.map(cutOff),
  }
}

interface Count { readonly labels: Readonly<Record<string, string>>; readonly count: number }

/** What was counted in a family, most first. */
function countsIn(numbers: readonly ExposedValues[], name: string): Count[] {
  const values = numbers.find((family) => family.name === name)?.values ?? []
  return values.filter(({ value }) => value > 0).map(({ labels, value }) => ({ labels, count: value })).toSorted((a, b) => b.count - a.count)
}

const total = (counts: readonly { count: number }[]): number => counts.reduce((sum, { count }) => sum + count, 0)

function cutOff({ client, offered, served, negotiated, serverName, lastSeen }: ClientOffers): CutOff {
  const lowest = OFFERED.find((version) => offered[version] !== undefined) ?? 'none'
  return { client, lowest, offered, served, negotiated, serverName, lastSeen: new Date(lastSeen).toISOString() }
}
