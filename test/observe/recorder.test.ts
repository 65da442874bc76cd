// One call an event: its metrics and its line together.
import t from 'tap'
import { createTrafficMetrics } from '../../src/observe/metrics.ts'
import { Recorder, type Log } from '../../src/observe/recorder.ts'
import type { FinishedRequest } from '../../src/observe/request-line.ts'
import { Refusal } from '../../src/refusal.ts'

type Line = Record<string, unknown>

function start() {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, msg: string): void => void lines.push({ level, msg, ...fields })
  const line: Log['line'] = (level, fields, msg) => void lines.push({ level, msg, ...JSON.parse(`{${fields}}`) as Line })
  const metrics = createTrafficMetrics()
  const recorder = new Recorder(metrics, { info: write('info'), warn: write('warn'), error: write('error'), line }, () => 7)
  return { lines, metrics, recorder, numbers: recorder.routeNumbers('tideoffice', 'blob') }
}

const finished = (more: Partial<FinishedRequest>, numbers: FinishedRequest['numbers']): FinishedRequest => ({
  requestId: 'id', numbers, method: 'GET', target: '/c/b?sig=SECRET', status: 200, received: 5, sent: 7, duration: 12.3456, gatewayDuration: 1.5, upstreamDuration: 10, tls: 'TLSv1.3', address: '192.0.2.1', peer: null, traceparent: undefined, sas: null,
  refusal: null, broken: false, ...more,
})

void t.test('a finished request: counted by route, method and class, one line without its secrets', async (test) => {
  const { lines, metrics, recorder, numbers } = start()
  recorder.requestCompleted(finished({}, numbers))
  test.equal(metrics.requests.child('tideoffice', 'blob', 'GET', '2xx').value, 1)
  test.strictSame([metrics.bytes.child('tideoffice', 'received').value, metrics.bytes.child('tideoffice', 'sent').value], [5, 7])
  test.equal(metrics.requestDuration.child('tideoffice').sum, 0.0123456)
  test.strictSame(lines, [{ level: 'info', msg: 'request', requestId: 'id', route: 'tideoffice', service: 'blob', method: 'GET', path: '/c/b?sig=REDACTED', status: 200, received: 5, sent: 7, ms: 12.35, gatewayMs: 1.5, tls: 'TLSv1.3', client: '192.0.2.1', upstreamMs: 10 }])
})

void t.test('whatever a client sends stands in the line as it was sent', async (test) => {
  const { lines, recorder, numbers } = start()
  const odd = ['"', '\\', '/a"b\\c', '/\0\x1f\n', '/\x7f\x80\xff', '/\ud800', '/\ud83d\ude00', '/\u2028', '", "level": "error']
  for (const text of odd) recorder.requestCompleted(finished({ method: text, target: text, peer: text }, numbers))
  test.strictSame(lines.map(({ method, path, peer }) => [method, path, peer]), odd.map((text) => [text, text, text]))
})

void t.test('an upstream that failed is not well again because its numbers are asked for anew', async (test) => {
  const { recorder } = start()
  const numbers = recorder.upstreamNumbers('tideoffice.blob')
  test.equal(numbers.healthy.value, 1, 'before the first exchange')
  numbers.healthy.value = 0
  test.equal(recorder.upstreamNumbers('tideoffice.blob').healthy.value, 0, 'as a reload does')
})

void t.test('methods and classes outside the sets', async (test) => {
  const { metrics, recorder, numbers } = start()
  const rows: [method: string, status: number, label: string, cls: string][] = [['MERGE', 204, 'MERGE', '2xx'], ['PROPFIND', 404, 'other', '4xx'], ['get', 503, 'other', '5xx'], ['', 431, 'other', '4xx'], ['__proto__', 302, 'other', '3xx']]
  for (const [method, status, label, cls] of rows) {
    const cell = metrics.requests.child('tideoffice', 'blob', label, cls)
    const before = cell.value
    recorder.requestCompleted(finished({ method, status }, numbers))
    test.equal(cell.value, before + 1, `${method} ${status}`)
  }
  const series = (await metrics.requests.get()).values.length
  for (const status of [0, 99, 600, 999, -1]) recorder.requestCompleted(finished({ method: `M${status}`, status }, numbers))
  test.equal((await metrics.requests.get()).values.length, series, 'no new series')
})

void t.test('a refused request: counted once with its stage, its line at the level of its row', async (test) => {
  const { lines, metrics, recorder, numbers } = start()
  const refusal = new Refusal('sas-signature', { kind: 'service' })
  recorder.requestRefused(refusal, 'id', '192.0.2.7')
  recorder.requestCompleted(finished({ refusal, status: 403, sas: { kind: 'service', outcome: 'sas-signature' }, broken: true, upstreamDuration: null }, numbers))
  test.equal(metrics.refusals.child('sas', 'sas-signature').value, 1)
  test.strictSame(recorder.refusedBy.list(), [{ range: '192.0.2.0/24', reason: 'sas-signature', count: 1, lastSeen: 7 }])
  test.match(lines, [{ level: 'warn', msg: 'request', reason: 'sas-signature', refusal: { kind: 'service' }, sas: 'sas-signature', sasKind: 'service', broken: true }])
  test.equal(lines.length, 1)
  test.notHas(lines[0], 'upstreamMs')
})

void t.test('a fault of ours gets its stack, in a line of its own', async (test) => {
  const { lines, recorder } = start()
  recorder.requestRefused(new Refusal('unexpected', {}, {}, new TypeError('broken')), 'id', '192.0.2.7')
  recorder.requestRefused(new Refusal('unexpected', {}, {}, 'no error'), 'id2', '192.0.2.7')
  test.match(lines, [{ level: 'error', msg: 'unexpected', requestId: 'id', err: { type: 'TypeError', message: 'broken', stack: /recorder\.test/ } }, { requestId: 'id2', err: { type: 'string' } }])
})

void t.test('a connection that got no further', async (test) => {
  const { lines, metrics, recorder } = start()
  recorder.refused(new Refusal('tls-version', { code: 'X' }), { listener: 'tls', client: '192.0.2.1', suites: ['a'] })
  recorder.refused(new Refusal('hello-timeout'), { listener: 'plain' })
  test.strictSame(lines, [
    { level: 'warn', msg: 'refused', stage: 'handshake', reason: 'tls-version', listener: 'tls', client: '192.0.2.1', suites: ['a'], code: 'X' },
    { level: 'info', msg: 'refused', stage: 'door', reason: 'hello-timeout', listener: 'plain' },
  ])
  test.equal(metrics.refusals.child('handshake', 'tls-version').value, 1)
  test.strictSame(recorder.refusedBy.list().map(({ range, reason }) => `${range} ${reason}`), ['192.0.2.0/24 tls-version', 'unknown hello-timeout'])
})

void t.test('connections, hellos, handshakes, signatures', async (test) => {
  const { metrics, recorder, lines } = start()
  recorder.connectionOpened('tls')
  recorder.connectionOpened('tls')
  recorder.connectionClosed('tls')
  recorder.helloRead('192.0.2.1', { offered: 'tls1.1', serverName: 'a.example' })
  recorder.plaintextSeen('ssh')
  recorder.handshakeCompleted({ client: '192.0.2.1', version: 'TLSv1.2', suite: 'S', group: 'x25519', resumed: true, clientCertificate: false, seconds: 0.25 })
  recorder.sasPassed('tideoffice', { kind: 'service', outcome: 'tightened', slot: 'key2', httpsOnly: false }, '192.0.2.1', 5)
  recorder.sasRefused('tideoffice', 'service', 'sas-expired')
  test.strictSame([metrics.connections.child('tls').value, metrics.connectionsOpen.child('tls').value, metrics.hellos.child('tls1.1').value, metrics.plaintext.child('ssh').value], [2, 1, 1, 1])
  test.equal(metrics.handshakes.child('TLSv1.2', 'S', 'yes', 'no').value, 1)
  test.equal(metrics.handshakeDuration.child('yes').sum, 0.25)
  test.strictSame(recorder.offers.list(), [{ client: '192.0.2.1', offered: { 'tls1.1': 1 }, served: 1, negotiated: { version: 'TLSv1.2', suite: 'S', group: 'x25519' }, serverName: 'a.example', lastSeen: 7 }])
  test.equal(metrics.groups.child('x25519').value, 1)
  test.equal(metrics.sas.child('tideoffice', 'service', 'tightened').value, 1)
  test.equal(metrics.sas.child('tideoffice', 'service', 'sas-expired').value, 1)
  test.strictSame((await metrics.sasKeyUsed.get()).values, [{ value: 1, labels: { account: 'tideoffice', slot: 'key2' } }])
  test.equal(lines.length, 0)
})
