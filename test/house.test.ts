// Holds the walls of CONTRIBUTING.md: imports go down in rank only, and only the files below touch the outside.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import t from 'tap'

const SRC = join(import.meta.dirname, '../src')

const RANKS: Readonly<Record<string, number>> = { 'refusal.ts': 0, 'roll.ts': 0, azure: 1, observe: 1, sas: 2, tls: 2, door: 2, upstream: 3, gate: 4, config: 4, process: 5, cli: 6 }

/** What a file without a line in EDGES may import of the outside. `node:net` for its two pure names only. */
const PURE: Readonly<Record<string, readonly string[] | 'all'>> = {
  'node:crypto': ['X509Certificate', 'constants', 'createHash', 'createHmac', 'createPrivateKey', 'createSecretKey', 'hkdfSync', 'timingSafeEqual'],
  'node:buffer': 'all',
  'node:url': 'all',
  'node:net': ['isIP', 'isIPv4', 'isIPv6', 'BlockList'],
  'lru-cache': 'all',
}

/** The holes in the wall: a file, and the outside modules that it may use beyond the pure ones. A new one is a line in a review. */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  'cli/arguments.ts': ['node:util'],
  'cli/main.ts': ['node:module'],
  'cli/serve.ts': ['node:util'],
  'config/disk.ts': ['node:fs/promises', 'node:path'],
  'config/load.ts': ['node:path'],
  'config/schema.ts': ['typebox'],
  'config/text.ts': ['yaml'],
  'door/front-door.ts': ['node:net'],
  'gate/api-proxy.ts': ['@fastify/http-proxy', 'node:http'],
  'gate/app.ts': ['fastify', 'node:https'],
  'gate/batch.ts': ['node:stream'],
  'gate/reply-stream.ts': ['node:stream'],
  'gate/kernel-state.ts': ['node:fs', 'node:fs/promises'],
  'observe/audit.ts': ['node:fs'],
  'observe/log.ts': ['node:fs', 'pino'],
  'observe/metrics.ts': ['prom-client'],
  'observe/tracing.ts': ['@opentelemetry/api', '@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/resources', '@opentelemetry/sdk-trace-base'],
  'observe/pretty.ts': ['node:tty', 'pino-pretty'],
  'process/admin.ts': ['fastify'],
  'process/collector.ts': ['node:v8'],
  'process/notify.ts': ['node:child_process'],
  'process/rehearsal.ts': ['node:crypto', 'node:https'],
  'process/rehearsal-scenes.ts': ['node:net', 'node:tls'],
  'process/reports.ts': ['node:os'],
  'process/descriptors.ts': ['node:fs'],
  'process/memory.ts': ['node:fs', 'node:v8'],
  'process/routes.ts': ['node:tls'],
  'process/serve.ts': ['close-with-grace', 'node:os'],
  'process/seal.ts': ['node:fs', 'node:inspector'],
  'process/status.ts': ['node:fs'],
  'process/supervisor.ts': ['node:cluster'],
  'process/tickets.ts': ['node:crypto'],
  'process/totals.ts': ['prom-client'],
  'process/worker.ts': ['node:crypto'],
  'tls/cert-store.ts': ['node:tls'],
  'tls/self-signed.ts': ['node:crypto'],
  'tls/ticket-renewal.ts': ['node:crypto'],
  'upstream/dial.ts': ['node:net', 'node:tls'],
}

/** Clocks, randomness, the environment and timers reach a file without any import. */
const AMBIENT = /\b(?:Date\.now\(|new Date\(\)|performance\.|Math\.random\(|process\.(?!nextTick)|setTimeout\(|setInterval\(|setImmediate\(|fetch\(|globalThis\b)/
const AMBIENT_EDGES = new Set([
  'cli/arguments.ts', 'cli/check.ts', 'cli/inspect.ts', 'cli/main.ts', 'cli/mint.ts', 'cli/serve.ts', 'cli/voice.ts', 'door/front-door.ts', 'door/plaintext.ts', 'gate/api-proxy.ts', 'gate/deliver.ts', 'gate/half-closed.ts', 'gate/pace.ts', 'gate/websocket.ts', 'observe/log.ts', 'observe/tracing.ts',
  'process/collector.ts', 'process/memory.ts', 'process/loop.ts', 'process/notify.ts', 'process/page/script.ts', 'process/questions.ts', 'process/rehearsal.ts', 'process/rehearsal-scenes.ts', 'process/reload.ts', 'process/reports.ts', 'process/seal.ts', 'process/serve.ts', 'process/status.ts', 'process/supervisor.ts', 'process/tickets.ts', 'process/traffic.ts', 'process/worker.ts', 'upstream/closure.ts', 'upstream/dial.ts', 'upstream/pool.ts',
])

/** The wall clock steps: it says when something happened, and what a token or a certificate is worth; never how long. */
const WALL_CLOCK = /\bDate\.now\(|\bnew Date\(\)/
const WALL_CLOCK_FILES = new Set([
  'cli/check.ts', 'cli/inspect.ts', 'cli/mint.ts', 'cli/serve.ts', 'observe/log.ts', 'process/page/script.ts', 'process/reload.ts', 'process/reports.ts', 'process/serve.ts', 'process/supervisor.ts', 'process/tickets.ts', 'process/worker.ts',
])

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
