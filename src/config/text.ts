// From YAML to plain values. Every syntax error becomes a fault with its line and column.
//
// Off: aliases (a few bytes can name a billion), custom tags, merge keys. Error texts of the parser can hold pieces of
// the file, so only their codes are told.
import { LineCounter, isAlias, parseDocument, visit } from 'yaml'
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
  return { path: `${file}:${line}:${col}`, found: code.toLowerCase().replaceAll('_', ' '), allowed: ALLOWED[code] ?? 'well-formed YAML' }
}
