// Every known shape that makes two readers of HTTP disagree about where a request begins, ends or goes: each is refused with
// its reason, or is sent upstream in one reading. Behind each shape stands a canary: a request that must be its own or not be at all.
import t, { type Test } from 'tap'
import { far, serveGate, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const gate = await startGate(t, realm, {
  storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, 'api.upstream.example', upstream.port) }], names: [API],
})
const WAYS = [
  { way: 'storage', host: storageHost('blob'), above: `${upstreamHost('blob')}:${upstream.port}` },
  { way: 'api', host: API, above: `api.upstream.example:${upstream.port}` },
] as const

/** What becomes of a shape: a refusal that ends the connection, one that keeps it, or what is sent upstream: request line, fields, body. */
type Fate = { readonly closed: string } | { readonly kept: string } | { readonly up: readonly [line: string, fields: string, body: string]; readonly last?: true }
type Shape = readonly [bytes: string, fate: Fate]

const MALFORMED: Fate = { closed: 'http-malformed' }
const AMBIGUOUS: Fate = { kept: 'target-ambiguous' }
const put = (fields: string, body = ''): string => `PUT /1 HTTP/1.1\r\nHost: HOST\r\n${fields}\r\n${body}`
const line = (first: string): string => `${first}\r\nHost: HOST\r\n\r\n`
const host = (fields: string): string => `GET /1 HTTP/1.1\r\n${fields}\r\n\r\n`
const chunks = (body: string): string => put('Transfer-Encoding: chunked\r\n', body)
const up = (first: string, fields = '', body = ''): Fate => ({ up: [first, fields, body] })
const all = <T>(values: readonly T[], shape: (value: T) => string, fate: Fate): Shape[] => values.map((value) => [shape(value), fate])

const CODINGS: readonly Shape[] = [
  [put('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nG'), MALFORMED],
  [put('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'), MALFORMED],
  ...all(['xchunked', 'chunked, identity', 'identity, chunked', 'gzip, chunked', 'chunked, chunked', 'chunked;q=1', '"chunked"', 'chunk', 'identity', 'cow', '', ' chunked\t', '\x0bchunked', 'chunked\x0b', '\x0cchunked',
    'chunked\0', ',chunked', 'chunked,', 'chunked\r\n , identity', '\r\n chunked'], (value) => put(`Transfer-Encoding: ${value}\r\n`, '0\r\n\r\n'), MALFORMED),
  ...all(['Transfer-Encoding : chunked', ' Transfer-Encoding: chunked', 'Transfer-Encoding\t: chunked', 'Transfer-Encoding\0: chunked', 'Transfer-Encoding\r\n : chunked', 'Transfer-Encoding', ': chunked', 'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked', 'X: y\r\n\tTransfer-Encoding: chunked', 'transfer-encoding: chunked\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked'], (field) => put(`${field}\r\n`, '0\r\n\r\n'), MALFORMED),
  [put('Transfer-Encoding:chunked\r\n', '0\r\n\r\n'), up('PUT /1', 'Transfer-Encoding: chunked\r\n')],
  [put('transfer-encoding:\tChunked\r\n', '1\r\na\r\n0\r\n\r\n'), up('PUT /1', 'transfer-encoding: Chunked\r\n', 'a')],
  [put('Transfer_Encoding: chunked\r\n'), up('PUT /1')],
  ...all(['', 'Connection: keep-alive\r\n'], (field) => `PUT /1 HTTP/1.0\r\nHost: HOST\r\n${field}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, MALFORMED),
]

const LENGTHS: readonly Shape[] = [
  ...all(['+3', '-3', '0x3', '3,3', '3, 3', '3 3', '3.0', '3;', '3_', '1e1', '', '03', '000000000000003', '\xb3', '99999999999999999999', '18446744073709551619', '9007199254740993'], (value) => put(`Content-Length: ${value}\r\n`, 'abc'), MALFORMED),
  ...all(['Content-Length: 3\r\nContent-Length: 3', 'Content-Length: 3\r\ncontent-length: 0', 'Content-Length : 3', 'Content-Length\r\n : 3'], (field) => put(`${field}\r\n`, 'abc'), MALFORMED),
  ...all([' 3', '3 ', '\t3\t'], (value) => put(`Content-Length:${value}\r\n`, 'abc'), up('PUT /1', 'Content-Length: 3\r\n', 'abc')),
  [put('Content_Length: 3\r\n'), up('PUT /1')],
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS'].map((method): Shape => [`${method} /1 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 21\r\n\r\nGET /2 HTTP/1.1\r\nA: b`, up(`${method} /1`, 'Content-Length: 21\r\n', 'GET /2 HTTP/1.1\r\nA: b')]),
]

const CHUNKS: readonly Shape[] = [
  ...all(['0x3\r\nabc', '+3\r\nabc', '-3\r\nabc', ' 3\r\nabc', '3 \r\nabc', '3\t\r\nabc', '3;\r\nabc', '3 ;a\r\nabc', '3;a="\r\n"\r\nabc', '3;\nabc', '3;a\nb\r\nabc', '3;\0\r\nabc', '10000000000000003\r\nabc', 'g\r\nabc', '\r\nabc', '3\nabc', '3\rabc', '3\r\nabcd', '3\r\nab'],
    (chunk) => chunks(`${chunk}\r\n0\r\n\r\n`), MALFORMED),
  ...all(['3\r\nabc0\r\n\r\n', '3\r\nabc\n0\r\n\r\n', '3\r\nabc\r0\r\n\r\n', '3\r\nabc\r\n-0\r\n\r\n', '3\r\nabc\r\n0\r\n\n', '3\r\nabc\r\n0\n\n', '3\r\nabc\r\n0\r\nX: 1\n\r\n', '3\r\nabc\r\n0\r\nbad trailer\r\n\r\n', '3\r\nabc\r\n0\r\n X: 1\r\n\r\n',
    '3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n', '3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'], chunks, MALFORMED),
  ...all(['3\r\nabc', '003\r\nabc', '3;a\r\nabc', '3;a=b;c="d;e"\r\nabc'], (chunk) => chunks(`${chunk}\r\n0\r\n\r\n`), up('PUT /1', 'Transfer-Encoding: chunked\r\n', 'abc')),
  ...all(['000\r\n\r\n', '0;a=b\r\n\r\n', '0\r\nX-T: 1\r\n\r\n', '0\r\nHost: evil\r\nAuthorization: x\r\nx-ms-date: x\r\n\r\n', '0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
    (end) => chunks(`3\r\nabc\r\n${end}`), up('PUT /1', 'Transfer-Encoding: chunked\r\n', 'abc')),
  [chunks('3\r\nabc\r\n0\r\nConnection: close\r\n\r\n'), { up: ['PUT /1', 'Transfer-Encoding: chunked\r\n', 'abc'], last: true }],
]

const LINES: readonly Shape[] = [
  ...['HTTP/1.2', 'HTTP/1.10', 'HTTP/01.1', 'HTTP/1', 'HTTP/1.', 'http/1.1', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.1 ', 'HTTP/1.1\t', 'HTTP/1.1x', 'HTTPS/1.1', 'ICE/1.0'].map((version): Shape => [line(`GET /1 ${version}`), MALFORMED]),
  ['GET /1\r\n\r\n', MALFORMED], ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', MALFORMED],
  ...['GET\t/1\tHTTP/1.1', ' GET /1 HTTP/1.1', 'get /1 HTTP/1.1', 'GeT /1 HTTP/1.1', 'G\0T /1 HTTP/1.1', 'GET\0 /1 HTTP/1.1', 'G\xc9T /1 HTTP/1.1', 'FOO /1 HTTP/1.1', 'GET/ /1 HTTP/1.1', 'GET /1\0 HTTP/1.1', 'GET /1\t HTTP/1.1', 'GET /a b HTTP/1.1',
    'GET /1\rHTTP/1.1', 'GET 1 HTTP/1.1', 'GET ?x HTTP/1.1', 'GET  HTTP/1.1', 'GET @evil.example/1 HTTP/1.1', 'GET https:/1 HTTP/1.1', 'GET https://HOST\\@evil.example/1 HTTP/1.1', 'GET /\xff HTTP/1.1'].map((first): Shape => [line(first), MALFORMED]),
  ...['GET /1#f HTTP/1.1', 'GET * HTTP/1.1', 'OPTIONS * HTTP/1.1', 'GET http://HOST/1 HTTP/1.1', 'GET https://evil.example/1 HTTP/1.1', 'GET https://u@HOST/1 HTTP/1.1', 'GET https://HOST:443/1 HTTP/1.1', 'GET https:///1 HTTP/1.1', 'GET file:///1 HTTP/1.1',
    'GET //evil.example/1 HTTP/1.1', 'GET https://HOST//evil.example HTTP/1.1', 'GET /a/../1 HTTP/1.1', 'GET /a/%2e%2e/1 HTTP/1.1', 'GET /%0d%0a HTTP/1.1', 'GET /%00 HTTP/1.1', 'GET /%c0%af HTTP/1.1', 'GET /a\\..\\1 HTTP/1.1'].map((first): Shape => [line(first), AMBIGUOUS]),
  ...['CONNECT HOST:443 HTTP/1.1', 'CONNECT /1 HTTP/1.1', 'CONNECT 10.0.0.1:22 HTTP/1.1'].map((first): Shape => [line(first), { closed: 'method-refused' }]),
  ...['GET  /1 HTTP/1.1', 'GET /1  HTTP/1.1', '\r\nGET /1 HTTP/1.1', '\r\n\r\nGET /1 HTTP/1.1', 'GET https://HOST/1 HTTP/1.1', 'GET HTTPS://HOST/1 HTTP/1.1'].map((first): Shape => [line(first), up('GET /1')]),
  [line('GET https://HOST?x HTTP/1.1'), up('GET /?x')],
  ...['GET /1 HTTP/1.1\nHost: HOST\n\n', 'GET /1 HTTP/1.1\r\nHost: HOST\r\n\n', 'GET /1 HTTP/1.1\rHost: HOST\r\r', 'GET /1 HTTP/1.1\r\r\nHost: HOST\r\n\r\n', 'GET /1 HTTP/1.1\r\n X: x\r\nHost: HOST\r\n\r\n'].map((bytes): Shape => [bytes, MALFORMED]),
  ...all(['X: a\0b', 'X: a\x01b', 'X: a\x7fb', 'X: a\r\n b', 'X: a\rb', 'X: a\nb', 'X\x80: a', 'X(: a', '"X": a', 'X Y: a', 'X'], (field) => put(`${field}\r\n`), MALFORMED),
]

const HOSTS: readonly Shape[] = [
  ...all(['X: y', 'Host:', 'Host: HOST\r\nHost: HOST', 'Host: HOST\r\nhost: evil.example', 'Host: a@HOST', 'Host: HOST@evil.example', 'Host: HOST#x', 'Host: HOST/x', 'Host: HOST?x', 'Host: HOST\\x', 'Host: h\xc3\xb6st', 'Host: HOST, evil.example', 'Host: HOST evil.example',
    'Host: HOST:', 'Host: HOST:x', 'Host: HOST:443:443', 'Host: HOST..', 'Host: .HOST', 'Host: HOST%00', 'Host: HOST\0', 'Host: https://HOST', 'Host : HOST', ' Host: HOST', 'Host: HOST\r\n x', 'Host: [HOST]'], host, MALFORMED),
  ...all(['Host: 127.0.0.1', 'Host: [::1]', 'Host: evil.example', 'Host: xn--e1afmkfd', 'Host: localhost'], host, { kept: 'host-not-sni' }),
  ...all(['hOsT:HOST\t', 'Host: HOST.', 'Host: HOST:443', 'X-Forwarded-Host: evil.example\r\nHost: HOST', 'X-Real-IP: 10.0.0.1\r\nHost: HOST', 'Forwarded: host=evil.example\r\nHost: HOST'], host, up('GET /1')),
  [host('Host: HOST\r\nX-Host: evil.example'), up('GET /1', 'X-Host: evil.example\r\n')],
]

const HELD = 'Content-Length: 3\r\nAuthorization: a\r\nCookie: c\r\nx-ms-date: d\r\nx-api-key: k\r\nX-Auth-Token: t\r\nRange: r\r\nIf-Match: i\r\nContent-Type: t\r\nDate: d\r\n'
const HOPS: readonly Shape[] = [
  ...all(['Content-Length', 'Transfer-Encoding', 'Host', 'Authorization', 'Cookie', 'x-ms-date', 'X-Api-Key', 'x-auth-token', 'Range', 'If-Match', 'Content-Type', 'Date', 'Via', 'X-Forwarded-For', 'X-Forwarded-Host', 'Client-Cert', 'upgrade', 'content-length, host, authorization, x-ms-date'],
    (named) => put(`Connection: ${named}\r\n${HELD}`, 'abc'), up('PUT /1', HELD, 'abc')),
  [put('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'), up('PUT /1', 'Transfer-Encoding: chunked\r\n', 'abc')],
  [put('Connection: x-mine, , Keep-Alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nX-Mine-Too: 2\r\n'), up('PUT /1', 'X-Mine-Too: 2\r\n')],
  [put('TE: trailers\r\nTrailer: X\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: p\r\nX_Forwarded_For: 1\r\nx-ms-meta-a_b: 1\r\n'), up('PUT /1', 'x-ms-meta-a_b: 1\r\n')],
  ...all(['close, Content-Length', 'keep-alive, close'], (value) => put(`Connection: ${value}\r\nContent-Length: 3\r\n`, 'abc'), { up: ['PUT /1', 'Content-Length: 3\r\n', 'abc'], last: true }),
  [put('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'), { up: ['PUT /1', '', ''], last: true }],
  [put('Connection: Upgrade\r\nUpgrade: websocket\r\nX: 1\r\n'), { up: ['PUT /1', 'X: 1\r\n', ''], last: true }],
  ...all(['200-ok', '', 'x'], (value) => put(`Content-Length: 3\r\nExpect: ${value}\r\n`, 'abc'), { kept: 'expectation-failed' }),
  // Such a client may leave its body out: what follows cannot be told from it.
  ...all(['100-continue, x', '100-continue;a', '100-continue\r\nExpect: x'], (value) => put(`Content-Length: 3\r\nExpect: ${value}\r\n`, 'abc'), { closed: 'expectation-failed' }),
  ...all(['100-continue', '100-Continue', '100-continue\r\nExpect: 100-continue'], (value) => put(`Content-Length: 3\r\nExpect: ${value}\r\n`, 'abc'), up('PUT /1', 'Content-Length: 3\r\n', 'abc')),
]

const GROUPS = { 'transfer codings': CODINGS, lengths: LENGTHS, chunks: CHUNKS, 'lines and targets': LINES, hosts: HOSTS, 'fields of one hop, Expect': HOPS }

for (const { way, host: name, above } of WAYS) {
  for (const [group, shapes] of Object.entries(GROUPS)) {
    void t.test(`${group}: ${way}`, async (test) => {
      for (const [bytes, fate] of shapes) await holds(test, bytes.replaceAll('HOST', name), fate, name, above)
    })
  }
}

async function holds(test: Test, bytes: string, fate: Fate, name: string, above: string): Promise<void> {
  const what = JSON.stringify(bytes)
  const before = upstream.seen.length
  const client = await dial(test, gate, { servername: name })
  client.expect(bytes.startsWith('HEAD') ? 'HEAD ' : 'GET ')
  client.expect('GET ')
  await client.send(`${bytes}GET /canary HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
  const reply = await client.reply(1)
  if ('up' in fate) test.match([reply.status, reply.header('x-tidegate-reason')], [200, undefined], what)
  else test.equal(reply.header('x-tidegate-reason'), 'closed' in fate ? fate.closed : fate.kept, what)
  const ends = 'closed' in fate || ('up' in fate && fate.last === true)
  if (ends) await client.ended()
  else test.equal((await client.reply(2)).status, 200, `the canary lives: ${what}`)
  client.close()
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
  const seen = upstream.seen.slice(before).filter(({ complete }) => complete)
  const canaries = ends ? [] : ['/canary']
  if (!('up' in fate)) return void test.strictSame(seen.map(({ target }) => target), canaries, `nothing of it is sent upstream: ${what}`)
  const [first, fields, body] = fate.up
  test.strictSame(seen.map(({ target }) => target), [first.slice(first.indexOf(' ') + 1), ...canaries], what)
  test.equal(seen[0]?.head.replace(/\r\nVia: 1\.1 tidegate-[\s\S]*$/, '\r\n'), `${first} HTTP/1.1\r\nHost: ${above}\r\n${fields}`, what)
  test.equal(seen[0]?.body.toString('latin1'), body, what)
  test.strictSame(seen[0]?.trailers, [], what)
}

void t.test('no lenient parsing, whatever the environment says', async (test) => {
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] = `${before ?? ''} --insecure-http-parser`
  const served = await serveGate(test, realm, { storage: { blob: upstream.port } })
  if (before === undefined) delete process.env['NODE_OPTIONS']
  else process.env['NODE_OPTIONS'] = before
  const name = storageHost('blob')
  for (const [bytes] of [...CODINGS, ...CHUNKS].filter(([, fate]) => fate === MALFORMED)) {
    const client = await dial(test, served)
    client.expect('PUT ')
    await client.send(bytes.replaceAll('HOST', name))
    test.equal((await client.reply()).header('x-tidegate-reason'), 'http-malformed', JSON.stringify(bytes))
  }
})
