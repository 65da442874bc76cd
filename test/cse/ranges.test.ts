// Which stored bytes hold a range (spec/client-side-encryption.md 4.2), and which forms are ranges (7.5.4).
import t from 'tap'
import { parseContentRange, parseRange, storedRange, withinBlob } from '../../src/cse/ranges.ts'
import { plainLength, storedLength } from '../../src/cse/regions.ts'
import { ruleFor, ruleTable, type Mode } from '../../src/cse/policy.ts'

const D = 4_194_304

void t.test('the ranges that the Python SDK was seen to fetch', (test) => {
  const fetched = (start: number, length: number): string => {
    const { from, to } = storedRange({ start, end: start + length - 1 }, D)
    return `${from}-${to}`
  }
  test.equal(fetched(0, 1), '0-4194331')
  test.equal(fetched(4_194_303, 2), '0-8388663')
  test.equal(fetched(4_194_304, D), '4194332-8388663')
  test.equal(fetched(9_437_183, 1), '8388664-12582995')
  test.strictSame(storedRange({ start: D, end: undefined }, D), { first: 1, from: D + 28, to: undefined })
  test.end()
})

void t.test('forms', (test) => {
  test.strictSame(parseRange('bytes=0-5'), { start: 0, end: 5 })
  test.strictSame(parseRange('bytes=5-'), { start: 5, end: undefined })
  for (const other of ['bytes=-5', 'bytes=5-4', 'bytes=0-1,3-4', 'bytes 0-5', 'bytes=', '', 'bytes=0-5 ']) test.equal(parseRange(other), undefined, other)
  test.strictSame(withinBlob({ start: 3, end: 90 }, 10), { start: 3, end: 9 })
  test.strictSame(withinBlob({ start: 3, end: undefined }, 10), { start: 3, end: 9 })
  test.equal(withinBlob({ start: 10, end: 11 }, 10), undefined)
  test.equal(withinBlob({ start: 0, end: 1 }, 0), undefined)
  test.strictSame(parseContentRange('bytes 0-9/10'), { from: 0, to: 9, total: 10 })
  test.equal(parseContentRange('bytes */10'), undefined)
  test.end()
})

void t.test('lengths', (test) => {
  const table = [[0, 0], [1, 29], [15, 43], [4_194_303, 4_194_331], [4_194_304, 4_194_332], [4_194_305, 4_194_361], [9_437_184, 9_437_268]] as const
  for (const [plain, stored] of table) {
    test.equal(storedLength(plain, D), stored)
    test.equal(plainLength(stored, D), plain)
  }
  test.equal(plainLength(28, D), 0)
  for (const impossible of [1, 27, D + 28 + 1, D + 28 + 28]) test.equal(plainLength(impossible, D), undefined, String(impossible))
  test.end()
})

const rule = (match: string, mode: Mode) => ({ match, mode, unencrypted: 'refuse', clientEncrypted: 'accept', keyIds: undefined, maxRegion: 16 } as const)

void t.test('the first pattern that matches decides', (test) => {
  const rules = ruleTable([rule('hr-public', 'off'), rule('hr-*', 'transparent'), rule('$root', 'client'), rule('*', 'client')])
  const modeOf = (name: string): Mode | undefined => ruleFor(rules, name)?.mode
  test.equal(modeOf('hr-'), 'transparent')
  test.equal(modeOf('hr-x'), 'transparent')
  test.equal(modeOf('hr-public'), undefined)
  test.equal(modeOf('hr'), 'client')
  test.equal(modeOf('$root'), 'client')
  test.equal(modeOf('$web'), undefined)
  test.end()
})
