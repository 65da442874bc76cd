// Holds the walls of CONTRIBUTING.md: imports go down in rank only, and only the files below touch the outside.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import t from 'tap'
import { AMBIENT, AMBIENT_EDGES, EDGES, PURE, RANKS, WALL_CLOCK, WALL_CLOCK_FILES } from './support/walls.ts'

const SRC = join(import.meta.dirname, '../src')

interface Import {
  readonly from: string
  /** Names that exist at run time; undefined for a default or namespace import. */
  readonly names: readonly string[] | undefined
}

const files = globSync('**/*.ts', { cwd: SRC }).map((file) => file.split(sep).join('/')).toSorted()
const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]))
const room = (file: string): string => file.split('/')[0] ?? ''

/** Without comments and strings, so that words in them do not count. */
const codeOf = (text: string): string => text.replaceAll(/\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm, '').replaceAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, '\'\'')

function importsOf(text: string): Import[] {
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s+)?([^'"]*?)\s*from\s+'([^']+)'/gm)]
  const bare = [...text.matchAll(/^import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm)].map(([, a, b]): Import => ({ from: a ?? b ?? '', names: undefined }))
  const values = found.filter(([, type]) => type === undefined).map(([, , what = '', from = '']): Import => {
    const braced = /^\{([^}]*)\}$/.exec(what)?.[1]
    return { from, names: braced?.split(',').map((name) => name.trim()).filter((name) => name !== '' && !name.startsWith('type ')) }
  })
  return [...values, ...bare].filter(({ names }) => names?.length !== 0)
}

/** All imports, types as well: a type may not point upward either. */
const innerImports = (text: string): string[] => [...text.matchAll(/(?:from\s+|import\(\s*|^import\s+)'(\.[^']+)'/gm)].map(([, from = '']) => from)

void t.test('imports go down in rank, never sideways between rooms', async (test) => {
  for (const [file, text] of sources) {
    const own = RANKS[room(file)]
    test.ok(own !== undefined, `${file} stands in a room with a rank`)
    for (const from of innerImports(text)) {
      const target = relative(SRC, join(SRC, dirname(file), from)).split(sep).join('/')
      const rank = RANKS[room(target)]
      test.ok(sources.has(target), `${file}: ${from} exists`)
      if (room(target) !== room(file) && !(rank !== undefined && own !== undefined && rank < own)) test.fail(`${file} imports ${target}`)
    }
  }
})

void t.test('only edges import the outside', async (test) => {
  for (const [file, text] of sources) {
    for (const { from, names } of importsOf(text).filter((it) => !it.from.startsWith('.'))) {
      const pure = PURE[from]
      const harmless = pure === 'all' || (pure !== undefined && names !== undefined && names.every((name) => pure.includes(name)))
      test.ok(harmless || EDGES[file]?.includes(from), `${file} imports ${names?.join(', ') ?? 'all'} of ${from}`)
    }
    if (AMBIENT.test(codeOf(text))) test.ok(AMBIENT_EDGES.has(file), `${file} uses ${AMBIENT.exec(codeOf(text))?.[0]}`)
  }
})

void t.test('few ask the wall clock, and none of them measures with it', async (test) => {
  for (const [file, text] of sources) {
    if (WALL_CLOCK.test(codeOf(text))) test.ok(WALL_CLOCK_FILES.has(file), `${file} asks the wall clock`)
    test.notMatch(codeOf(text), /Date\.now\(\) *-|- *Date\.now\(\)/, `${file} takes a duration from the wall clock`)
  }
})

void t.test('no file is over 300 lines, and each says on top what it is for', async (test) => {
  for (const [file, text] of sources) {
    test.ok(text.split('\n').length - 1 <= 300, file)
    test.match(text, /^(?:#!.*\n)?\/\/ \S/, file)
  }
})

void t.test('no any, no suppressed check, no assertion that something is there', async (test) => {
  const banned = [/(?:[:<|&(]\s*|\bas\s+)any\b/, /[\w)\]]!(?=[.;,)\]\s[])(?!\s*=)/]
  for (const [file, text] of sources) {
    test.notMatch(text, /@ts-(?:ignore|expect-error|nocheck)/, file)
    for (const pattern of banned) test.notMatch(codeOf(text), pattern, `${file} ${pattern.source}`)
  }
})
