import { test } from 'tap'
import { describe, nearest, show, under } from '../../src/config/fault.ts'

await test('what is shown is short, on one line, and cannot drive a terminal', async (t) => {
  t.equal(show('plain'), 'plain')
  t.equal(show(99_999), '99999')
  t.equal(show(false), 'false')
  t.equal(show(''), 'empty text')
  t.equal(show(null), 'nothing')
  t.equal(show({ secret: 1 }), 'a section')
  t.equal(show('a\nb\u001b[31m\u202e'), 'a\\u000ab\\u001b[31m\\u202e')
  t.equal(show('x'.repeat(61)), `${'x'.repeat(59)}…`)
  t.equal(show('x'.repeat(60)).length, 60)
})

await test('kinds of values', async (t) => {
  for (const [value, text] of [[null, 'nothing'], [undefined, 'nothing'], [[], 'a list'], [{}, 'a section'], ['x', 'text'], [1, 'a number'], [true, 'a truth value']] as const) t.equal(describe(value), text)
})

await test('the nearest known key', async (t) => {
  const known = ['connections', 'connectionsPerAddress', 'handshakes', 'requestHeaders']
  t.equal(nearest('conections', known), 'connections')
  t.equal(nearest('Request_headers', known), 'requestHeaders')
  t.equal(nearest('hand-shakes', known), 'handshakes')
  t.equal(nearest('tsl', ['tls', 'plain', 'admin']), 'tls')
  t.equal(nearest('colour', known), undefined)
  t.equal(nearest('__proto__', known), undefined)
  t.equal(nearest('x'.repeat(100_000), known), undefined)
})

await test('paths', async (t) => {
  t.equal(under('', 'listen'), 'listen')
  t.equal(under('a.b', 'c'), 'a.b.c')
  t.equal(under('a', 'b c\n'), 'a."b c\\u000a"')
})
