// Which fields go through, in each direction: tables of names, of what Connection may name, of shapes that smuggle.
import t from 'tap'
import { downstreamHeaders, fieldValue, readRequestFields } from '../../src/gate/headers.ts'
import { reasonOf } from '../support/verdict.ts'

const naming = (connection: string, ...more: string[]): string[] => ['Connection', connection, ...more]

const read = (raw: readonly string[], http11 = true) => readRequestFields(raw, http11)

void t.test('what is sent upstream keeps its bytes, its order and its repetitions', async (test) => {
  const raw = [
    'x-ms-Version', '2023-11-03', 'Accept', '*/*', 'X-MS-Meta-Ünï', 'caf\xc3\xa9 ', 'accept', 'text/plain', 'Authorization', 'SharedKey a:b=', 'If-None-Match', '"x", "y"',
    'Cookie', 'a=1', 'Cookie', 'b=2', 'Date', 'Tue, 24 Nov 2026 06:40:00 GMT', 'Range', 'bytes=0-1', 'Content-MD5', 'abc==', 'Origin', 'https://o.example', 'DataServiceVersion', '3.0;NetFx', 'empty', '',
  ]
  const lines = raw.flatMap((name, i) => i % 2 === 0 ? [`${name}: ${raw[i + 1]}\r\n`] : [])
  test.equal(read(raw).lines, lines.join(''))
})

void t.test('names that never go up, in any case', async (test) => {
  const dropped = [
    // hop by hop
    'Connection', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authenticate', 'Proxy-Authorization', 'TE', 'Trailer', 'Upgrade', 'HTTP2-Settings', 'Expect',
    // a client's word about who it is
    'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Anything', 'X-Real-IP', 'X-Client-Cert', 'X-Client-Cert-Dn', 'X-SSL-Client-Verify', 'X-SSL-Cert', 'Client-Cert', 'Client-Cert-Chain',
    // names that an upstream may fold onto others
    'X_Forwarded_For', 'Content_Length', 'Transfer_Encoding', 'x_ms_version', 'a_b', '_', 'x-ms_copy', 'x_ms-meta-a',
    // ours to write
    'Host',
  ]
  for (const name of dropped) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) test.equal(read([spelled, 'keep-alive']).lines, '', spelled)
  }
})

void t.test('names like those that do go up', async (test) => {
  for (const name of ['x-ms-meta-a_b', 'x-ms-_', 'X-MS-meta-under_score', 'X-Forward', 'X-Forwarded', 'Forwarded-For', 'X-Real-IP-2', 'Client', 'X-SSL', 'Expectation', 'Via', 'constructor', 'hasOwnProperty', 'toString']) {
    test.equal(read([name, 'x']).lines, `${name}: x\r\n`, name)
  }
})

void t.test('fields that Connection names end here, but for those that a request hangs on', async (test) => {
  test.equal(read(naming('X-Hop', 'X-Hop', '1', 'X-End', '2')).lines, 'X-End: 2\r\n')
  test.equal(read(naming('keep-alive, x-hop ,X-Two', 'X-HOP', '1', 'x-two', '2', 'X-End', '3')).lines, 'X-End: 3\r\n')
  test.equal(read([...naming('x-a', 'X-A', '1', 'X-B', '2', 'X-End', '3'), 'connection', 'x-b']).lines, 'X-End: 3\r\n', 'two Connection fields')
  test.equal(read(['X-Hop', '1', ...naming('x-hop')]).lines, '', 'also before it')
  const kept = [
    ['Authorization', 'SharedKey a:b'], ['Cookie', 'a'], ['x-ms-date', 'now'], ['x-ms-copy-source', 'https://x'], ['Content-Length', '5'], ['Content-Type', 'a/b'], ['Content-MD5', 'x'],
    ['If-Match', '"x"'], ['Range', 'bytes=0-1'], ['Date', 'now'], ['Via', '1.1 other'], ['Transfer-Encoding', 'chunked'],
  ] as const
  for (const [name, value] of kept) test.equal(read(naming(`close, ${name}`, name, value)).lines, `${name}: ${value}\r\n`, name)
  test.equal(read(naming('Host', 'Host', 'a')).host, 'a')
  test.equal(read(naming('x-forwarded-for, via', 'Via', '1.1 b')).via, ',1.1 b')
})

void t.test('what admission looks at', async (test) => {
  test.match(read(['Host', 'a.example:8443', 'Content-Length', '42', 'Expect', '100-Continue', 'Via', '1.0 a', 'via', '1.1 b']), { host: 'a.example:8443', contentLength: 42, chunked: false, expect: '100-Continue', via: ',1.0 a,1.1 b' })
  test.match(read([]), { lines: '', host: undefined, contentLength: undefined, chunked: false, expect: undefined, via: '' })
  test.match(read(['Transfer-Encoding', 'Chunked']), { chunked: true, contentLength: undefined, lines: 'Transfer-Encoding: Chunked\r\n' })
  const { sources, lines } = read(['X-Ms-Version', '2023-11-03', 'x-ms-version', 'second', 'X-MS-Copy-Source', 'https://x', 'x-ms-client-request-id', 'id'])
  test.strictSame([...sources], [['x-ms-copy-source', 'https://x']])
  test.equal(lines, 'X-Ms-Version: 2023-11-03\r\nx-ms-version: second\r\nX-MS-Copy-Source: https://x\r\nx-ms-client-request-id: id\r\n')
  test.equal(read(['a', 'b']).sources.size, 0)
})

void t.test('shapes that two readers frame or route differently', async (test) => {
  const rows: [what: string, raw: string[], http11?: boolean][] = [
    ['two lengths', ['Content-Length', '5', 'Content-Length', '6']],
    ['the same length twice', ['Content-Length', '5', 'content-length', '5']],
    ['a list of lengths', ['Content-Length', '5, 5']],
    ['a signed length', ['Content-Length', '+5']],
    ['a negative length', ['Content-Length', '-5']],
    ['a hexadecimal length', ['Content-Length', '0x5']],
    ['an empty length', ['Content-Length', '']],
    ['a length with a blank', ['Content-Length', '1 0']],
    ['a fraction', ['Content-Length', '5.0']],
    ['other digits', ['Content-Length', '٥']],
    ['more digits than a number holds', ['Content-Length', '9999999999999999']],
    ['length and coding', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    ['coding and length', ['transfer-encoding', 'chunked', 'content-length', '0']],
    ['two codings', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ['a list of codings', ['Transfer-Encoding', 'gzip, chunked']],
    ['chunked twice', ['Transfer-Encoding', 'chunked, chunked']],
    ['another coding', ['Transfer-Encoding', 'identity']],
    ['chunked with something behind it', ['Transfer-Encoding', 'chunked;q=1']],
    ['a vertical tab before it', ['Transfer-Encoding', '\vchunked']],
    ['an empty coding', ['Transfer-Encoding', '']],
    ['chunked in HTTP/1.0', ['Transfer-Encoding', 'chunked'], false],
    ['two hosts', ['Host', 'a', 'Host', 'b']],
    ['the same host twice', ['Host', 'a', 'host', 'a']],
    ['two copy sources', ['x-ms-copy-source', 'https://a', 'x-ms-copy-source', 'https://a']],
    ['two rename sources', ['x-ms-rename-source', '/a', 'X-MS-Rename-Source', '/b']],
  ]
  for (const [what, raw, http11] of rows) test.equal(reasonOf(() => read(raw, http11)), 'http-malformed', what)
  test.equal(reasonOf(() => read(['Content-Length', '007'])), 'http-malformed', 'octal to some')
  test.equal(read(['Content-Length', '999999999999999']).contentLength, 999_999_999_999_999)
  test.equal(read(['Content-Length', '5'], false).contentLength, 5)
})

void t.test('many new names make no memory grow, and are still read rightly', async (test) => {
  for (let i = 0; i < 5000; i++) read([`x-new-${i}`, 'a', `x-forwarded-${i}`, 'b'])
  test.equal(read(['x-new-4999', 'a', 'x-forwarded-4999', 'b', 'Host', 'h']).lines, 'x-new-4999: a\r\n')
})

void t.test('downstream: HSTS where the upstream sets none, and what the gate adds', async (test) => {
  const hsts = ['Strict-Transport-Security', 'max-age=31536000']
  const none = { tightened: false, close: false }
  test.strictSame(downstreamHeaders(['ETag', '"1"'], none), ['ETag', '"1"', ...hsts])
  test.strictSame(downstreamHeaders([], { tightened: true, close: true }), [...hsts, 'x-tidegate-sas', 'tightened', 'Connection', 'close'])
  for (const name of ['Strict-Transport-Security', 'strict-transport-security', 'STRICT-TRANSPORT-SECURITY']) {
    test.strictSame(downstreamHeaders([name, 'max-age=1'], none), [name, 'max-age=1'])
  }
})

void t.test('a field of a flat list, by name in any case', async (test) => {
  const fields = ['A', '1', 'Content-Type', 'x/y', 'content-type', 'second', 'x', 'content-type']
  const rows = [['content-type', 'x/y'], ['a', '1'], ['x', 'content-type'], ['y', undefined], ['', undefined]] as const
  for (const [name, value] of rows) test.equal(fieldValue(fields, name), value, name)
})
