// What a call came to: its value, or the reason of the Refusal that it threw.
import { Refusal, type Reason } from '../../src/refusal.ts'

/** The refusal that `act` throws; undefined when it throws none. Anything else that it throws goes on. */
export function refusalOf(act: () => unknown): Refusal | undefined {
  try {
    act()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  return undefined
}

/** The same as a reason; `passed` when there is none. */
export function reasonOf(act: () => unknown): Reason | 'passed' {
  return refusalOf(act)?.reason ?? 'passed'
}
