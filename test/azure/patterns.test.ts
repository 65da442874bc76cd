import { assert, constantFrom, property, string, array } from 'fast-check'
import t from 'tap'
import { matchesPattern, PATTERN, patternsOverlap, PatternTable } from '../../src/azure/patterns.ts'

void t.test('a pattern is a whole name or the beginning of one', async (test) => {
  for (const right of ['genoa', 'genoa-*', '*', '$root']) test.match(right, PATTERN)
  for (const wrong of ['', '*a', 'a*b', '**', 'a**']) test.notMatch(wrong, PATTERN, wrong)
})

void t.test('what matches, and what does not', async (test) => {
  const rows: [pattern: string, name: string, matches: boolean][] = [
    ['genoa', 'genoa', true], ['genoa', 'genoa2', false], ['genoa', 'Genoa', false], ['genoa', '', false],
    ['genoa*', 'genoa2', true], ['genoa-*', 'genoa2', false], ['genoa-*', 'genoa-', true], ['genoa-*', 'xgenoa-1', false],
    ['*', 'anything', true], ['*', '$root', false], ['$*', '$root', false], ['$root', '$root', true], ['$web', '$root', false],
  ]
  for (const [pattern, name, matches] of rows) {
    test.equal(matchesPattern(pattern, name), matches, `${pattern} ${name}`)
    test.equal(new PatternTable([[pattern, 1]]).first(name), matches ? 1 : undefined, `${pattern} ${name}`)
  }
})

void t.test('the order of the patterns is that of the answers', async (test) => {
  const table = new PatternTable(['b*', 'bc', '*', 'bcd*'].map((text, i) => [text, i] as const))
  test.same(table.all('bc'), [0, 1, 2])
  test.same(table.all('bcde'), [0, 2, 3])
  test.equal(table.first('x'), 2)
  test.same(table.all('$bc'), [])
})

const pattern = array(constantFrom('a', 'b', '$', '-'), { maxLength: 3 }).chain((letters) => constantFrom(`${letters.join('')}*`, `${letters.join('')}a`))
const name = string({ unit: constantFrom('a', 'b', '$', '-'), maxLength: 4 })

void t.test('the table agrees with the patterns one by one, and overlaps are found', async (test) => {
  assert(property(array(pattern, { maxLength: 6 }), name, (patterns, candidate) => {
    const one = patterns.map((text, i): [string, number] => [text, i])
    const slow = one.filter(([it]) => matchesPattern(it, candidate)).map(([, i]) => i)
    return JSON.stringify(new PatternTable(one).all(candidate)) === JSON.stringify(slow)
  }), { numRuns: 2000 })
  assert(property(pattern, pattern, name, (a, b, candidate) => patternsOverlap(a, b) || !(matchesPattern(a, candidate) && matchesPattern(b, candidate))), { numRuns: 5000 })
  test.equal(patternsOverlap('genoa-*', 'genoa2'), false)
  test.equal(patternsOverlap('genoa*', 'genoa-*'), true)
  test.equal(patternsOverlap('*', '$root'), false)
})
