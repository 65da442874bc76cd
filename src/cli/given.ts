// The configuration that a command is given: a file, or standard input for the name `-`.
import { resolve } from 'node:path'
import { readBounded } from '../config/disk.ts'
import { loadConfig, type Loaded } from '../config/load.ts'
import { readStandardInput } from './input.ts'

/**
 * Returns the configuration of a file, or of standard input for `-`; relative paths are then relative to the working
 * directory. Rejects with ConfigFaults. `now` is ms since the epoch; `serves` as in loadConfig.
 */
export async function loadGiven(name: string, now: number, serves = false): Promise<Loaded> {
  if (name !== '-') return loadConfig(name, { environment: process.env, now, serves })
  const file = resolve(name)
  const bytes = Buffer.from(await readStandardInput())
  return loadConfig(name, { environment: process.env, now, serves, read: (wanted) => (wanted === file ? Promise.resolve({ bytes, exposed: false }) : readBounded(wanted)) })
}

/** Returns the file's name as findings show it. */
export function shownFile(name: string): string {
  return name === '-' ? '<stdin>' : name
}
