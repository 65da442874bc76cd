// What a call came to: the code of the UpstreamFailure that it threw.
import { UpstreamFailure } from '../../src/upstream/failure.ts'

/** The failure that `act` throws, as `kind CODE`; undefined when it throws none. */
export function failureOf(act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    if (error instanceof UpstreamFailure) return `${error.kind} ${error.code}`
    throw error
  }
  return undefined
}
