// Turns requests away while memory is short: those on connections that came since then, and what is held whole. All else of
// who was there before goes on.
import type { Arrival } from '../door/arrival.ts'
import { refuse } from '../refusal.ts'

/** Refuses with `overloaded` if the connection came after memory became short. `since`: monotonic ms; undefined: it is not short. */
export function shed(arrival: Pick<Arrival, 'acceptedAt'> | undefined, since: number | undefined): void {
  if (since !== undefined && (arrival === undefined || arrival.acceptedAt >= since)) refuse('overloaded', { why: 'memory' })
}

/** Refuses what would be held in memory whole, whoever sends it, with `overloaded` while memory is short. */
export function shedWhole(since: number | undefined): void {
  if (since !== undefined) refuse('overloaded', { why: 'memory' })
}
