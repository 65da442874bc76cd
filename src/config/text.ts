// From YAML to plain values. Every syntax error becomes a fault with its line and column.
//
// Off: aliases (a few bytes can name a billion), custom tags, merge keys. Error texts of the parser can hold pieces of
// the file, so only their codes are told.
import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument, visit, type Node } from 'yaml'
import type { Fault } from './fault.ts'

// With logLevel silent a second document would be dropped without an error.
const YAML = { schema: 'core', version: '1.2', uniqueKeys: true, stringKeys: true, merge: false, customTags: null, prettyErrors: false, strict: true, logLevel: 'error' } as const

const ALLOWED: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'each key once',
  MULTIPLE_DOCS: 'one document',
  TAG_RESOLVE_FAILED: 'no tags',
  TAB_AS_INDENT: 'blanks for indentation',
  ALIAS: 'no anchors and aliases',
}

/** Given the text of the file and its name, returns the plain value, or faults whose path is FILE:LINE:COLUMN. */
export function readYaml(text: string, file: string): { value: unknown } | { faults: Fault[] } {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { ...YAML, lineCounter })
  const wrong: { code: string; offset: number }[] = [...document.errors, ...document.warnings].map((e) => ({ code: e.code, offset: e.pos[0] }))
  visit(document, {
    Alias: (_, node) => { wrong.push({ code: 'ALIAS', offset: isAlias(node) ? node.range?.[0] ?? 0 : 0 }) },
  })
  if (wrong.length > 0) return { faults: wrong.map((w) => fault(w.code, lineCounter.linePos(w.offset), file)) }
  return { value: document.toJS({ maxAliasCount: 0 }) as unknown }
}

function fault(code: string, { line, col }: { line: number; col: number }, file: string): Fault {
  return { path: `${file}:${line}:${col}`, line, column: col, found: code.toLowerCase().replaceAll('_', ' '), allowed: ALLOWED[code] ?? 'well-formed YAML' }
}

/** Where something stands in a text, both from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

const STEP = /\[(\d+)\]|"([^"]*)"|([^.[\]"]+)/g

/**
 * Returns what finds the place of a path such as `apis[1].upstream` in a configuration's text: that of its key, of a list
 * that of the item. A path that is not in the text has the place of the deepest section on its way.
 */
export function placesIn(text: string): (path: string) => Place {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { ...YAML, lineCounter })
  return (path) => {
    let node: unknown = document.contents
    let offset = 0
    for (const [, index, quoted, word] of path.matchAll(STEP)) {
      const next = index === undefined ? keyIn(node, quoted ?? word ?? '') : itemIn(node, Number(index))
      if (next === undefined) break
      ;({ node, offset } = next)
    }
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
}

interface Step {
  readonly node: unknown
  readonly offset: number
}

function keyIn(node: unknown, word: string): Step | undefined {
  const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && String(key.value) === word) : undefined
  return pair === undefined || !isNode(pair.key) ? undefined : { node: pair.value, offset: startOf(pair.key) }
}

function itemIn(node: unknown, index: number): Step | undefined {
  const item = isSeq(node) ? node.items[index] : undefined
  return isNode(item) ? { node: item, offset: startOf(item) } : undefined
}

const startOf = (node: Node): number => node.range?.[0] ?? 0
