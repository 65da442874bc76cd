// Numbers as people read them: always with a unit, never a false zero or hundred.
import t from 'tap'
import { ago, count, counted, duration, latency, moment, percent, rate } from '../../../src/admin/page/format.ts'

void t.test('counts in groups of three, with their word', async (test) => {
  test.strictSame([0, 7, 999, 1000, 1234567].map(count), ['0', '7', '999', '1\u202F000', '1\u202F234\u202F567'])
  test.strictSame([counted(1, 'day'), counted(0, 'day'), counted(2, 'entry', 'entries')], ['1 day', '0 days', '2 entries'])
})

void t.test('shares', async (test) => {
  test.strictSame([null, 0, 0.0004, 0.004, 0.5, 0.994, 0.99951, 1].map(percent), ['–', '0 %', '< 0.1 %', '0.4 %', '50 %', '99.4 %', '> 99.9 %', '100 %'])
})

void t.test('times of requests', async (test) => {
  test.strictSame([null, 0, 0.00041, 0.0121, 0.999, 1.25, 42, Infinity].map((it) => latency(it)), ['–', '0.0 ms', '0.4 ms', '12 ms', '999 ms', '1.3 s', '42 s', '> 60 s'])
})

void t.test('rates', async (test) => {
  test.strictSame([rate(0, 300), rate(3, 300), rate(300, 100), rate(36_000, 300), rate(5, 0)], ['0 /s', '< 0.1 /s', '3.0 /s', '120 /s', '0 /s'])
})

void t.test('durations in their two largest units', async (test) => {
  test.strictSame([-5, 0, 59.9, 60, 3599, 3600, 3_700, 86_400, 273_600].map(duration), ['0 s', '0 s', '59 s', '1 min', '59 min', '1 h', '1 h 1 min', '1 d', '3 d 4 h'])
})

void t.test('moments in UTC, machine-readable as well', async (test) => {
  const at = Date.parse('2026-11-26T04:21:10.500Z')
  test.equal(moment(at).toString(), '<time datetime="2026-11-26T04:21:10.500Z">2026-11-26 04:21:10 UTC</time>')
  test.equal(ago(at, at + 61_000).toString(), '<time datetime="2026-11-26T04:21:10.500Z" title="2026-11-26 04:21:10 UTC">1 min ago</time>')
})
