// Trace Context, section 3.2: what is a valid `traceparent`, with the specification's own examples.
import t from 'tap'
import { parseTraceParent } from '../../src/observe/traceparent.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

for (const [value, sampled] of [[`00-${TRACE}-${SPAN}-01`, true], [`00-${TRACE}-${SPAN}-00`, false], [`00-${TRACE}-${SPAN}-03`, true], [`cc-${TRACE}-${SPAN}-01`, true], [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, true]] as const) {
  void t.test(`valid: ${value}`, async (test) => test.strictSame(parseTraceParent(value), { traceId: TRACE, spanId: SPAN, sampled }))
}

for (const value of [undefined, '', '00', `ff-${TRACE}-${SPAN}-01`, `00-${TRACE.toUpperCase()}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`, `00-${TRACE}-${SPAN}-1`, `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01 `, ` 00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-0g`, `0-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01.more`, `00-${TRACE}${SPAN}-01`, `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`]) {
  void t.test(`not valid: ${value}`, async (test) => test.equal(parseTraceParent(value), undefined))
}
