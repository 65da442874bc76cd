// docs/logging.md as a schema: what each kind of line may hold. A test reads it and holds real lines to it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = join(import.meta.dirname, '../../docs/logging.md')

/** Field and types, by `msg`. A dotted name is inside an object, `[]` inside a list. */
export type LogSchema = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

/** Reads the page. `msg` is a heading; `Every line` counts for all. */
export function readLogSchema(): LogSchema {
  const sections = readFileSync(PAGE, 'utf8').split(/^## /m).slice(1).map((section) => {
    const [heading = '', ...lines] = section.split('\n')
    const fields = lines.flatMap((line) => {
      const [, field, types] = /^\| `([^`]+)` \| ([^|]+) \|/.exec(line) ?? []
      return field === undefined || types === undefined ? [] : [[field, types.split(',').map((type) => type.trim())] as const]
    })
    return [heading, new Map(fields)] as const
  })
  const every = new Map(sections.find(([heading]) => heading === 'Every line')?.[1])
  return new Map(sections.flatMap(([heading, fields]) => (heading.startsWith('`') ? [[heading.slice(1, -1), new Map([...every, ...fields])] as const] : [])))
}

/** What is wrong with a line; nothing where it is as written. `seen` gets `msg field` of every field that it has. */
export function faultsOf(line: Readonly<Record<string, unknown>>, schema: LogSchema, seen: Set<string>): string[] {
  const msg = String(line['msg'])
  const fields = schema.get(msg)
  if (fields === undefined) return [`no line \`${msg}\` is documented`]
  return flat(line).flatMap(([field, type]) => {
    seen.add(`${msg} ${field}`)
    const types = fields.get(field)
    if (types === undefined) return [`\`${msg}\` has no documented field \`${field}\``]
    return types.includes(type) ? [] : [`\`${field}\` of \`${msg}\` is a ${type}, documented as ${types.join(', ')}`]
  })
}

function flat(value: object, before = ''): [field: string, type: string][] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const own = `${before}${key}`
    const within = Array.isArray(inner) ? inner.filter((item) => typeof item === 'object').flatMap((item: object) => flat(item, `${own}[].`)) : inner instanceof Object ? flat(inner, `${own}.`) : []
    return [[own, typeOf(inner)] as [string, string], ...within]
  })
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (!Array.isArray(value)) return typeof value
  return value.every((item) => typeof item === 'string') ? 'list' : 'list of objects'
}
