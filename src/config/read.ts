// Reads plain values by the schema: fills in defaults and the environment, turns every leaf into what its kind says, and
// notes every fault on the way instead of stopping at the first.
import { describe, nearest, show, under, type Fault } from './fault.ts'
import { KINDS, Unfit, type Kind, type KindName } from './kinds.ts'
import type { FileUse, Node } from './schema.ts'

/** A file that the configuration names. */
export interface NamedFile {
  /** Where it is named: `tls.certificates[0].cert`. */
  readonly path: string
  /** Its absolute path. */
  readonly file: string
  readonly use: FileUse
}

export interface Reading {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Makes the name of a file absolute. */
  readonly resolve: (file: string) => string
  /** Both are filled while reading. */
  readonly faults: Fault[]
  readonly files: NamedFile[]
}

/** Given a value, its schema and its path, returns what was read; undefined where it is absent or at fault. */
export function readNode(value: unknown, node: Node, path: string, reading: Reading): unknown {
  if (node.anyOf !== undefined) return readEither(value, node, path, reading)
  if (node.properties !== undefined) return readSection(value, node, path, reading)
  if (node.items !== undefined) return readList(value, node, path, reading)
  return node.kind === undefined ? undefined : readLeaf(value, node, node.kind, path, reading)
}

function readEither(value: unknown, node: Node, path: string, reading: Reading): unknown {
  const choice = node.anyOf?.find((n) => n.properties !== undefined ? isSection(value) : n.items !== undefined ? Array.isArray(value) : typeof value === 'string')
  return choice === undefined ? misfit(describe(value), node, path, reading) : readNode(value, choice, path, reading)
}

function readSection(value: unknown, node: Node, path: string, reading: Reading): unknown {
  if (!isSection(value)) return misfit(describe(value), node, path, reading)
  const known = node.properties ?? {}
  for (const key of Object.keys(value).filter((k) => !Object.hasOwn(known, k))) {
    reading.faults.push({ path: under(path, key), found: 'an unknown key', allowed: suggestion(key, Object.keys(known)) })
  }
  const read: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(known)) {
    const part = Object.hasOwn(value, key) ? value[key] : child.default
    const result = part === undefined ? readAbsent(child, node.required?.includes(key) ?? false, under(path, key), reading) : readNode(part, child, under(path, key), reading)
    if (result !== undefined) read[key] = result
  }
  return read
}

const readAbsent = (node: Node, required: boolean, path: string, reading: Reading): unknown => required ? misfit('nothing', node, path, reading) : undefined

// Faulty items leave a hole, so that the places of the others stay true.
function readList(value: unknown, node: Node, path: string, reading: Reading): unknown {
  if (!Array.isArray(value)) return misfit(describe(value), node, path, reading)
  const { items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = node
  if (value.length < minItems) return misfit('an empty list', node, path, reading)
  if (value.length > maxItems) return misfit(`a list of ${value.length}`, node, path, reading)
  return value.map((item: unknown, index) => readNode(item, items, `${path}[${index}]`, reading))
}

function readLeaf(value: unknown, node: Node, name: KindName, path: string, reading: Reading): unknown {
  const kind: Kind = KINDS[name]
  if (name === 'opaque') return value
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return misfit(describe(value), node, path, reading)
  const scalar = typeof value === 'string' ? substitute(value, kind, path, reading) : value
  if (scalar === undefined) return undefined
  const read = kind.read(scalar, node)
  // The text of the file is shown, not what the environment put into it: that could be anything.
  if (read instanceof Unfit) return misfit(read.found ?? (kind.shown ? `${show(value)}${scalar === value ? '' : ' from the environment'}` : describe(value)), node, path, reading)
  return node.use === undefined ? read : nameFile(String(read), node.use, path, reading)
}

function nameFile(name: string, use: FileUse, path: string, { resolve, files }: Reading): string {
  const file = resolve(name)
  files.push({ path, file, use })
  return file
}

function substitute(text: string, kind: Kind, path: string, { environment, faults }: Reading): string | number | boolean | undefined {
  const before = faults.length
  const filled = text.replace(/\$\{([^}]*)(\}?)/g, (whole, name: string, end: string) => {
    const wellFormed = end !== '' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
    const value = wellFormed && Object.hasOwn(environment, name) ? environment[name] : undefined
    if (!wellFormed) faults.push({ path, found: 'a ${ that names no variable', allowed: '${NAME}' })
    else if (value === undefined) faults.push({ path, found: `${show(whole)}, which is not set`, allowed: 'a variable that is set in the environment' })
    return value ?? ''
  })
  if (faults.length > before) return undefined
  return filled === text ? text : scalarOf(filled, kind)
}

// What the environment gives is always text: a number or a truth value is meant where only that can stand.
function scalarOf(text: string, { json: { type = [] } }: Kind): string | number | boolean {
  if (type.includes('integer') && /^\d+$/.test(text)) return Number(text)
  if (type.includes('number') && /^\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (type.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function misfit(found: string, node: Node, path: string, { faults }: Reading): undefined {
  faults.push({ path, found, allowed: allowedFor(node) })
}

function allowedFor(node: Node): string {
  if (node.kind !== undefined) return KINDS[node.kind].allowed(node)
  if (node.anyOf !== undefined) return node.anyOf.map(allowedFor).join(', or ')
  if (node.items !== undefined) return `a list${node.minItems === undefined ? '' : ' that is not empty'}${node.maxItems === undefined ? '' : ` of ${node.maxItems} at most`}`
  return `a section with ${Object.keys(node.properties ?? {}).join(', ')}`
}

function suggestion(key: string, known: readonly string[]): string {
  const meant = nearest(key, known)
  return `one of ${known.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

const isSection = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
