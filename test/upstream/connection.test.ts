// Replies on a connection, byte for byte as a scripted upstream sends them.
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { UpstreamFailure } from '../../src/upstream/failure.ts'
import { createRealm } from '../support/realm.ts'
import { startUpstream, type Script, type Upstream } from '../support/upstream.ts'
import { pause, until } from '../support/until.ts'
import { openPool, send, type Outcome, type TestPool, type Wish } from './send.ts'

const realm = await createRealm(t)

/** Fields of a reply of two bytes. */
const TWO = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n'

interface Scene extends TestPool {
  readonly upstream: Upstream
}

async function open(test: Test, script: Script): Promise<Scene> {
  const upstream = await startUpstream(test, realm, { plain: true })
  upstream.script(script)
  return { upstream, ...openPool(test, upstream.port) }
}

/** One exchange with an upstream that answers with these bytes and then keeps the connection. */
async function answered(test: Test, bytes: string, wish: Wish = {}): Promise<{ outcome: Outcome; scene: Scene }> {
  const scene = await open(test, async (turn) => {
    await turn.whole
    await turn.write(bytes)
  })
  return { outcome: await send(scene.pool, wish).over, scene }
}

void t.test('replies of every framing, each in one piece and byte by byte', async (test) => {
  const rows: [what: string, bytes: string, method: string, events: string[], body: string, reused: boolean][] = [
    ['a length', `${TWO}\r\nok`, 'GET', ['head 200', 'data', 'end'], 'ok', true],
    ['an empty body', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET', ['head 200', 'end'], '', true],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: t\r\n\r\n', 'GET', ['head 200', 'data', 'end'], 'abcde', true],
    ['HEAD', `${TWO}\r\n`, 'HEAD', ['head 200', 'end'], '', true],
    ['204', 'HTTP/1.1 204 No\r\n\r\n', 'DELETE', ['head 204', 'end'], '', true],
    ['304', 'HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n', 'GET', ['head 304', 'end'], '', true],
    ['hints before it', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n${TWO}\r\nok`, 'GET', ['head 200', 'data', 'end'], 'ok', true],
    ['Connection: close', `${TWO}Connection: close\r\n\r\nok`, 'GET', ['head 200', 'data', 'end'], 'ok', false],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 'GET', ['head 200', 'data', 'end'], 'ok', false],
  ]
  for (const [what, bytes, method, events, body, reused] of rows) {
    for (const split of [false, true]) {
      const { upstream, pool } = await open(test, async (turn) => {
        for (const piece of split ? bytes.split('') : [bytes]) await turn.write(piece)
      })
      for (const number of [1, 2]) {
        const outcome = await send(pool, { method }).over
        test.strictSame([outcome.events, outcome.text], [events, body], `${what}${split ? ', byte by byte' : ''}, ${number}`)
      }
      test.equal(upstream.connections.total, reused ? 1 : 2)
    }
  }
})

void t.test('a reply that ends with its connection', async (test) => {
  const { upstream, pool } = await open(test, async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\n\r\nup to the end')
    if (turn.number === 1) turn.end()
    else turn.reset()
  })
  const whole = await send(pool).over
  test.strictSame([whole.events, whole.text], [['head 200', 'data', 'end'], 'up to the end'])
  const broken = await send(pool).over
  test.equal(broken.failure?.kind, 'reset', 'a reset is no end')
  test.equal(upstream.connections.total, 2)
})

void t.test('a reply that is cut short is never whole', async (test) => {
  const rows: [what: string, bytes: string][] = [
    ['nothing', ''], ['half a head', 'HTTP/1.1 200 OK\r\nContent-'], ['a head alone', `${TWO}\r\n`], ['half a body', `${TWO}\r\no`],
    ['chunks without their end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n'], ['a last chunk without its line', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n'],
    ['a hint alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ]
  for (const [what, bytes] of rows) {
    for (const how of ['end', 'reset'] as const) {
      const { pool, numbers, upstream } = await open(test, async (turn) => {
        await turn.write(bytes)
        turn[how]()
      })
      const { events, failure } = await send(pool).over
      test.equal(failure?.kind, 'reset', `${what}, ${how}`)
      test.notOk(events.includes('end'))
      test.equal(numbers.results.reset.value, 1)
      test.equal(upstream.seen.length, 1, 'and nothing is sent twice')
    }
  }
})

void t.test('malformed replies end the exchange and the connection', async (test) => {
  const rows: [what: string, bytes: string, code: string][] = [
    ['no HTTP', 'SSH-2.0-x\r\n\r\n', 'REPLY_STATUS_LINE'],
    ['two lengths', `${TWO}content-length: 3\r\n\r\nok`, 'REPLY_CONTENT_LENGTH'],
    ['a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n', 'REPLY_CHUNK_SIZE'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', 'REPLY_INTERIM'],
    ['too many hints', `${'HTTP/1.1 103 Early\r\n\r\n'.repeat(9)}${TWO}\r\nok`, 'REPLY_INTERIM'],
    ['a head without an end', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}`, 'REPLY_HEAD_TOO_LARGE'],
    ['a head that is too large', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`, 'REPLY_HEAD_TOO_LARGE'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: 1\r\n b: c\r\nContent-Length: 0\r\n\r\n', 'REPLY_FIELD_NAME'],
  ]
  for (const [what, bytes, code] of rows) {
    const { outcome, scene: { upstream, numbers } } = await answered(test, bytes)
    test.match(outcome.failure, { kind: 'reset', code }, what)
    await until(() => upstream.connections.open === 0, 'the end of the connection')
    test.equal(numbers.open.value, 0)
  }
  const { outcome } = await answered(test, `${'HTTP/1.1 103 Early\r\n\r\n'.repeat(8)}${TWO}\r\nok`)
  test.equal(outcome.text, 'ok', 'eight hints pass')
})

void t.test('bytes after a reply end the connection, and the next request gets its own answer', async (test) => {
  const stray = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
  const rows: [what: string, script: Script][] = [
    ['in one write', (turn) => turn.write(`${TWO}\r\nok${stray}`)],
    ['one byte', (turn) => turn.write(`${TWO}\r\nok\n`)],
    ['after an empty body', (turn) => turn.write(`HTTP/1.1 204 No\r\n\r\n${stray}`)],
    ['after chunks', (turn) => turn.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${stray}`)],
    ['a body for HEAD', (turn) => turn.write(`${TWO}\r\nok`)],
  ]
  for (const [what, script] of rows) {
    const { upstream, pool } = await open(test, script)
    test.notOk((await send(pool, what.endsWith('HEAD') ? { method: 'HEAD' } : {}).over).failure, what)
    upstream.script((turn) => turn.reply(200, [], 'mine'))
    const next = await send(pool).over
    test.equal(next.text, 'mine')
    test.equal(upstream.connections.total, 2)
  }
})

void t.test('bytes on an idle connection end it', async (test) => {
  let stray: (() => Promise<void>) | undefined
  const { upstream, pool, numbers } = await open(test, async (turn) => {
    stray = () => turn.write('HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n')
    await turn.reply(200, [], 'first')
  })
  test.equal((await send(pool).over).text, 'first')
  await stray?.()
  await until(() => upstream.connections.open === 0, 'the end of the connection')
  test.equal(numbers.open.value, 0)
  test.equal((await send(pool).over).text, 'first')
  test.equal(upstream.connections.total, 2)
})

void t.test('a reader that is full stops the upstream, and loses nothing', async (test) => {
  const size = 24 * 1024 * 1024
  let sent = false
  const { pool } = await open(test, async (turn) => {
    await turn.reply(200, [], Buffer.alloc(size, 0x61))
    sent = true
  })
  let full = true
  const outcome = send(pool, { onData: () => !full })
  await until(() => outcome.bytes > 0, 'the first piece')
  // What is under way in kernels and buffers has time to come.
  await pause(200)
  test.ok(outcome.bytes < 2 * 1024 * 1024, `${outcome.bytes} bytes came to a reader that is full`)
  test.notOk(sent, 'the upstream waits')
  full = false
  outcome.exchange?.resume()
  test.equal((await outcome.over).bytes, size)
})

void t.test('a paused reply is told whole, also where the upstream closed meanwhile', async (test) => {
  const { pool, upstream } = await open(test, async (turn) => {
    await turn.write('HTTP/1.1 200 OK\r\n\r\n')
    await turn.write(Buffer.alloc(100_000, 0x61))
    turn.end()
  })
  let full = true
  const outcome = send(pool, { onData: () => !full })
  await until(() => outcome.bytes > 0 && upstream.connections.total === 1, 'the first piece')
  await pause(50)
  full = false
  outcome.exchange?.resume()
  await outcome.over
  test.strictSame([outcome.bytes, outcome.events.at(-1)], [100_000, 'end'])
})

void t.test('a handler that refuses the head ends the exchange', async (test) => {
  const { pool, upstream } = await open(test, (turn) => turn.reply(302, ['Location: http://plain.example/'], 'x'))
  const outcome = await send(pool, { onHead: () => { throw new UpstreamFailure('reset', 'REDIRECT_TO_HTTP') } }).over
  test.match(outcome.failure, { kind: 'reset', code: 'REDIRECT_TO_HTTP' })
  await until(() => upstream.connections.open === 0, 'the end of the connection')
})

void t.test('an aborted exchange closes its connection, and is told no more', async (test) => {
  const { pool, upstream } = await open(test, (turn) => turn.write(`${TWO}\r\no`))
  const outcome = send(pool)
  await until(() => outcome.bytes === 1, 'half a body')
  outcome.exchange?.abort()
  await until(() => upstream.connections.open === 0, 'the end of the connection')
  test.strictSame(outcome.events, ['head 200', 'data'])
  const early = send(pool)
  early.exchange?.abort()
  await pause(20)
  test.strictSame(early.events, [])
})

void t.test('bodies: with a length, in chunks as they came, and larger than all buffers', async (test) => {
  const { pool, upstream } = await open(test, async (turn) => {
    await turn.whole
    await turn.reply()
  })
  const [known, unknown, large] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const first = send(pool, { method: 'PUT', body: known, length: 5 })
  known.end('hello')
  await first.over
  test.match(upstream.seen[0], { length: 5, complete: true, chunks: [], method: 'PUT' })
  const second = send(pool, { method: 'PUT', body: unknown })
  unknown.write('hello')
  await until(() => second.exchange?.received === 5, 'the first chunk')
  unknown.end('world!')
  await second.over
  test.strictSame([upstream.seen[1]?.text, upstream.seen[1]?.chunks], ['helloworld!', [5, 6]])
  const third = send(pool, { method: 'PUT', body: large, length: 8 * 1024 * 1024 })
  for (let i = 0; i < 8; i++) large.write(Buffer.alloc(1024 * 1024, i))
  large.end()
  await third.over
  test.equal(upstream.seen[2]?.length, 8 * 1024 * 1024)
  test.equal(upstream.connections.total, 1)
})

void t.test('an upstream that stops reading holds the body', async (test) => {
  let go: (() => void) | undefined
  const { pool } = await open(test, async (turn) => {
    turn.pause()
    go = () => turn.resume()
    await turn.whole
    await turn.reply()
  })
  const body = new PassThrough({ highWaterMark: 1024 * 1024 })
  const outcome = send(pool, { method: 'PUT', body, length: 32 * 1024 * 1024 })
  for (let i = 0; i < 32; i++) body.write(Buffer.alloc(1024 * 1024))
  body.end()
  await until(() => go !== undefined, 'the request')
  await until(() => outcome.exchange?.bodyHeld === true, 'back-pressure')
  test.ok((outcome.exchange?.received ?? 0) < 32 * 1024 * 1024)
  go?.()
  await outcome.over
  test.equal(outcome.exchange?.received, 32 * 1024 * 1024)
  test.notOk(outcome.failure)
})

void t.test('a reply before the body is whole: told at once, and the connection is not used again', async (test) => {
  const { pool, upstream } = await open(test, (turn) => turn.reply(413, [], 'no'))
  const body = new PassThrough()
  const outcome = send(pool, { method: 'PUT', body, length: 100 })
  body.write('some')
  await outcome.over
  test.strictSame([outcome.events, outcome.text], [['head 413', 'data', 'end'], 'no'])
  await until(() => upstream.connections.open === 0, 'the end of the connection')
  upstream.script((turn) => turn.reply(200, [], 'mine'))
  test.equal((await send(pool).over).text, 'mine')
  test.equal(upstream.connections.total, 2)
})
