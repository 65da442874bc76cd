// What is sent upstream is what came: target, header fields, framing, body. The recording upstream has its own HTTP reading.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { ok, startUpstream, type Message } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: ['api.upstream.example'] })
const gate = await startGate(t, realm, {
  storage: { blob: upstream.port, table: upstream.port },
  apis: [
    { name: 'payroll', host: API, prefix: '/v1', upstream: far(realm, 'api.upstream.example', upstream.port) },
    { name: 'deep', host: 'deep.localhost', upstream: { ...far(realm, 'api.upstream.example', upstream.port), url: `https://api.upstream.example:${upstream.port}/base` } },
  ],
  names: [API, 'deep.localhost'],
})
const blob = await dial(t, gate)
const api = await dial(t, gate, { servername: API })
const ways = [{ way: 'storage', client: blob, host: storageHost('blob'), prefix: '' }, { way: 'api', client: api, host: API, prefix: '/v1' }] as const

const last = (): Message => upstream.seen.at(-1) as Message

const TARGETS = [
  '/', '/a', '/a/', '/a//b', '/a///', '/a%2Fb', '/a%2fb', '/a%5Cb', '/a%5cb', '/%41', '/a%252Fb', '/a+b', '/a%2Bb', '/a%20b', "/it's", '/q"q', '/^', '/{x}', '/a|b', '/a`b', '/<a>', '/[1]',
  '/a;b=c', '/a:b', '/@', '/~', '/!$&()*,=', '/%E4%B8%83', '/.a', '/a..b', '/..a', '/$root', '/%24web/x', "/Ledger(PartitionKey='a%20b',RowKey='z')", '/a?', '/a??', '/a?b?c', '/a?x=1&x=2&&y', '/a?x=%zz', '/a?x=%00',
  '/a?x=a+b%20c', '/a?x=%2e%2e/', '/a?../..', '/a?/./', '/a?"^{}|`<>', "/a?$filter=PartitionKey%20eq%20'a'", '/a?=&=', '/a?comp=list&restype=container', '/__proto__?constructor=hasOwnProperty',
]

for (const { way, client, host, prefix } of ways) {
  void t.test(`targets: ${way}`, async (test) => {
    for (const target of TARGETS) {
      const whole = target === '/' && prefix !== '' ? prefix : prefix + target
      const reply = await client.ask(`GET ${whole}`, [`Host: ${host}`])
      test.equal(reply.status, 200, whole)
      test.equal(last().line, `GET ${whole} HTTP/1.1`)
    }
    await client.ask(`GET https://${host}${prefix}/absolute/?a=1`, [`Host: ${host}`])
    test.equal(last().target, `${prefix}/absolute/?a=1`, 'absolute form, where its authority is Host')
  })
}

void t.test('an upstream with a path has it in front', async (test) => {
  const client = await dial(test, gate, { servername: 'deep.localhost' })
  await client.ask('GET /a%2Fb//c?x', ['Host: deep.localhost'])
  test.equal(last().target, '/base/a%2Fb//c?x')
})

void t.test('header fields of storage requests: order, case, repetition and bytes', async (test) => {
  const client = await dial(test, gate)
  const kept = [
    'X-Ms-Version: 2025-05-05', 'x-ms-META-a_b: 1', 'x-ms-meta-_x: 2', 'x-ms-meta-1: 3', 'AUTHORIZATION: SharedKey tideoffice:abc=', 'accept: a', 'Accept: b', 'x-a: 1', 'X-A: 2', 'x-a: 1', 'Cookie: a=b; c=d', 'cookie: e',
    'X-Latin: caf\xe9 \xff\x80', 'x-empty:', 'If-None-Match: "a", "b"', 'Date: Tue, 24 Nov 2026 06:40:00 GMT', 'Range: bytes=0-', 'Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==', 'Content-Language: de', 'Content-Encoding: gzip',
    'x-ms-client-request-id: a b', '__proto: no', 'constructor: 1', 'hasOwnProperty: 2', 'x-tab: a\tb', 'User-Agent: odd (agent)', 'x-quoted: "a\\"b"', 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ]
  const reply = await client.ask('GET /a', kept)
  test.equal(reply.status, 200)
  const lines = last().headerLines.map((line) => line.replace(/:$/, ': '))
  test.strictSame(lines, [`Host: ${upstreamHost('blob')}:${upstream.port}`, ...kept.filter((line) => !line.startsWith('__proto')).map((line) => line.replace(/:$/, ': ')), lines.at(-1)])
  test.match(lines.at(-1), /^Via: 1\.1 tidegate-[0-9a-f]{12}$/)
})

for (const { way, client, host, prefix } of ways) {
  void t.test(`what never is sent upstream: ${way}`, async (test) => {
    const dropped = [
      'Connection: keep-alive, X-Named, authorization, x-ms-date, Content-Type, Host, Via', 'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: trailers, gzip', 'Trailer: X-Late', 'Upgrade: h2c, websocket', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      'Proxy-Authorization: Basic eDp5', 'Proxy-Authenticate: Basic', 'X-Named: gone', 'Forwarded: for=1.2.3.4', 'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-Proto: http', 'x-forwarded-host: evil', 'X-Forwarded-Anything: 1', 'X-Real-IP: 1.2.3.4',
      'X-Client-Cert: x', 'X-Client-Cert-Chain: x', 'X-SSL-Client-Verify: SUCCESS', 'Client-Cert: :x:', 'Client-Cert-Chain: x', 'X_Forwarded_For: 1.2.3.4', 'x_named: 1', 'Content_Length: 5',
    ]
    const kept = ['authorization: Bearer token', 'x-ms-date: today', 'Content-Type: text/plain', 'Via: 1.0 fred', 'x-ms-under_score: 1', 'x-kept: yes']
    const reply = await client.ask(`GET ${prefix}/a`, [`Host: ${host}`, ...dropped, ...kept])
    test.equal(reply.status, 200)
    const names = last().headers.map(([name]) => name.toLowerCase())
    const own = way === 'api' ? ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] : []
    test.strictSame(names.toSorted(), ['host', ...kept.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()), 'via', ...own].toSorted())
    if (way === 'api') {
      test.strictSame([last().all('x-forwarded-for'), last().all('x-forwarded-proto'), last().all('x-forwarded-host')], [['127.0.0.1'], ['https'], [API]], 'our own words about the client')
    }
    test.strictSame(last().all('host'), [way === 'api' ? `api.upstream.example:${upstream.port}` : `${upstreamHost('blob')}:${upstream.port}`])
  })

  void t.test(`a request that comes with our own Via is a loop: ${way}`, async (test) => {
    const before = upstream.seen.length
    const via = last().all('via').at(-1) ?? ''
    for (const value of [via, `1.0 fred, ${via}`, `${via} (comment), 1.1 other`]) {
      const reply = await client.ask(`GET ${prefix}/a`, [`Host: ${host}`, `Via: ${value}`])
      test.match([reply.status, reply.header('x-tidegate-reason')], [508, 'loop'])
    }
    test.equal(upstream.seen.length, before)
  })

  void t.test(`all methods, and how each body is framed: ${way}`, async (test) => {
    const body = randomBytes(70_000)
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'MERGE', 'PROPFIND', 'QUERY', 'LOCK']) {
      const reply = await client.ask(`${method} ${prefix}/m`, [`Host: ${host}`])
      test.equal(reply.status, 200, method)
      test.match([last().method, last().header('content-length'), last().header('transfer-encoding'), last().length], [method, undefined, undefined, 0])
    }
    for (const method of ['PUT', 'POST', 'DELETE', 'PATCH', 'MERGE', 'GET', 'OPTIONS']) {
      await client.ask(`${method} ${prefix}/b`, [`Host: ${host}`, 'content-LENGTH: 70000'], body)
      test.equal(last().headerLines.find((line) => /^content-length/i.test(line)), 'content-LENGTH: 70000', `${method} with a length`)
      test.ok(last().body.equals(body) && last().header('transfer-encoding') === undefined)
      await client.ask(`${method} ${prefix}/0`, [`Host: ${host}`, 'Content-Length: 0'])
      test.strictSame([last().all('content-length'), last().all('transfer-encoding')], [['0'], []], `${method} of nothing`)
      await client.request(`${method} ${prefix}/c HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`, '5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n')
      test.strictSame([last().all('content-length'), last().all('transfer-encoding'), last().text], [[], ['chunked'], 'hello!'], `${method} in chunks`)
      test.strictSame(last().trailers, [], 'a trailer is never merged, and not carried')
      await client.request(`${method} ${prefix}/c HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`, '0\r\n\r\n')
      test.strictSame([last().all('content-length'), last().all('transfer-encoding'), last().text], [[], ['chunked'], ''], `${method} in no chunk at all`)
    }
  })
}

for (const { way, host, prefix } of ways) {
  void t.test(`requests behind one another, clients of HTTP/1.0, clients that close: ${way}`, async (test) => {
    let first: (() => void) | undefined
    upstream.script(async (turn) => {
      if (turn.request.target.endsWith('/1')) await new Promise<void>((resolve) => (first = resolve))
      else first?.()
      await turn.reply(200, [], turn.request.target)
    })
    const client = await dial(test, gate, { servername: host })
    const heads = [1, 2, 3].map((number) => `GET ${prefix}/${number} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    for (const head of heads) client.expect(head)
    await client.send(heads.join(''))
    await client.reply(3)
    test.strictSame(client.replies.map(({ text }) => text), [1, 2, 3].map((number) => `${prefix}/${number}`), 'each gets its own, in order')
    test.equal((await client.ask(`GET ${prefix}/last`, [`Host: ${host}`, 'Connection: close'])).header('connection'), 'close')
    test.equal(await client.ended(), 'fin')

    upstream.script((turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'))
    const old = await dial(test, gate, { servername: host })
    const reply = await old.request(`GET ${prefix}/old HTTP/1.0\r\nHost: ${host}\r\n\r\n`)
    test.strictSame([reply.text, reply.all('transfer-encoding'), await old.ended()], ['ok', [], 'fin'], 'no chunks for HTTP/1.0')
    test.equal(last().line, `GET ${prefix}/old HTTP/1.1`)
    const chunks = await dial(test, gate, { servername: host })
    test.equal((await chunks.request(`PUT ${prefix}/old HTTP/1.0\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`, '0\r\n\r\n')).status, 400, 'nor from it')
    upstream.script(ok)
  })
}

void t.test('the secondary has a name of its own, up there too', async (test) => {
  const second = await startGate(test, realm, { storage: { blob: { ...far(realm, upstreamHost('blob'), upstream.port), secondary: `https://${upstreamHost('blob', 'tideoffice-secondary')}:${upstream.port}` } } })
  const host = storageHost('blob', 'tideoffice-secondary')
  const client = await dial(test, second, { servername: host })
  test.equal((await client.ask('GET /c/b?comp=stats', [`Host: ${host}`, 'Authorization: SharedKey tideoffice:abc='])).status, 200)
  test.match([last().target, last().header('host'), last().header('authorization')], ['/c/b?comp=stats', `${upstreamHost('blob', 'tideoffice-secondary')}:${upstream.port}`, 'SharedKey tideoffice:abc='])
})

void t.test('the reply comes back as it was', async (test) => {
  const fields = ['x-ms-request-id: 1', 'ETag: "0x8D"', 'X-Twice: a', 'x-twice: b', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-Latin: caf\xe9', 'Content-Type: text/plain; charset="x"', 'x-ms-meta-A_b: 1', 'Date: Tue, 24 Nov 2026 06:40:00 GMT', 'Server: Odd/1', 'Content-Encoding: gzip', 'Vary: Origin', '__proto__: 1', '__PROTO__: 2', 'constructor: 3', 'hasOwnProperty: 4']
  const hopByHop = ['Connection: x-gone, keep-alive', 'X-Gone: 1', 'Keep-Alive: timeout=99, max=3', 'Proxy-Authenticate: x', 'Trailer: x', 'Upgrade: h2c']
  upstream.script(async (turn) => {
    await turn.whole
    await turn.write(['HTTP/1.1 299 Quite all right', ...fields, ...hopByHop, 'Content-Length: 5', '', 'h\x00\xff\r\n'].join('\r\n'))
  })
  const reply = await blob.ask('GET /a')
  test.equal(reply.line, 'HTTP/1.1 299 Quite all right')
  test.strictSame(reply.headerLines.slice(0, fields.length + 1), [...fields, 'Content-Length: 5'])
  test.strictSame(reply.headers.slice(fields.length + 1).map(([name]) => name), ['Strict-Transport-Security', 'Connection', 'Keep-Alive'])
  test.strictSame(reply.all('keep-alive'), ['timeout=75'], 'our own')
  test.equal(reply.body.toString('latin1'), 'h\x00\xff\r\n')

  const same = await api.ask('GET /v1/a', [`Host: ${API}`])
  test.equal(same.status, 299)
  for (const line of fields) {
    const [name, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]
    test.ok(same.all(name).includes(value), `API: ${line}`)
  }
  test.strictSame([same.header('x-gone'), same.all('keep-alive'), same.body.toString('latin1')], [undefined, ['timeout=75'], 'h\x00\xff\r\n'])
})

void t.test('HSTS is added where the upstream sets none, and left alone where it does', async (test) => {
  upstream.script((turn) => turn.reply(200, ['strict-transport-security: max-age=5']))
  for (const { client, host, prefix } of ways) {
    const reply = await client.ask(`GET ${prefix}/a`, [`Host: ${host}`])
    test.strictSame(reply.all('strict-transport-security'), ['max-age=5'])
  }
  upstream.script((turn) => turn.reply(200))
  for (const { client, host, prefix } of ways) {
    const reply = await client.ask(`GET ${prefix}/a`, [`Host: ${host}`])
    test.strictSame(reply.all('strict-transport-security'), ['max-age=31536000'])
  }
})

for (const { way, client, host, prefix } of ways) {
  void t.test(`replies of every framing: ${way}`, async (test) => {
    const ask = (method = 'GET') => client.ask(`${method} ${prefix}/a`, [`Host: ${host}`])
    upstream.script((turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Late: 1\r\n\r\n'))
    const chunked = await ask()
    test.strictSame([chunked.text, chunked.all('transfer-encoding'), chunked.all('content-length'), chunked.header('x-late'), chunked.trailers], ['abcde', ['chunked'], [], undefined, []])
    test.equal(chunked.header('content-type'), undefined, 'no type is made up')

    upstream.script((turn) => turn.write('HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: "x"\r\n\r\n'))
    const head = await ask('HEAD')
    test.strictSame([head.status, head.all('content-length'), head.all('transfer-encoding'), head.header('etag')], [200, ['12345'], [], '"x"'], 'HEAD tells the length')

    upstream.script((turn) => turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'))
    test.equal((await ask('HEAD')).status, 200, 'HEAD of a reply in chunks')
    upstream.script((turn) => turn.write('HTTP/1.1 204 No Content\r\nx-ms-request-id: 4\r\n\r\n'))
    const none = await ask('DELETE')
    test.strictSame([none.status, none.all('content-length'), none.all('transfer-encoding')], [204, [], []])
    upstream.script((turn) => turn.write('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 77\r\n\r\n'))
    test.strictSame([(await ask()).status], [304])
    upstream.script((turn) => turn.write('HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nab'))
    test.match(await ask(), { status: 206, text: 'ab' })
    upstream.script((turn) => turn.write('HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n'))
    test.match(await ask(), { status: 200, text: '' })
    upstream.script((turn) => turn.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    test.match(await ask(), { status: 200, text: 'ok' }, 'interim replies end here')
    test.equal(client.messages.length, client.replies.length, 'none of them reached the client')
    upstream.script(async (turn) => {
      await turn.write('HTTP/1.1 200 OK\r\nX-End: close\r\n\r\nall ')
      await turn.write('there is')
      turn.end()
    })
    const closed = await ask()
    test.match([closed.text, closed.header('transfer-encoding'), closed.header('connection')], ['all there is', undefined, 'close'], 'an end by closing stays one')
    test.equal(await client.ended(), 'fin')
  })
}
