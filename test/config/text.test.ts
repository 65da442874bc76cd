import { test } from 'tap'
import { placesIn, readYaml } from '../../src/config/text.ts'

const read = (text: string) => readYaml(text, 'tide.yaml')

await test('plain values', async (t) => {
  t.strictSame(read('a: 1\nb: { c: [true, "x", ~] }'), { value: { a: 1, b: { c: [true, 'x', null] } } })
  t.strictSame(read('# nothing'), { value: null })
  t.strictSame(read('a: yes\nb: 0o17\nc: 1e3'), { value: { a: 'yes', b: 15, c: 1000 } }, 'YAML 1.2')
})

await test('syntax errors have a line and a column', async (t) => {
  const table: [string, string, string][] = [
    ['a: 1\n\tb: 2', 'tide.yaml:2:1', 'tab as indent'],
    ['a: 1\na: 2', 'tide.yaml:2:1', 'duplicate key'],
    ['a: 1\nb: "x', 'tide.yaml:2:6', 'missing char'],
    ['a: &x 1\nb: *x', 'tide.yaml:2:4', 'alias'],
    ['a: !secret 1', 'tide.yaml:1:4', 'tag resolve failed'],
    ['a: 1\n---\nb: 1', 'tide.yaml:2:1', 'multiple docs'],
    ['{ [a]: 1 }', 'tide.yaml:1:3', 'non string key'],
  ]
  for (const [text, path, found] of table) {
    const { faults = [] } = read(text) as { faults?: { path: string; found: string }[] }
    t.match(faults[0], { path, found }, text)
  }
})

await test('many faults at once, and nothing of the text in any of them', async (t) => {
  const { faults = [] } = read('a: 1\na: topsecret\nb: !topsecret x\nc: *topsecret\n"topsecret: 1') as { faults?: object[] }
  t.ok(faults.length >= 3)
  t.notMatch(JSON.stringify(faults), /topsecret/)
})

await test('a key may have any name', async (t) => {
  const { value } = read('__proto__: { x: 1 }\nconstructor: 2') as { value: object }
  t.strictSame(Object.keys(value).toSorted(), ['__proto__', 'constructor'])
  t.equal((value as { x?: number }).x, undefined)
})

await test('deep nesting is a fault, not a crash', async (t) => {
  t.ok('faults' in read('['.repeat(100_000)))
})

await test('the place of a path: its key, its item, or the deepest section on the way', async (t) => {
  const place = placesIn('listen:\n  tls: { port: 0, "odd key": 1 }\napis:\n  - name: a\n    host: b\n  - { name: c }\n')
  const table: [string, number, number][] = [['listen', 1, 1], ['listen.tls.port', 2, 10], ['listen.tls."odd key"', 2, 19], ['listen.plain', 1, 1], ['apis[0].host', 5, 5], ['apis[1]', 6, 5], ['apis[1].host', 6, 5], ['apis[7].host', 3, 1], ['tls', 1, 1], ['', 1, 1]]
  for (const [path, line, column] of table) t.strictSame(place(path), { line, column }, path)
  t.strictSame(placesIn('')('listen'), { line: 1, column: 1 })
})
