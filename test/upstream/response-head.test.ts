// Heads of replies: what is read, what is broken, and the same verdict as Node's own reader.
import { array, assert, asyncProperty, constantFrom, nat, oneof, record, tuple } from 'fast-check'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { parseResponseHead, type ResponseHead } from '../../src/upstream/response-head.ts'
import { failureOf } from './failure-of.ts'

const head = (lines: readonly string[], method = 'GET'): ResponseHead => parseResponseHead(lines.join('\r\n'), method)

void t.test('status line and fields keep their bytes', async (test) => {
  const read = head(['HTTP/1.1 206 Partial  Content ', 'Content-Length: 5', 'x-ms-Meta-A:caf\xc3\xa9', 'X-MS-Meta-B: voil\xc3\xa0', 'Set-Cookie: a=1', 'set-cookie:\t b=2 \t', 'Empty:', 'Colons: a:b:c', 'ETag: "0x8D"'])
  test.match(read, { status: 206, reasonPhrase: 'Partial  Content ', framing: 'length', length: 5, persistent: true, keepAliveSeconds: undefined })
  test.strictSame(read.headers, ['Content-Length', '5', 'x-ms-Meta-A', 'caf\xc3\xa9', 'X-MS-Meta-B', 'voil\xc3\xa0', 'Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'Empty', '', 'Colons', 'a:b:c', 'ETag', '"0x8D"'])
})

void t.test('how the body ends (RFC 9112 section 6.3)', async (test) => {
  const rows: [lines: string[], method: string, framing: ResponseHead['framing'], length: number, persistent: boolean][] = [
    [['HTTP/1.1 200 OK', 'Content-Length: 0'], 'GET', 'none', 0, true],
    [['HTTP/1.1 200 OK', 'Content-Length: 12'], 'GET', 'length', 12, true],
    [['HTTP/1.1 200 OK', 'Content-Length: 007'], 'GET', 'length', 7, true],
    [['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'], 'GET', 'chunked', 0, true],
    [['HTTP/1.1 200 OK', 'transfer-encoding: Chunked'], 'PUT', 'chunked', 0, true],
    [['HTTP/1.1 200 OK'], 'GET', 'close', 0, false],
    [['HTTP/1.1 200 OK', 'Content-Length: 12'], 'HEAD', 'none', 0, true],
    [['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'], 'HEAD', 'none', 0, true],
    [['HTTP/1.1 204 No Content', 'Content-Length: 12'], 'GET', 'none', 0, true],
    [['HTTP/1.1 304 Not Modified', 'Content-Length: 12'], 'GET', 'none', 0, true],
    [['HTTP/1.1 100 Continue'], 'PUT', 'none', 0, true],
    [['HTTP/1.1 200 OK', 'Content-Length: 1', 'Connection: close'], 'GET', 'length', 1, false],
    [['HTTP/1.1 200 OK', 'Content-Length: 1', 'Connection: X, Close'], 'GET', 'length', 1, false],
    [['HTTP/1.0 200 OK', 'Content-Length: 1'], 'GET', 'length', 1, false],
    [['HTTP/1.0 200 OK', 'Content-Length: 1', 'Connection: keep-alive'], 'GET', 'length', 1, true],
    [['HTTP/1.0 200 OK'], 'GET', 'close', 0, false],
    [['HTTP/1.1 401'], 'GET', 'close', 0, false],
    [['HTTP/1.1 599 ', 'Content-Length: 999999999999999'], 'GET', 'length', 999_999_999_999_999, true],
  ]
  for (const [lines, method, framing, length, persistent] of rows) test.match(head(lines, method), { framing, length, persistent }, `${method} ${lines.join(' | ')}`)
})

void t.test('fields of the hop end here, and those that Connection names', async (test) => {
  const dropped = ['Connection: keep-alive', 'Keep-Alive: timeout=5', 'Proxy-Connection: x', 'Proxy-Authenticate: x', 'Proxy-Authorization: x', 'TE: x', 'Trailer: x', 'Upgrade: h2c', 'Transfer-Encoding: chunked']
  for (const line of dropped) test.strictSame(head(['HTTP/1.1 200 OK', line, 'A: 1']).headers, ['A', '1'], line)
  test.strictSame(head(['HTTP/1.1 200 OK', 'X-Hop: 1', 'Connection: close, x-hop', 'A: 1']).headers, ['A', '1'])
  const kept = ['Content-Length: 5', 'Content-Type: a/b', 'x-ms-request-id: 1', 'Strict-Transport-Security: max-age=1']
  for (const line of kept) test.strictSame(head(['HTTP/1.1 200 OK', line, `Connection: ${line.slice(0, line.indexOf(':'))}`]).headers, line.split(': '), line)
})

void t.test('how long the upstream keeps an idle connection', async (test) => {
  const rows = [['timeout=5', 5], ['timeout=5, max=100', 5], ['max=100, Timeout=30', 30], ['timeout=0', 0], ['timeout=x', undefined], ['', undefined], ['timeout=-1', undefined], ['timeout=1.5', 1]] as const
  for (const [value, seconds] of rows) test.equal(head(['HTTP/1.1 200 OK', `Keep-Alive: ${value}`]).keepAliveSeconds, seconds, value)
})

void t.test('what is not well-formed is a broken reply', async (test) => {
  const ok = 'HTTP/1.1 200 OK'
  const rows: [what: string, text: string][] = [
    ['nothing', ''],
    ['no HTTP', 'SSH-2.0-x'],
    ['small letters', 'http/1.1 200 OK'],
    ['another version', 'HTTP/2.0 200 OK'],
    ['HTTP/1.2', 'HTTP/1.2 200 OK'],
    ['two digits', 'HTTP/1.1 20 OK'],
    ['four digits', 'HTTP/1.1 2000 OK'],
    ['a status below 100', 'HTTP/1.1 099 OK'],
    ['two blanks', 'HTTP/1.1  200 OK'],
    ['a tab', 'HTTP/1.1\t200 OK'],
    ['no blank before the phrase', 'HTTP/1.1 200OK'],
    ['a blank before all', ' HTTP/1.1 200 OK'],
    ['an empty line before all', '\r\nHTTP/1.1 200 OK'],
    ['a field without a colon', `${ok}\r\nabc`],
    ['a field without a name', `${ok}\r\n: x`],
    ['a blank in a name', `${ok}\r\nA B: x`],
    ['a blank before the colon', `${ok}\r\nContent-Length : 5`],
    ['a folded line', `${ok}\r\nA: 1\r\n b: 2`],
    ['a line folded by a tab', `${ok}\r\nA: 1\r\n\tb`],
    ['a name of other bytes', `${ok}\r\nÄ: 1`],
    ['brackets in a name', `${ok}\r\n(A): 1`],
    ['NUL in a value', `${ok}\r\nA: 1\0`],
    ['NUL in a name', `${ok}\r\nA\0: 1`],
    ['DEL in a value', `${ok}\r\nA: \x7f`],
    ['ESC in a phrase', 'HTTP/1.1 200 \x1b[2J'],
    ['a vertical tab', `${ok}\r\nA: \v`],
    ['CR alone in a value', `${ok}\r\nA: 1\rB: 2`],
    ['LF alone in a value', `${ok}\r\nA: 1\nB: 2`],
    ['LF alone as line end', `${ok}\nA: 1`],
    ['CR alone at the end', `${ok}\r\nA: 1\r`],
    ['two lengths', `${ok}\r\nContent-Length: 5\r\nContent-Length: 6`],
    ['the same length twice', `${ok}\r\nContent-Length: 5\r\ncontent-length: 5`],
    ['a list of lengths', `${ok}\r\nContent-Length: 5, 5`],
    ['a negative length', `${ok}\r\nContent-Length: -1`],
    ['a signed length', `${ok}\r\nContent-Length: +1`],
    ['an empty length', `${ok}\r\nContent-Length:`],
    ['a hexadecimal length', `${ok}\r\nContent-Length: 0x10`],
    ['a length beyond numbers', `${ok}\r\nContent-Length: 99999999999999999999`],
    ['length and coding', `${ok}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`],
    ['coding and length', `${ok}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5`],
    ['chunked twice', `${ok}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked`],
    ['a list of codings', `${ok}\r\nTransfer-Encoding: gzip, chunked`],
    ['another coding', `${ok}\r\nTransfer-Encoding: gzip`],
    ['identity', `${ok}\r\nTransfer-Encoding: identity`],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked'],
  ]
  for (const [what, text] of rows) test.match(failureOf(() => parseResponseHead(text, 'GET')), /^reset REPLY_[A-Z_]+$/, what)
  test.match(failureOf(() => parseResponseHead(`${ok}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`, 'HEAD')), /^reset/, 'also where there is no body')
})

void t.test('many new names make no memory grow, and are still read rightly', async (test) => {
  for (let i = 0; i < 5000; i++) head(['HTTP/1.1 200 OK', `X-New-${i}: a`])
  test.strictSame(head(['HTTP/1.1 200 OK', 'X-New-4999: a', 'Keep-Alive: timeout=3']).headers, ['X-New-4999', 'a'])
  test.match(failureOf(() => head(['HTTP/1.1 200 OK', 'bad name 4999: a'])), /REPLY_FIELD_NAME/)
})

const HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'upgrade', 'transfer-encoding'])

/** What Node's client makes of a head; undefined when it refuses it. */
async function nodesReading(port: number, method: string): Promise<{ status: number; phrase: string; fields: string[] } | undefined> {
  const sent = request({ host: '127.0.0.1', port, method, agent: false })
  sent.end()
  try {
    const [reply] = await once(sent, 'response') as [IncomingMessage]
    reply.on('error', () => undefined)
    sent.on('error', () => undefined)
    sent.destroy()
    return { status: reply.statusCode ?? 0, phrase: reply.statusMessage ?? '', fields: reply.rawHeaders }
  } catch {
    return undefined
  }
}

const pairs = (flat: readonly string[]): string[] => flat.flatMap((name, i) => i % 2 === 0 && !HOP.has(name.toLowerCase()) ? [`${name}: ${flat[i + 1]}`] : [])

void t.test('what Node refuses is refused, and what passes says the same to both', async (test) => {
  let text = ''
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.from(`${text}\r\n\r\n`, 'latin1')))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const { port } = server.address() as AddressInfo

  const name = constantFrom('A', 'Content-Length', 'Transfer-Encoding', 'ETag', 'x-ms-meta-a', 'Set-Cookie', 'Content-Length ', 'Ä', 'X\tY', '', 'keep-alive', ' folded', 'x_y')
  const value = constantFrom('1', '5', ' 5', 'chunked', ' chunked ', 'gzip, chunked', '', '\xa0', 'caf\xc3\xa0', 'a\tb', 'a\0b', '\x7f', '5, 5', '+5', '0x5', 'a\rb', 'a\nb', 'timeout=5', '99999999999999999999')
  const colon = constantFrom(':', ':', ':', ': ', ':\t', '', ' :')
  const line = tuple(name, colon, value).map((parts) => parts.join(''))
  const status = oneof(
    constantFrom('HTTP/1.1 200 OK', 'HTTP/1.1 404 Not Found', 'HTTP/1.0 200 OK', 'HTTP/1.1 304 Not Modified', 'HTTP/1.1 500 \xe9\t!'),
    constantFrom('HTTP/1.1 200', 'HTTP/1.1 200 ', 'HTTP/1.1  200 OK', 'HTTP/2.0 200 OK', 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'http/1.1 200 OK', 'HTTP/1.1 999 x', 'HTTP/1.1 200OK', 'ICY 200 OK', 'HTTP/1.1 600 x'),
  )
  const mutation = record({ place: nat(400), what: constantFrom('\r', '\n', '\0', ' ', '\t', ':', '\r\n', '\x7f', '\xff', ';', ',') })
  const heads = tuple(status, array(line, { maxLength: 4 }), array(mutation, { maxLength: 1 }), constantFrom('GET', 'HEAD'))
  let passed = 0
  await assert(asyncProperty(heads, async ([first, lines, mutations, method]) => {
    text = [first, ...lines].join('\r\n')
    for (const { place, what } of mutations) text = text.slice(0, place % text.length) + what + text.slice(place % text.length)
    // An empty line within ends the head for both; what is behind it is body.
    if (text.includes('\r\n\r\n') || text.endsWith('\r\n')) return
    if (failureOf(() => parseResponseHead(text, method)) !== undefined) return
    const ours = parseResponseHead(text, method)
    const theirs = await nodesReading(port, method)
    if (theirs === undefined) throw new Error(`Node refuses ${JSON.stringify(text)}`)
    passed++
    test.strictSame([ours.status, ours.reasonPhrase, pairs(ours.headers)], [theirs.status, theirs.phrase, pairs(theirs.fields)], JSON.stringify(text))
  }), { numRuns: 2000 })
  test.ok(passed > 100, 'and enough of them passed')
})
