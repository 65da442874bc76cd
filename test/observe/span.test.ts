// A finished request as a span: what it is called, whose fault it is, and nothing that a line may not show.
import t from 'tap'
import { createTrafficMetrics } from '../../src/observe/metrics.ts'
import { Recorder } from '../../src/observe/recorder.ts'
import type { FinishedRequest } from '../../src/observe/request-line.ts'
import { spanOf, type SpanFacts } from '../../src/observe/span.ts'
import { Refusal, type Reason } from '../../src/refusal.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined, line: () => undefined }
const numbers = new Recorder(createTrafficMetrics(), quiet, () => 0).routeNumbers('tideoffice', 'blob')
const span = (more: Partial<FinishedRequest> = {}): SpanFacts => spanOf({
  requestId: 'id', numbers, method: 'GET', target: '/c/b?sig=SECRET', status: 200, received: 0, sent: 0, duration: 1, gatewayDuration: 1, upstreamDuration: 1, tls: 'TLSv1.3', address: '192.0.2.1', peer: null, traceparent: undefined, sas: null, refusal: null, broken: false, ...more,
}, 'tideoffice.blob.tide.example')

void t.test('a good request', async (test) => {
  test.match(span(), { name: 'GET tideoffice', parent: undefined, failed: false, attributes: { 'http.request.method': 'GET', 'url.path': '/c/b', 'http.response.status_code': 200, 'server.address': 'tideoffice.blob.tide.example', 'tidegate.request_id': 'id' } })
  test.notMatch(JSON.stringify(span()), /SECRET|192\.0\.2/)
  test.match(span({ method: 'PURGE' }), { name: 'HTTP tideoffice', attributes: { 'http.request.method': '_OTHER' } })
})

void t.test('what failed, and by whose fault', async (test) => {
  const rows: [what: string, done: Partial<FinishedRequest>, failed: boolean, type: string | undefined][] = [
    ['a client\'s mistake', { status: 403, refusal: new Refusal('sas-expired') }, false, undefined],
    ['the service\'s own fault', { status: 503 }, true, '503'],
    ['an upstream that is not there', { status: 502, refusal: new Refusal('upstream-unreachable') }, true, 'upstream-unreachable'],
    ['an upstream that breaks off in its reply', { status: 200, broken: true, refusal: new Refusal('upstream-reset') }, true, 'upstream-reset'],
    ['a client that leaves', { status: 200, broken: true }, false, undefined],
    ['a client that does not read', { status: 200, broken: true, refusal: new Refusal('body-too-slow') }, false, undefined],
  ]
  for (const [what, done, failed, type] of rows) {
    test.equal(span(done).failed, failed, what)
    test.equal(span(done).attributes['error.type'], type, what)
  }
})

void t.test('a client that got nothing has no status; a refusal has its reason', async (test) => {
  test.notHas(span({ status: 499, broken: true }).attributes, 'http.response.status_code')
  const reason: Reason = 'sas-expired'
  test.match(span({ status: 403, refusal: new Refusal(reason), sas: { kind: 'service', outcome: reason } }).attributes, { 'tidegate.reason': reason, 'tidegate.sas': reason })
})
