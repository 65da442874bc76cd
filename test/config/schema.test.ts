import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { GENERATED } from '../../scripts/generate.ts'
import { KINDS } from '../../src/config/kinds.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { FILE, type Node } from '../../src/config/schema.ts'
import { UNBUILT } from '../../src/config/unbuilt.ts'

const ROOT = new URL('../../', import.meta.url)
const example = readFileSync(new URL('config/tidegate.example.yaml', ROOT), 'utf8')

function* nodesOf(node: Node, path = ''): Generator<{ path: string; node: Node }> {
  yield { path, node }
  for (const [key, child] of Object.entries(node.properties ?? {})) yield* nodesOf(child, path === '' ? key : `${path}.${key}`)
  if (node.items !== undefined) yield* nodesOf(node.items, `${path}[]`)
  for (const one of node.anyOf ?? []) yield* nodesOf(one, path)
}

const parse = (text: string) => parseConfig(text, { file: 'tidegate.example.yaml', directory: '/etc/tidegate', environment: {} })

const NODES = [...nodesOf(FILE as Node)]

await test('what is generated is fresh (npm run generate)', async (t) => {
  for (const { file, content } of GENERATED) t.equal(readFileSync(new URL(file, ROOT), 'utf8'), content(), file)
})

await test('every key has a description that is a sentence, and every leaf a kind', async (t) => {
  for (const { path, node } of NODES) {
    t.match(node.description, /^\S[^]*\.$/, path)
    t.ok(node.kind !== undefined || node.properties !== undefined || node.items !== undefined || node.anyOf !== undefined, path)
    if (node.kind === 'file') t.ok(node.use, `${path} has a use`)
  }
  t.strictSame(Object.keys(KINDS).filter((kind) => !NODES.some(({ node }) => node.kind === kind)), [], 'no kind is left over')
})

await test('every row of the unbuilt is a key', async (t) => {
  const paths = new Set(NODES.map(({ path }) => path))
  t.strictSame(UNBUILT.filter((row) => !paths.has(row.path)), [])
})

await test('the example has no fault and no warning, and says every key', async (t) => {
  const result = parse(example)
  t.strictSame(result.faults, undefined)
  t.strictSame(result.warnings, [])
  // The services of an account are alike, so one of each form is enough.
  const alike = /accounts\[\]\.(?:dfs|table|cse|userDelegationKeys)|insecureLoopback|^(?:smb|offices)$|upstream\.|\.serverName$/
  for (const { path } of NODES.filter((n) => n.path !== '' && !alike.test(n.path))) {
    const key = path.replace(/\[\]$/, '').split('.').at(-1) ?? ''
    t.match(example, new RegExp(`\\b${key}:`), path)
  }
})

await test('what the example writes are the defaults, where there are any', async (t) => {
  const short = example.replace(/^(?:limits|drain|log):.*\n(?: {2}.*\n)*/gm, '').replace(/^workers: 1\n/m, '').replace(/^ {2}handshakeTimeout:.*\n/m, '').replace(/^ {2}admin:.*\n/m, '')
    .replace(/^ {2}sas:\n(?: {4}.*\n)*/m, '').replace(/^ {2}copySources:.*\n/m, '').replace(/^ {2}clients:\n(?: {4}.*\n)*/m, '').replace(/^ {2}profile:.*\n/m, '')
  const [long, bare] = [parse(example), parse(short)]
  if (long.faults !== undefined || bare.faults !== undefined) throw new Error(JSON.stringify([long.faults, bare.faults]))
  t.not(short, example)
  t.strictSame(bare.config, long.config)
})
