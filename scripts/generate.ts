// What is written from the sources: the JSON Schema for editors and the reference in docs/, from the configuration's schema, and
// the dashboard. `npm run generate`.
import { readFileSync, writeFileSync } from 'node:fs'
import { KINDS } from '../src/config/kinds.ts'
import { FILE, type Node } from '../src/config/schema.ts'
import { UNBUILT } from '../src/config/unbuilt.ts'
import { dashboardText } from './dashboard.ts'
import { filesText } from './files.ts'

const ROOT = new URL('../', import.meta.url)
const BEGIN = '<!-- reference: written by scripts/generate.ts, do not edit -->'
const END = '<!-- end of reference -->'

/** Every generated file: its path from the root, and what should stand in it now. */
export const GENERATED: readonly { readonly file: string; readonly content: () => string }[] = [
  { file: 'config/tidegate.schema.json', content: () => `${JSON.stringify(jsonSchema(), null, 2)}\n` },
  { file: 'deploy/chart/files/dashboard.json', content: dashboardText },
  { file: 'docs/files.md', content: filesText },
  { file: 'docs/configuration.md', content: () => between(readFileSync(new URL('docs/configuration.md', ROOT), 'utf8'), reference()) },
]

function between(text: string, middle: string): string {
  const [before, rest = ''] = text.split(BEGIN)
  const after = rest.split(END)[1]
  if (after === undefined) throw new Error(`docs/configuration.md lacks the lines ${BEGIN} and ${END}`)
  return `${before}${BEGIN}\n\n${middle}\n${END}${after}`
}

// --- JSON Schema

const jsonSchema = () => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Tidegate',
  ...jsonOf(FILE as Node),
  $defs: { environment: { description: 'Filled in from the environment.', type: 'string', pattern: '\\$\\{[A-Za-z_]' } },
})

type Json = Readonly<Record<string, unknown>>

function jsonOf(node: Node): Json {
  const { description, default: fallback } = node
  const about = { description, default: fallback }
  if (node.anyOf !== undefined) return { ...about, anyOf: node.anyOf.map(jsonOf) }
  if (node.items !== undefined) return { ...about, type: 'array', items: jsonOf(node.items), minItems: node.minItems, maxItems: node.maxItems }
  if (node.properties !== undefined) return { ...about, ...jsonOfSection(node.properties, node.required ?? []) }
  return { ...about, ...jsonOfLeaf(node) }
}

function jsonOfSection(properties: Readonly<Record<string, Node>>, required: readonly string[]): Json {
  const needed = required.filter((key) => properties[key]?.default === undefined)
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, jsonOf(child)])),
    required: needed.length > 0 ? needed : undefined,
    additionalProperties: false,
  }
}

function jsonOfLeaf({ kind, minimum, maximum, enum: values }: Node): Json {
  if (kind === undefined || kind === 'opaque') return {}
  const environment = { $ref: '#/$defs/environment' }
  if (kind === 'workers') return { anyOf: [{ type: 'integer', minimum, maximum }, { const: 'auto' }, environment] }
  if (kind === 'choice') return { anyOf: [{ enum: values }, environment] }
  if (kind === 'ratio') return { anyOf: [{ type: 'number', minimum: 0, maximum: 1 }, environment] }
  if (kind === 'integer') return { anyOf: [{ type: 'integer', minimum, maximum }, environment] }
  const json = KINDS[kind].json
  return 'pattern' in json || json.type !== 'string' ? { anyOf: [json, environment] } : json
}

// --- the reference

interface Row { readonly key: string; readonly kind: string; readonly fallback: string; readonly does: string }

function reference(): string {
  const rows = Object.entries(FILE.properties as Readonly<Record<string, Node>>)
    .flatMap(([key, node]) => rowsOf(key, node, (FILE as Node).required?.includes(key) ?? false))
  return ['| key | kind | default | what it does |', '| --- | --- | --- | --- |',
    ...rows.map(({ key, kind, fallback, does }) => `| \`${key}\` | ${kind} | ${fallback} | ${does} |`), ''].join('\n')
}

function rowsOf(key: string, node: Node, required: boolean): Row[] {
  return [{ key, kind: kindOf(node), fallback: fallbackOf(node, required), does: [node.description ?? '', builtPart(key)].filter(Boolean).join(' ') }, ...inner(key, node)]
}

// The services of an account are all alike, so only the first is opened.
function inner(key: string, node: Node): Row[] {
  if (/accounts\[\]\.(?!blob)/.test(key)) return []
  const section = node.anyOf?.find((n) => n.properties !== undefined) ?? node
  const properties = section.properties ?? section.items?.properties ?? {}
  const prefix = section.items === undefined ? key : `${key}[]`
  const required = section.required ?? section.items?.required ?? []
  return Object.entries(properties).flatMap(([name, child]) => rowsOf(`${prefix}.${name}`, child, required.includes(name)))
}

function kindOf(node: Node): string {
  if (node.anyOf !== undefined) return node.anyOf.some((n) => n.properties !== undefined) ? 'URL or section' : node.anyOf.map(kindOf).join(' or ')
  if (node.properties !== undefined) return 'section'
  if (node.items !== undefined) return `list of ${node.items.properties === undefined ? kindOf(node.items) : 'sections'}${node.maxItems === undefined ? '' : `, ${node.maxItems} at most`}`
  if (node.kind === 'choice') return (node.enum ?? []).map((value) => `\`${value}\``).join(', ')
  return node.kind === undefined ? '' : KINDS[node.kind].title
}

function fallbackOf({ default: fallback }: Node, required: boolean): string {
  if (fallback === undefined) return required ? '**required**' : '–'
  return typeof fallback === 'object' ? '' : `\`${JSON.stringify(fallback).replaceAll('"', '')}\``
}

function builtPart(key: string): string {
  const row = UNBUILT.find(({ path }) => path === key)
  if (row === undefined) return ''
  return row.built === undefined ? '*Not built yet.*' : `*Built so far: ${row.built.map((value) => `\`${String(value)}\``).join(', ')}.*`
}

if (import.meta.main) {
  for (const { file, content } of GENERATED) {
    writeFileSync(new URL(file, ROOT), content())
    console.log(`wrote ${file}`)
  }
}
