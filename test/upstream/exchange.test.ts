// One exchange over a carrier that keeps what is written: its states, its body, and that nothing happens twice.
import { PassThrough } from 'node:stream'
import t from 'tap'
import { Exchange, type Carrier, type ReplyHandler, type UpstreamRequest } from '../../src/upstream/exchange.ts'
import { UpstreamFailure } from '../../src/upstream/failure.ts'
import type { ResponseHead } from '../../src/upstream/response-head.ts'
import { until } from '../support/until.ts'
import { newNumbers } from './send.ts'

const HEAD: ResponseHead = { status: 200, reasonPhrase: 'OK', headers: [], framing: 'length', length: 2, persistent: true, keepAliveSeconds: undefined }

/** A carrier with room for `room` writes; says how it was released. */
class Ledger implements Carrier {
  readonly written: string[] = []
  released: boolean[] = []
  reads = 0
  room = Infinity

  write(chunk: Buffer | string): boolean {
    this.written.push(chunk.toString('latin1'))
    return this.written.length < this.room
  }

  readReply(): void {
    this.reads++
  }

  release(reusable: boolean): void {
    this.released.push(reusable)
  }
}

function start(request: Partial<UpstreamRequest> = {}) {
  const events: string[] = []
  const answers = { data: true }
  const handler: ReplyHandler = {
    onHead: (head) => void events.push(`head ${head.status}`),
    onData: (chunk) => {
      events.push(chunk.toString())
      return answers.data
    },
    onEnd: () => void events.push('end'),
    onFailure: (failure) => void events.push(failure.code),
  }
  const numbers = newNumbers()
  const clock = { now: 5000 }
  const exchange = new Exchange({ method: 'GET', head: 'HEAD\r\n\r\n', body: undefined, chunked: false, ...request }, handler, numbers, () => clock.now)
  return { exchange, events, numbers, clock, answers, carrier: new Ledger() }
}

void t.test('a request without a body', async (test) => {
  const { exchange, events, numbers, clock, carrier } = start()
  test.equal(exchange.state, 'waiting')
  exchange.begin(carrier)
  test.match(exchange, { state: 'sent', sentAt: 5000, received: 0 })
  clock.now = 5250
  exchange.head(HEAD)
  test.equal(exchange.state, 'replying')
  test.equal(numbers.firstByte.sum, 0.25)
  exchange.data(Buffer.from('ok'))
  exchange.end(true)
  test.equal(exchange.state, 'over')
  test.strictSame(events, ['head 200', 'ok', 'end'])
  test.strictSame(carrier.written, ['HEAD\r\n\r\n'])
  test.strictSame(carrier.released, [true])
  test.equal(numbers.results.ok.value, 1)
})

void t.test('what comes after the end changes nothing', async (test) => {
  const { exchange, events, numbers, carrier } = start()
  exchange.begin(carrier)
  exchange.head(HEAD)
  exchange.end(false)
  exchange.data(Buffer.from('late'))
  exchange.end(true)
  exchange.fail(new UpstreamFailure('reset', 'LATE'))
  exchange.abort()
  exchange.resume()
  test.strictSame(events, ['head 200', 'end'])
  test.strictSame(carrier.released, [false])
  test.equal(Object.values(numbers.results).reduce((sum, { value }) => sum + value, 0), 1)
})

void t.test('results by status and by failure', async (test) => {
  const rows = [[200, 'ok'], [304, 'ok'], [404, 'client-error'], [499, 'client-error'], [500, 'server-error'], [999, 'server-error']] as const
  for (const [status, result] of rows) {
    const { exchange, numbers, carrier } = start()
    exchange.begin(carrier)
    exchange.head({ ...HEAD, status })
    exchange.end(true)
    test.equal(numbers.results[result].value, 1, String(status))
  }
  for (const kind of ['unreachable', 'certificate', 'timeout', 'reset'] as const) {
    const { exchange, events, numbers, carrier } = start()
    exchange.begin(carrier)
    exchange.fail(new UpstreamFailure(kind, 'CODE'))
    test.equal(numbers.results[kind].value, 1)
    test.strictSame([events, carrier.released], [['CODE'], [false]])
  }
})

void t.test('an aborted exchange tells nothing and counts nothing', async (test) => {
  const { exchange, events, numbers, carrier } = start()
  exchange.begin(carrier)
  exchange.abort()
  exchange.fail(new UpstreamFailure('reset', 'LATE'))
  test.strictSame([events, carrier.released], [[], [false]])
  test.equal(Object.values(numbers.results).reduce((sum, { value }) => sum + value, 0), 0)
  const waiting = start()
  waiting.exchange.abort()
  test.equal(waiting.exchange.state, 'over', 'also before it has a connection')
})

void t.test('a body with a length is sent upstream as it is, one without in chunks as they came', async (test) => {
  for (const chunked of [false, true]) {
    const body = new PassThrough()
    const { exchange, clock, carrier } = start({ body, chunked })
    exchange.begin(carrier)
    test.match(exchange, { state: 'sending', sentAt: 0 })
    body.write('hello')
    await until(() => exchange.received === 5, 'the first piece')
    clock.now = 6000
    body.end('0123456789abcdef')
    await until(() => exchange.state === 'sent', 'the end of the body')
    test.match(exchange, { received: 21, sentAt: 6000 })
    test.equal(carrier.written.join(''), chunked ? 'HEAD\r\n\r\n5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n' : 'HEAD\r\n\r\nhello0123456789abcdef')
  }
})

void t.test('a slow upstream holds the body, until it takes bytes again', async (test) => {
  const body = new PassThrough()
  const { exchange, carrier } = start({ body })
  carrier.room = 2
  exchange.begin(carrier)
  body.write('one')
  await until(() => exchange.bodyHeld, 'back-pressure')
  test.ok(body.isPaused())
  body.write('two')
  carrier.room = Infinity
  exchange.drained()
  test.notOk(exchange.bodyHeld)
  await until(() => exchange.received === 6, 'the second piece')
  exchange.drained()
  test.strictSame(carrier.written, ['HEAD\r\n\r\n', 'one', 'two'])
})

void t.test('a reply before the body is whole: the connection carries no other request, and no more of the body', async (test) => {
  const body = new PassThrough()
  const { exchange, events, carrier, numbers } = start({ body })
  exchange.begin(carrier)
  body.write('one')
  await until(() => exchange.received === 3, 'the first piece')
  exchange.head({ ...HEAD, status: 413 })
  exchange.end(true)
  test.strictSame([events, carrier.released], [['head 413', 'end'], [false]])
  test.equal(numbers.firstByte.counts.reduce((sum, n) => sum + n, 0), 0, 'no time from a last byte that was not sent')
  body.end('two')
  body.resume()
  await until(() => body.readableEnded, 'the end of the body')
  test.strictSame(carrier.written, ['HEAD\r\n\r\n', 'one'])
  test.match(exchange, { received: 3, sentAt: 0 })
})

void t.test('a reader that is full pauses the reply, and goes on with it', async (test) => {
  const { exchange, answers, carrier } = start()
  exchange.begin(carrier)
  exchange.head(HEAD)
  answers.data = false
  exchange.data(Buffer.from('o'))
  test.ok(exchange.paused)
  exchange.resume()
  exchange.resume()
  test.notOk(exchange.paused)
  test.equal(carrier.reads, 1)
})
