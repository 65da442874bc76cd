// Trace Context is sent upstream as it came, on every way, and its trace id is in the line. Where a receiver is configured each request
// is a span there; one that hangs, fails or is gone costs spans and nothing else; and without one nothing of it is loaded.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { far, serveGate, startGate, writeConfiguration, type GateProcess } from '../support/gate.ts'
import { startReceiver, type Receiver } from '../support/otlp.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const API = 'payroll.localhost'
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const TRACEPARENT = `traceparent: 00-${TRACE}-${SPAN}-01`

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

const WISH = { storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, upstreamHost('blob'), upstream.port) }], names: [API] }
const traced = (receiver: Pick<Receiver, 'port'>, more: object = {}) => ({ ...WISH, tracing: { endpoint: `https://127.0.0.1:${receiver.port}/v1/traces`, ca: realm.caFile, ...more } })

/** The fields of the latest request at the upstream that tell of a trace, as they came. */
const traceFields = (): string[] => upstream.seen.at(-1)?.headerLines.filter((line) => /^trace/i.test(line)) ?? []

void t.test('without tracing: the fields go up byte for byte and the trace id is in the line', async (test) => {
  const gate = await startGate(test, realm, WISH)
  for (const [host, count] of [[storageHost('blob'), 1], [API, 2]] as const) {
    const fields = [`TraceParent: 00-${TRACE}-${SPAN}-01`, 'tracestate: a=1,b=2']
    await askOnce(test, gate, 'GET /c/b', [`Host: ${host}`, ...fields])
    test.strictSame(traceFields(), fields, host)
    test.equal((await gate.requests(count)).at(-1)?.['traceId'], TRACE, host)
  }
})

void t.test('a field that is not valid is sent upstream all the same, and is in no line', async (test) => {
  const gate = await startGate(test, realm, WISH)
  for (const [fields, count] of [[['traceparent: nonsense'], 1], [[`traceparent: 00-${TRACE}-${'0'.repeat(16)}-01`], 2], [[TRACEPARENT, TRACEPARENT], 3]] as const) {
    await askOnce(test, gate, 'GET /c/b', fields)
    test.strictSame(traceFields(), fields)
    test.notHas((await gate.requests(count)).at(-1), 'traceId')
  }
})

void t.test('each request is a span of a server, under the client\'s own', async (test) => {
  const receiver = await startReceiver(test, realm)
  realm.write('otlp-headers', 'Authorization: Bearer t0ken\n')
  const gate = await serveGate(test, realm, traced(receiver, { headers: 'otlp-headers' }))
  await askOnce(test, gate, 'GET /c/b?comp=list', [TRACEPARENT])
  test.strictSame(traceFields(), [TRACEPARENT], 'nothing of the request is changed')
  await askOnce(test, gate, 'POST /v1/x', [`Host: ${API}`, 'Content-Length: 2'], 'ab')
  await askOnce(test, gate, 'GET /c/b;sig=s3cret?sig=s3cret', [])
  upstream.script((turn) => turn.reset())
  await askOnce(test, gate, 'PROPFIND /c/b', [])
  upstream.script(ok)

  const spans = await receiver.received(4)
  const [storage, api, refused, failed] = spans
  const line = gate.lines('request').find(({ traceId }) => traceId === TRACE)
  test.match(storage, { traceId: TRACE, parentSpanId: SPAN, name: 'GET tideoffice', kind: 2, attributes: {
    'http.request.method': 'GET', 'http.response.status_code': 200, 'url.path': '/c/b', 'url.scheme': 'https', 'server.address': storageHost('blob'), 'tidegate.route': 'tideoffice', 'tidegate.service': 'blob', 'tidegate.request_id': line?.['requestId'],
  }, resource: { 'service.name': 'tidegate', 'service.version': /^\d/ } })
  test.notHas(storage?.attributes, 'tidegate.reason')
  test.match(storage?.spanId, /^[0-9a-f]{16}$/)
  const ms = Number(BigInt(storage?.endTimeUnixNano ?? 0) - BigInt(storage?.startTimeUnixNano ?? 0)) / 1e6
  test.ok(Math.abs(ms - Number(line?.['ms'])) < 0.1, `${ms} ms, and ${String(line?.['ms'])} in the line`)
  test.match(api, { name: 'POST payroll', attributes: { 'server.address': API, 'tidegate.service': 'api', 'http.response.status_code': 200 } })
  test.notOk(api?.parentSpanId, 'a trace that begins here')
  test.match(refused, { name: 'GET tideoffice', attributes: { 'url.path': '/c/b;sig=REDACTED', 'http.response.status_code': 403, 'tidegate.reason': /^sas-/ } })
  test.notOk(refused?.status.code, 'a client\'s mistake is no error of the server')
  test.match(failed, { name: 'HTTP tideoffice', status: { code: 2 }, attributes: { 'http.request.method': '_OTHER', 'http.response.status_code': 502, 'error.type': 'upstream-reset', 'tidegate.reason': 'upstream-reset' } })
  test.notMatch(JSON.stringify(spans), /s3cret/)
  test.equal(receiver.heads[0]?.authorization, 'Bearer t0ken')
  test.notMatch(gate.text.join('\n'), /t0ken/)

  realm.write('otlp-headers', 'Authorization: Bearer an0ther\n')
  await until(() => gate.lines('reloaded').length > 0, 'the new file')
  await askOnce(test, gate, 'GET /c/b', [])
  await receiver.received(5)
  test.equal(receiver.heads.at(-1)?.authorization, 'Bearer an0ther', 'a changed file is applied')
  test.equal(await gate.metric('tidegate_trace_spans_dropped_total'), 0)

  await writeConfiguration(realm, WISH)
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reloaded').length > 1, 'a configuration without tracing')
  await askOnce(test, gate, 'GET /c/b', [TRACEPARENT])
  await gate.stop()
  test.equal(receiver.spans.length, 5, 'a reload ends it')
})

void t.test('the client\'s decision holds, and the ratio for traces that begin here', async (test) => {
  const receiver = await startReceiver(test, realm)
  const gate = await serveGate(test, realm, traced(receiver, { ratio: 0 }))
  const client = await dial(test, gate)
  for (const flags of ['00', '01', '00']) await client.ask('GET /c/b', [`traceparent: 00-${TRACE}-${SPAN}-${flags}`])
  await client.ask('GET /c/b')
  client.close()
  await gate.stop()
  test.strictSame((await receiver.received(1)).map(({ traceId }) => traceId), [TRACE], 'sent at the end of the drain at the latest')
})

/** Asks until spans were lost; every request has to go well. */
async function askUntilDropped(test: Test, gate: GateProcess): Promise<void> {
  const head = `GET /c/b HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`
  while (await gate.metric('tidegate_trace_spans_dropped_total') === 0) {
    const client = await dial(test, gate)
    for (let i = 0; i < BEHIND; i++) client.expect(head)
    await client.send(head.repeat(BEHIND))
    await client.reply(BEHIND)
    if (client.replies.some(({ status }) => status !== 200)) throw new Error('a request was not carried')
    client.close()
  }
  test.pass('spans were dropped and counted, requests were not')
}

/** Requests behind one another on a connection: below the gate's limit. */
const BEHIND = 250

void t.test('a receiver that never answers costs spans, not requests', async (test) => {
  const receiver = await startReceiver(test, realm)
  receiver.answer('never')
  const gate = await serveGate(test, realm, { ...traced(receiver), log: { sample: 0 } })
  await askUntilDropped(test, gate)
  await gate.stop()
  test.equal(await gate.ended, 0, 'nor does it keep the gateway from ending')
})

void t.test('so does one that refuses', async (test) => {
  const receiver = await startReceiver(test, realm)
  receiver.answer(400)
  await askUntilDropped(test, await serveGate(test, realm, { ...traced(receiver), log: { sample: 0 } }))
})

void t.test('so does one that is gone', async (test) => {
  await askUntilDropped(test, await serveGate(test, realm, { ...traced({ port: 1 }), log: { sample: 0 } }))
})

void t.test('so does one that is not to be trusted: it is sent nothing', async (test) => {
  const receiver = await startReceiver(test, realm)
  await askUntilDropped(test, await serveGate(test, realm, { ...traced(receiver, { ca: undefined }), log: { sample: 0 } }))
  test.equal(receiver.heads.length, 0)
})

void t.test('OpenTelemetry\'s SDK is loaded where traces are configured, and nowhere else', async (test) => {
  const receiver = await startReceiver(test, realm)
  const file = join(realm.folder, 'loaded')
  const watcher = realm.write('watch.mjs', `import { registerHooks } from 'node:module'
import { appendFileSync } from 'node:fs'
registerHooks({ resolve(name, context, next) { const found = next(name, context); if (/opentelemetry|prom-client/.test(found.url)) appendFileSync(${JSON.stringify(file)}, found.url + '\\n'); return found } })\n`)
  for (const [wish, loaded] of [[WISH, false], [traced(receiver), true]] as const) {
    realm.write('loaded', '')
    const gate = await serveGate(test, realm, wish, { NODE_OPTIONS: `--import=${watcher}` })
    await askOnce(test, gate, 'GET /c/b')
    await gate.stop()
    const names = readFileSync(file, 'utf8')
    test.match(names, /prom-client/, 'the watcher sees what is loaded')
    // prom-client brings its `api` along, which is types and a hook that does nothing.
    test.equal(/@opentelemetry\/(?!api\/)/.test(names), loaded)
  }
})
