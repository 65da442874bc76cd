// The chunked coding of replies: the same payload however the bytes are cut, bounds, and every malformed shape.
import { array, assert, constantFrom, integer, property, string, tuple, uint8Array } from 'fast-check'
import t from 'tap'
import { ChunkedDecoder } from '../../src/upstream/chunked.ts'
import { failureOf } from './failure-of.ts'

interface Decoded {
  readonly payload: string
  readonly done: boolean
  /** Bytes of the input that belonged to the body. */
  readonly used: number
}

/** Feeds the pieces one after the other. */
function decode(...pieces: (string | Buffer)[]): Decoded {
  const decoder = new ChunkedDecoder()
  const payload: Buffer[] = []
  let used = 0
  for (const piece of pieces) used += decoder.write(Buffer.from(piece as string, 'latin1'), (part) => payload.push(Buffer.from(part)))
  return { payload: Buffer.concat(payload).toString('latin1'), done: decoder.done, used }
}

const ROWS: [what: string, bytes: string, payload: string][] = [
  ['nothing but the end', '0\r\n\r\n', ''],
  ['one chunk', '5\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['several', '1\r\na\r\n2\r\nbc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n', 'abc0123456789abcdef'],
  ['capitals and zeros in a size', '00A\r\n0123456789\r\n000\r\n\r\n', '0123456789'],
  ['CR and LF as payload', '4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
  ['a chunk that looks like the end', '5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n'],
  ['an extension', '5;name=value\r\nhello\r\n0;last\r\n\r\n', 'hello'],
  ['a quoted extension', '5; a="b;c" \r\nhello\r\n0\r\n\r\n', 'hello'],
  ['a blank after the size', '5 \r\nhello\r\n0\r\n\r\n', 'hello'],
  ['trailers', '5\r\nhello\r\n0\r\nETag: "1"\r\nX: y\r\n\r\n', 'hello'],
]

void t.test('well-formed bodies, whole, cut at every byte, and byte by byte', async (test) => {
  for (const [what, bytes, payload] of ROWS) {
    const expected = { payload, done: true, used: bytes.length }
    test.strictSame(decode(bytes), expected, what)
    test.strictSame(decode(...bytes.split('')), expected, `${what}, byte by byte`)
    for (let at = 1; at < bytes.length; at++) {
      const cut = decode(bytes.slice(0, at), bytes.slice(at))
      if (cut.payload !== payload || !cut.done || cut.used !== bytes.length) test.fail(`${what} at ${at}`)
    }
  }
})

void t.test('it is not done before its last byte', async (test) => {
  for (const [what, bytes] of ROWS) test.equal(decode(bytes.slice(0, -1)).done, false, what)
})

void t.test('bytes after the end are not taken', async (test) => {
  test.match(decode('1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK'), { payload: 'a', done: true, used: 11 })
  test.match(decode('0\r\n\r\n', 'more'), { done: true, used: 5 })
})

void t.test('malformed bodies', async (test) => {
  const rows: [what: string, bytes: string, code: string][] = [
    ['no size', '\r\n', 'REPLY_CHUNK_SIZE'],
    ['a letter that is no digit', 'g\r\n', 'REPLY_CHUNK_SIZE'],
    ['0x', '0x5\r\nhello', 'REPLY_CHUNK_SIZE'],
    ['a sign', '+5\r\nhello', 'REPLY_CHUNK_SIZE'],
    ['a minus', '-1\r\n', 'REPLY_CHUNK_SIZE'],
    ['a blank before the size', ' 5\r\nhello', 'REPLY_CHUNK_SIZE'],
    ['an extension without a size', ';a\r\n', 'REPLY_CHUNK_SIZE'],
    ['more digits than a number holds', '00000000000005\r\n', 'REPLY_CHUNK_SIZE'],
    ['LF alone after the size', '5\nhello', 'REPLY_CHUNK_SIZE'],
    ['CR alone after the size', '5\rhello', 'REPLY_CHUNK_LINE_END'],
    ['LF in an extension', '5;a\nhello', 'REPLY_CHUNK_EXTENSION'],
    ['NUL in an extension', '5;a\0', 'REPLY_CHUNK_EXTENSION'],
    ['CR in an extension', '5;a\rb\r\n', 'REPLY_CHUNK_LINE_END'],
    ['payload longer than its size', '5\r\nhello!\r\n', 'REPLY_CHUNK_LINE_END'],
    ['payload shorter than its size', '5\r\nhell\r\n0\r\n\r\n', 'REPLY_CHUNK_LINE_END'],
    ['LF alone after the payload', '5\r\nhello\n0\r\n\r\n', 'REPLY_CHUNK_LINE_END'],
    ['CR alone after the payload', '5\r\nhello\r0\r\n\r\n', 'REPLY_CHUNK_LINE_END'],
    ['nothing after the payload', '5\r\nhello0\r\n\r\n', 'REPLY_CHUNK_LINE_END'],
    ['LF alone after the last chunk', '0\r\n\n', 'REPLY_TRAILER'],
    ['LF alone in trailers', '0\r\nA: b\n\r\n', 'REPLY_TRAILER'],
    ['NUL in trailers', '0\r\nA: \0\r\n\r\n', 'REPLY_TRAILER'],
    ['CR alone in trailers', '0\r\nA: b\rC: d\r\n\r\n', 'REPLY_CHUNK_LINE_END'],
  ]
  for (const [what, bytes, code] of rows) {
    test.equal(failureOf(() => decode(bytes)), `reset ${code}`, what)
    test.equal(failureOf(() => decode(...bytes.split(''))), `reset ${code}`, `${what}, byte by byte`)
  }
})

void t.test('extensions and trailers are bounded, payload is not', async (test) => {
  test.equal(failureOf(() => decode(`5;${'x'.repeat(17_000)}`)), 'reset REPLY_CHUNK_OVERHEAD')
  test.equal(failureOf(() => decode(`0\r\n${'A: b\r\n'.repeat(3000)}`)), 'reset REPLY_CHUNK_OVERHEAD')
  test.equal(decode(`1;${'x'.repeat(10_000)}\r\na\r\n1;${'x'.repeat(10_000)}\r\nb\r\n0\r\n\r\n`).payload, 'ab', 'for each chunk anew')
  const chunks = Array.from({ length: 20_000 }, () => '1\r\na\r\n').join('')
  test.equal(decode(`${chunks}0\r\n\r\n`).payload.length, 20_000)
  const large = Buffer.alloc(300_000, 0x61)
  test.equal(decode(`${large.length.toString(16)}\r\n`, large, '\r\n0\r\n\r\n').payload.length, 300_000)
  test.match(decode('1fffffffffffff\r\n'.slice(1), 'abc'), { payload: 'abc', done: false }, 'as large as a number holds')
})

void t.test('any body in any chunks, cut anywhere, comes out whole', async (test) => {
  const extension = constantFrom('', ';a', '; a="b"', ';a=b;c=d', ' ')
  const chunk = tuple(uint8Array({ minLength: 1, maxLength: 40 }), extension)
  const trailers = array(constantFrom('A: b', 'X-Y:', 'z: \xff'), { maxLength: 3 })
  assert(property(array(chunk, { maxLength: 8 }), trailers, array(integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }), string({ maxLength: 5 }), (chunks, fields, sizes, rest) => {
    const coded = Buffer.concat([
      ...chunks.flatMap(([data, more]) => [Buffer.from(`${data.length.toString(16)}${more}\r\n`), Buffer.from(data), Buffer.from('\r\n')]),
      Buffer.from(['0', ...fields, '', ''].join('\r\n'), 'latin1'),
    ])
    const bytes = Buffer.concat([coded, Buffer.from(rest)])
    const pieces: Buffer[] = []
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = sizes[i % sizes.length] ?? 1
      pieces.push(bytes.subarray(at, at + size))
      at += size
    }
    const { payload, done, used } = decode(...pieces)
    const expected = Buffer.concat(chunks.map(([data]) => data)).toString('latin1')
    if (payload !== expected || !done || used !== coded.length) throw new Error(`${payload.length} of ${expected.length}, ${used} of ${coded.length}`)
  }), { numRuns: 500 })
  test.pass('500 bodies')
})
