// Every refusal of a request says why, in the words of the service whose clients it meets; nothing of it is sent upstream, and the
// connection goes on or ends as contract section 5 says.
import t, { type Test } from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, SERVICES, storageHost, type Service } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { startUpstream, type Message } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const gate = await startGate(t, realm, {
  storage: Object.fromEntries(SERVICES.map((service) => [service, upstream.port])),
  apis: [{ name: 'payroll', host: API, prefix: '/v1', upstream: far(realm, 'api.upstream.example', upstream.port) }],
  names: [API, 'other.localhost'], limits: { headersTimeout: '1s' },
})

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

interface Code { readonly reason: string; readonly status: number; readonly azure: string }

/** The body of a refusal: what each service's clients read. */
function told(test: Test, reply: Message, service: Service | 'api', { reason, status, azure }: Code): void {
  test.equal(reply.status, status, `${service}: ${reason}`)
  test.equal(reply.header('x-tidegate-reason'), reason)
  test.match(reply.header(service === 'api' ? 'x-request-id' : 'x-ms-request-id'), ID)
  test.equal(reply.header('x-ms-error-code'), service === 'api' ? undefined : azure)
  const id = reply.header('x-ms-request-id') ?? ''
  if (service === 'api') {
    test.equal(reply.header('content-type'), 'application/problem+json')
    test.match(JSON.parse(reply.text), { type: String, title: String, status, reason })
    return
  }
  test.match(reply.header('x-ms-version'), /^\d{4}-\d\d-\d\d$/)
  if (service === 'table') {
    test.equal(reply.header('content-type'), 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8')
    test.match(JSON.parse(reply.text), { 'odata.error': { code: azure, message: { lang: 'en-US', value: new RegExp(`\nRequestId:${id}\nTime:\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{7}Z$`) } } })
  } else if (service === 'dfs') {
    test.equal(reply.header('content-type'), 'application/json;charset=utf-8')
    test.match(JSON.parse(reply.text), { error: { code: azure, message: new RegExp(`\nRequestId:${id}\nTime:`) } })
  } else {
    test.equal(reply.header('content-type'), 'application/xml')
    test.ok(reply.text.startsWith(`\uFEFF<?xml version="1.0" encoding="utf-8"?><Error><Code>${azure}</Code><Message>`))
    test.match(reply.text, new RegExp(`\nRequestId:${id}\nTime:\\d{4}-[\\d-]+T[\\d:]+\\.\\d{7}Z</Message>`))
  }
}

const AMBIGUOUS = [
  '/.', '/..', '/a/./b', '/a/../b', '/a/..', '/%2e', '/%2e%2e/a', '/a/%2E%2e/b', '/a/.%2e', '/a%2f..%2fb', '/a%2F.', '/a\\b', '/a/..\\b', '/a%5c..%5cb', '/%5C..', '//a', '///', '//host/a', '/a%00', '/a%0d%0ab', '/a%7f', '/a%1f', '/a%zz', '/a%', '/a%4', '/%c0%af', '/%ff', '/%ed%a0%80',
  '/a#b', '/a?x\\y', '/a?x#y', '*', 'http://HOST/a', 'https://evil.example/a', 'https://HOST@evil.example/a', 'https://HOST:1/a', 'ftp://HOST/',
]

for (const service of [...SERVICES, 'api'] as const) {
  void t.test(`an ambiguous target: ${service}`, async (test) => {
    const host = service === 'api' ? API : storageHost(service)
    const prefix = service === 'api' ? '/v1' : ''
    const client = await dial(test, gate, { servername: host })
    const before = upstream.seen.length
    for (const target of AMBIGUOUS) {
      const whole = (target.startsWith('/') && !target.startsWith('//') ? prefix + target : target).replace('HOST', host)
      const reply = await client.ask(`GET ${whole}`, [`Host: ${host}`])
      told(test, reply, service, { reason: 'target-ambiguous', status: 400, azure: 'InvalidUri' })
    }
    test.equal(upstream.seen.length, before, 'nothing is sent upstream')
    test.equal((await client.ask(`GET ${prefix}/good`, [`Host: ${host}`])).status, 200, 'and the connection goes on')
  })

  void t.test(`raw bytes that no target may have: ${service}`, async (test) => {
    const host = service === 'api' ? API : storageHost(service)
    const before = upstream.seen.length
    for (const target of ['/a\xe9', '/a\x80', '/a?x=\xff', '/a b', '/a\x01b', '/a\tb', '/a\x00b', 'a', 'a:443', '']) {
      const reply = await askOnce(test, gate, `GET ${target}`, [`Host: ${host}`])
      test.equal(reply.status, 400)
      test.match(reply.header('x-tidegate-reason'), /^(?:target-ambiguous|http-malformed)$/)
    }
    test.equal(upstream.seen.length, before)
  })
}

void t.test('OPTIONS * is 400', async (test) => {
  told(test, await askOnce(test, gate, 'OPTIONS *'), 'blob', { reason: 'target-ambiguous', status: 400, azure: 'InvalidUri' })
})

interface Case extends Code {
  readonly line?: string
  readonly headers?: readonly string[]
  readonly closes?: boolean
}

const MANY = Array.from({ length: 210 }, (_, i) => `x-${i}: 1`)
const SAS = 'sv=2025-05-05&ss=bfqt&srt=sco&se=2099-01-01T00:00:00Z&sp=r'
const SIG = encodeURIComponent(Buffer.alloc(32, 7).toString('base64'))
const INVALID = { status: 400, azure: 'InvalidQueryParameterValue' }
const FAILED = { status: 403, azure: 'AuthenticationFailed' }
const COPY = { status: 400, azure: 'CannotVerifyCopySource' }

const COMMON: readonly Case[] = [
  { reason: 'headers-too-large', status: 431, azure: 'InvalidHeaderValue', line: `GET /v1/a?${'x'.repeat(8193)}`, closes: true },
  { reason: 'headers-too-large', status: 431, azure: 'InvalidHeaderValue', headers: MANY, closes: true },
  { reason: 'headers-too-large', status: 431, azure: 'InvalidHeaderValue', headers: [`x-long: ${'y'.repeat(33_000)}`], closes: true },
  { reason: 'expectation-failed', status: 417, azure: 'InvalidHeaderValue', headers: ['Expect: miracles'] },
  { reason: 'expectation-failed', status: 417, azure: 'InvalidHeaderValue', headers: ['Expect: 100-continue, more'], closes: true },
  { reason: 'method-refused', status: 405, azure: 'UnsupportedHttpVerb', line: 'CONNECT a:443', closes: true },
  { reason: 'method-refused', status: 405, azure: 'UnsupportedHttpVerb', line: 'TRACE /v1/a' },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['Content-Length: 3', 'Content-Length: 4'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['Content-Length: 3', 'Transfer-Encoding: chunked'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['Content-Length: +3'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['Transfer-Encoding: gzip, chunked'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['Transfer-Encoding: xchunked'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['bad name: 1'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', headers: ['x: a\x00b'], closes: true },
  { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue', line: 'NOTAMETHOD /v1/a', closes: true },
]

const STORAGE: readonly Case[] = [
  { reason: 'sas-signature', ...FAILED, line: `GET /c/b?${SAS}&sig=${SIG}` },
  { reason: 'sas-signature', ...FAILED, line: `GET /c/b?${SAS}&sig=` },
  { reason: 'sas-signature', ...FAILED, line: `GET /c/b?${SAS}&sig` },
  { reason: 'sas-duplicate', ...INVALID, line: `GET /c/b?${SAS}&sp=rw&sig=${SIG}` },
  { reason: 'sas-malformed', ...INVALID, line: `GET /c/b?${SAS}&SPR=https&sig=${SIG}` },
  { reason: 'sas-malformed', ...INVALID, line: `GET /c/b?${SAS}&st=%zz&sig=${SIG}` },
  { reason: 'sas-mixed', ...INVALID, line: `GET /c/b?${SAS}&sr=b&sig=${SIG}` },
  { reason: 'sas-protocol-value', ...INVALID, line: `GET /c/b?${SAS}&spr=http&sig=${SIG}` },
  { reason: 'sas-version', ...FAILED, line: `GET /c/b?sv=2014-02-14&ss=b&srt=o&sp=r&sig=${SIG}` },
  { reason: 'copy-source-plaintext', ...COPY, line: 'PUT /c/b', headers: ['x-ms-copy-source: http://tideoffice.blob.core.windows.net/c/a', 'Content-Length: 0'] },
  { reason: 'copy-source-unknown', ...COPY, line: 'PUT /c/b', headers: ['x-ms-copy-source: https://evil.example/c/a', 'Content-Length: 0'] },
  { reason: 'copy-source-unknown', ...COPY, line: 'PUT /c/b', headers: ['x-ms-copy-source: https://user@tideoffice.blob.core.windows.net/c/a', 'Content-Length: 0'] },
  { reason: 'copy-source-unknown', ...COPY, line: 'PUT /c/b', headers: ['x-ms-copy-source: https://169.254.169.254/metadata', 'Content-Length: 0'] },
  { reason: 'sas-signature', ...FAILED, line: 'PUT /c/b', headers: [`x-ms-copy-source: https://tideoffice.blob.core.windows.net/c/a?${SAS}&sig=${SIG}`, 'Content-Length: 0'] },
  { reason: 'sas-signature', ...FAILED, line: 'PUT /c/b', headers: [`x-ms-rename-source: /c/a?${SAS}&sig=${SIG}`, 'Content-Length: 0'] },
]

for (const service of [...SERVICES, 'api'] as const) {
  void t.test(`reasons and codes: ${service}`, async (test) => {
    const host = service === 'api' ? API : storageHost(service)
    const before = upstream.seen.length
    for (const { line = 'GET /v1/a', headers = [], closes = false, ...code } of [...COMMON, ...(service === 'api' ? [] : STORAGE)]) {
      const client = await dial(test, gate, { servername: host })
      const reply = await client.ask(line, [`Host: ${host}`, ...headers])
      told(test, reply, service, code)
      test.equal(reply.header('connection') === 'close', closes, `${code.reason} ${closes ? 'closes' : 'keeps'} the connection`)
      if (closes) test.equal(await client.ended(), 'fin', `${line} ${headers[0]?.slice(0, 40)} ends gently`)
      client.close()
    }
    test.equal(upstream.seen.length, before, 'nothing is sent upstream')
  })
}

void t.test('Host decides: none, two, unreadable, unknown, another one than the handshake said', async (test) => {
  const before = upstream.seen.length
  const raw = async (head: string, servername?: string): Promise<Message> => {
    const client = await dial(test, gate, servername === undefined ? { servername: '', checkServerIdentity: () => undefined } : { servername })
    return await client.request(head)
  }
  for (const headers of ['', 'Host:\r\n', 'Host: a b\r\n', `Host: ${API}/x\r\n`, `Host: ${API}\r\nHost: ${API}\r\n`, `Host: ${API}\r\nhost: other\r\n`, 'Host: user@api.localhost\r\n']) {
    const reply = await raw(`GET /v1/a HTTP/1.1\r\n${headers}\r\n`, storageHost('table'))
    told(test, reply, 'table', { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue' })
  }
  told(test, await raw('GET / HTTP/1.1\r\n\r\n'), 'api', { reason: 'http-malformed', status: 400, azure: '' })
  for (const host of ['nobody.example', '127.0.0.1', '[::1]', 'localhost', `x.${API}`, 'tideoffice.blob', 'evil.blob.localhost', 'constructor']) {
    told(test, await raw(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`), 'api', { reason: 'host-unknown', status: 421, azure: '' })
  }
  for (const host of [API, API.toUpperCase(), `${API}.`, `${API}:8443`, `${API}.:1`]) {
    test.equal((await raw(`GET /v1/a HTTP/1.1\r\nHost: ${host}\r\n\r\n`, API)).status, 200, `${host} is the same name`)
  }
  test.equal(upstream.seen.length, before + 5)
  told(test, await raw(`GET /v1/a HTTP/1.1\r\nHost: ${API}\r\n\r\n`, storageHost('blob')), 'api', { reason: 'host-not-sni', status: 421, azure: '' })
  told(test, await raw(`GET /v1/a HTTP/1.1\r\nHost: ${storageHost('queue')}\r\n\r\n`, API), 'queue', { reason: 'host-not-sni', status: 421, azure: 'InvalidUri' })
  told(test, await raw(`GET /v1/a HTTP/1.1\r\nHost: ${API}\r\n\r\n`, 'other.localhost'), 'api', { reason: 'host-not-sni', status: 421, azure: '' })
  test.equal(upstream.seen.length, before + 5, 'nothing is sent upstream')
})

void t.test('an API answers under its prefix only, in whole segments', async (test) => {
  for (const [path, passes] of [['/v1', true], ['/v1/', true], ['/v1?x', true], ['/%76%31/a', true], ['/v1%2fa', true], ['/v10', false], ['/v', false], ['/', false], ['/V1', false], ['/v1;a', false], ['/v1%20', false]] as const) {
    const reply = await askOnce(test, gate, `GET ${path}`, [`Host: ${API}`])
    if (passes) test.equal(reply.status, 200, path)
    else told(test, reply, 'api', { reason: 'path-unknown', status: 404, azure: '' })
  }
})

for (const { maxVersion } of [{ maxVersion: 'TLSv1.2' }, { maxVersion: 'TLSv1.3' }] as const) {
  void t.test(`another Host than the name of the handshake is refused on resumed connections too: ${maxVersion}`, async (test) => {
    for (const name of [storageHost('blob'), storageHost('queue')]) {
      const first = await dial(test, gate, { maxVersion, servername: name })
      let session: Buffer | undefined
      first.socket.on('session', (latest: Buffer) => (session = latest))
      test.equal((await first.ask('GET /a', [`Host: ${name}`])).status, 200)
      session ??= first.socket.getSession()
      first.close()
      for (const host of [storageHost('blob'), storageHost('queue'), API]) {
        const again = await dial(test, gate, { maxVersion, servername: name, session })
        test.equal(again.socket.isSessionReused(), true, 'resumed')
        const reply = await again.ask('GET /v1/a', [`Host: ${host}`])
        test.equal(reply.status, host === name ? 200 : 421, `${host} over ${name}`)
        test.equal(reply.header('x-tidegate-reason'), host === name ? undefined : 'host-not-sni')
        again.close()
      }
    }
  })
}

void t.test('HEAD gets no body, and its reason phrase holds the message', async (test) => {
  const client = await dial(test, gate)
  const reply = await client.ask('HEAD /a/../b')
  test.match([reply.status, reply.reason, reply.length, reply.header('x-ms-error-code')], [400, 'The request target can be read in more than one way.', 0, 'InvalidUri'])
  test.equal((await client.ask('GET /a')).text, 'ok', 'the connection is in step')
})

void t.test('client request id and version come back', async (test) => {
  const reply = await askOnce(test, gate, 'GET /a/../b?api-version=2020-02-02', ['x-ms-client-request-id: abc-1', 'x-ms-version: 2021-01-01'])
  test.match([reply.header('x-ms-client-request-id'), reply.header('x-ms-version')], ['abc-1', '2021-01-01'])
  const odd = await askOnce(test, gate, 'GET /a/../b', ['x-ms-client-request-id: a b', 'x-ms-version: odd'])
  test.match([odd.header('x-ms-client-request-id'), odd.header('x-ms-version')], [undefined, /^\d{4}-/])
})

void t.test('a body that is outstanding: a short rest is read and the connection goes on, a long one ends it', async (test) => {
  const before = upstream.seen.length
  const client = await dial(test, gate)
  test.equal((await client.ask('PUT /a/../b', ['Content-Length: 60000'], Buffer.alloc(60_000))).header('connection'), 'keep-alive')
  const head = 'PUT /a/../b HTTP/1.1\r\nHost: tideoffice.blob.localhost\r\nContent-Length: 10\r\n\r\n'
  const number = client.expect(head)
  await client.sendPieces(head, '12345')
  test.equal((await client.reply(number)).status, 400, 'before the body is whole')
  await client.send('67890')
  test.equal((await client.ask('GET /good')).text, 'ok')
  const long = await client.ask('PUT /a/../b', ['Content-Length: 10000000'], 'begun')
  test.match([long.status, long.header('connection')], [400, 'close'])
  test.equal(await client.ended(), 'fin')
  const chunked = await dial(test, gate)
  test.equal((await chunked.ask('PUT /a/../b', ['Transfer-Encoding: chunked'])).header('connection'), 'close')
  test.equal(upstream.seen.length, before + 1)
})

void t.test('what follows a refusal that closes is ignored', async (test) => {
  const before = upstream.seen.length
  for (const bad of ['GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', `GET /a?${'x'.repeat(9000)} HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', `PUT /.. HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`]) {
    const client = await dial(test, gate)
    const number = client.expect(bad)
    await client.send(`${bad}GET /smuggled HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
    test.ok((await client.reply(number)).status >= 400)
    await client.sendPieces(`GET /late HTTP/1.1\r\nHost: ${storageHost('blob')}\r\n\r\n`)
    await client.ended()
    test.equal(client.replies.length, 1)
  }
  test.strictSame(upstream.seen.slice(before).map(({ target }) => target), [])
})

void t.test('heads that do not come whole: 408, closed', async (test) => {
  for (const piece of ['', 'GET /a HT', `GET /a HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nx: `]) {
    const client = await dial(test, gate)
    await client.send(piece)
    const reply = await client.reply(client.expect('GET '))
    told(test, reply, 'blob', { reason: 'headers-timeout', status: 408, azure: 'OperationTimedOut' })
    test.equal(await client.ended(), 'fin')
  }
})

void t.test('the HTTP/2 preface is malformed HTTP', async (test) => {
  const client = await dial(test, gate)
  const reply = await client.request('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  told(test, reply, 'blob', { reason: 'http-malformed', status: 400, azure: 'InvalidHeaderValue' })
  test.equal(await client.ended(), 'fin')
})

void t.test('each refusal is counted once, and its line names the reason', async (test) => {
  for (const reason of ['target-ambiguous', 'host-unknown', 'host-not-sni', 'http-malformed', 'headers-too-large', 'headers-timeout', 'loop', 'path-unknown', 'method-refused', 'sas-signature', 'copy-source-unknown']) {
    const lines = gate.lines('request').filter((line) => line.reason === reason)
    test.equal(await gate.metric('tidegate_refusals_total', { reason }), lines.length, reason)
  }
  test.strictSame(gate.lines('refused').map(({ reason }) => reason), [], 'refusals in HTTP stand in the line of their request')
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'unexpected' }), 0)
})
