// How busy a worker's event loop is: of each five seconds the share in which it was not waiting.
import type { Cell } from '../observe/family.ts'

const EVERY_MS = 5000

/** Keeps `cell` at the share of the last five seconds, 0 to 1. */
export function measureLoop(cell: Cell): void {
  let last = performance.eventLoopUtilization()
  setInterval(() => {
    const now = performance.eventLoopUtilization()
    cell.value = performance.eventLoopUtilization(now, last).utilization
    last = now
  }, EVERY_MS).unref()
}
