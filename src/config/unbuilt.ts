// What the schema knows and this version does not do yet. Such a key is a fault, never silently ignored.
import { describe, show, type Fault } from './fault.ts'

interface Unbuilt {
  readonly path: string
  /** The values that are built; without it the key may not be there at all. */
  readonly built?: readonly unknown[]
}

/** One row a feature: with the feature its row goes. */
export const UNBUILT: readonly Unbuilt[] = [
  { path: 'storage.accounts[].cse' },
  { path: 'smb' },
  { path: 'offices' },
]

/** Given what was read of the file (parts at fault may be missing), returns a fault for each key or value that is not built yet. */
export function unbuiltFaults(draft: unknown, table: readonly Unbuilt[] = UNBUILT): Fault[] {
  return table.flatMap(({ path, built }) => find(draft, path.replaceAll('[]', '.[]').split('.'), '')
    .filter(({ value }) => built === undefined || !built.includes(value))
    .map(({ value, at }) => ({ path: at, found: built === undefined ? describe(value) : show(value), allowed: allowed(built) })))
}

const allowed = (built: readonly unknown[] = []) =>
  built.length === 0 ? 'nothing: not built yet in this version' : `${built.map(show).join(' or ')}; the rest is not built yet in this version`

function find(value: unknown, [step, ...rest]: readonly string[], at: string): { value: unknown; at: string }[] {
  if (value === undefined) return []
  if (step === undefined) return [{ value, at }]
  if (step === '[]') return Array.isArray(value) ? value.flatMap((item: unknown, index) => find(item, rest, `${at}[${index}]`)) : []
  const part = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[step] : undefined
  return find(part, rest, at === '' ? step : `${at}.${step}`)
}
