// What a reload can apply while the gateway runs, and what needs a restart.
import type { Config } from './schema.ts'

/** Bound, or as many as were started, for the life of the supervisor. All else a reload takes up. */
const FIXED_LISTENERS = ['tls', 'plain', 'admin', 'proxyProtocol'] as const satisfies readonly (keyof Config['listen'])[]

/**
 * Given the configuration in force and the one that should replace it, returns the paths that changed and cannot be applied
 * without a restart; none where the reload may go on.
 */
export function planReload(old: Config, next: Config): string[] {
  const listeners = FIXED_LISTENERS.filter((key) => differs(old.listen[key], next.listen[key])).map((key) => `listen.${key}`)
  return [...listeners, ...(old.workers === next.workers ? [] : ['workers'])]
}

function differs(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b)
}
