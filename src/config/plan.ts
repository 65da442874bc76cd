// What a reload can take up while the gateway runs, and what needs a restart.
import type { Config } from './schema.ts'

/** Bound or built once, at start. */
const FIXED: readonly (keyof Config)[] = ['listen', 'workers', 'limits', 'drain', 'log']
const FIXED_TLS: readonly (keyof Config['tls'])[] = ['profile', 'handshakeTimeout', 'clients']

/** The paths that changed and cannot be taken up without a restart; empty where the reload may go on. */
export function planReload(old: Config, next: Config): string[] {
  const changed = FIXED.filter((key) => differs(old[key], next[key]))
  const tls = FIXED_TLS.filter((key) => differs(old.tls[key], next.tls[key])).map((key) => `tls.${key}`)
  return [...changed, ...tls]
}

function differs(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b)
}
