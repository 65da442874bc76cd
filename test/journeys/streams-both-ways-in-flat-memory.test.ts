// Bodies stream both ways with back-pressure: 100 MiB pass through a process that holds next to nothing of them, a slow
// reader pauses the upstream, a slow upstream pauses the client, and a refused upload is never invited.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { far, serveGate, startGate, type Gate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, type Client } from '../support/sockets.ts'
import { pause, until } from '../support/until.ts'
import { startUpstream, type Turn } from '../support/upstream.ts'

const MIB = 1 << 20
const API = 'api.localhost'
const WAYS = [{ way: 'storage', host: storageHost('blob') }, { way: 'api', host: API }] as const
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const wish = { storage: { blob: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, upstreamHost('blob'), upstream.port) }], names: [API] }
const gate = await startGate(t, realm, wish)

const call = (test: Test, from: Gate, host: string): Promise<Client> => dial(test, from, { servername: host })
const block = randomBytes(MIB)

function digestOf(blocks: number): string {
  const hash = createHash('sha256')
  for (let i = 0; i < blocks; i++) hash.update(block)
  return hash.digest('hex')
}

/** Closes the idle connections of earlier tests. */
async function allIdleGone(): Promise<void> {
  await until(() => gate.parts.live.size === 0, 'the end of all requests')
  upstream.drop('end')
  await until(() => upstream.connections.open === 0, 'idle connections to go')
}

/** Resident memory of a process in MiB. */
function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

async function sendBlocks(turn: Turn, blocks: number, chunked: boolean): Promise<void> {
  await turn.write(`HTTP/1.1 200 OK\r\n${chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${blocks * MIB}`}\r\n\r\n`)
  for (let i = 0; i < blocks; i++) await turn.write(chunked ? Buffer.concat([Buffer.from('100000\r\n'), block, Buffer.from('\r\n')]) : block)
  if (chunked) await turn.write('0\r\n\r\n')
}

void t.test('100 MiB up and down, in any framing, through a process whose memory stays flat', { skip: process.platform === 'linux' ? false : 'needs /proc' }, async (test) => {
  const served = await serveGate(test, realm, wish)
  const [worker = 0] = await served.workers()
  const digest = digestOf(100)
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, resident(worker))), 20)
  test.teardown(() => clearInterval(watch))
  const before = resident(worker)
  for (const { host } of WAYS) {
    for (const chunked of [false, true]) {
      upstream.script((turn) => sendBlocks(turn, 100, chunked))
      const down = await (await call(test, served, host)).ask('GET /down', [`Host: ${host}`])
      test.match([down.status, down.length, down.digest], [200, 100 * MIB, digest], 'down')

      upstream.script(async (turn) => {
        await turn.whole
        await turn.reply(201)
      })
      const client = await call(test, served, host)
      const head = `PUT /up HTTP/1.1\r\nHost: ${host}\r\n${chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${100 * MIB}`}\r\n\r\n`
      const number = client.expect(head)
      await client.send(head)
      for (let i = 0; i < 100; i++) await client.send(chunked ? Buffer.concat([Buffer.from('100000\r\n'), block, Buffer.from('\r\n')]) : block)
      if (chunked) await client.send('0\r\n\r\n')
      test.equal((await client.reply(number)).status, 201)
      const seen = upstream.seen.at(-1)
      test.match([seen?.length, seen?.digest, seen?.header('content-length')], [100 * MIB, digest, chunked ? undefined : String(100 * MIB)], 'up')
      client.close()
    }
  }
  test.ok(most - before < 250, `${Math.round(before)} MiB grew by ${Math.round(most - before)} MiB at most, for 800 MiB`)
})

void t.test('a slow reader pauses the upstream', async (test) => {
  for (const { way, host } of WAYS) {
    let written = 0
    upstream.script(async (turn) => {
      await turn.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * MIB}\r\n\r\n`)
      for (let i = 0; i < 64; i++) {
        await turn.write(block)
        written++
      }
    })
    const client = await call(test, gate, host)
    const head = `GET /slow HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    const number = client.expect(head)
    await client.send(head)
    await client.head(number)
    client.socket.pause()
    await settled(() => written)
    test.ok(written < 40, `${way}: ${written} of 64 MiB left the upstream for a client that reads nothing`)
    client.socket.resume()
    test.equal((await client.reply(number)).digest, digestOf(64), 'then all of it comes')
    client.close()
  }
})

void t.test('a slow upstream pauses the client', async (test) => {
  for (const { way, host } of WAYS) {
    let turn: Turn | undefined
    upstream.script((own) => {
      turn = own
      own.pause()
      void own.whole.then(() => own.reply(201))
    })
    const client = await call(test, gate, host)
    const head = `PUT /slow HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${64 * MIB}\r\n\r\n`
    const number = client.expect(head)
    let sent = 0
    await client.send(head)
    const sending = (async () => {
      for (let i = 0; i < 64; i++) {
        await client.send(block)
        sent++
      }
    })()
    await until(() => turn !== undefined, 'the request')
    await settled(() => sent)
    test.ok(sent < 40, `${way}: ${sent} of 64 MiB were taken from the client for an upstream that reads nothing`)
    turn?.resume()
    await sending
    test.equal((await client.reply(number)).status, 201)
    test.equal(upstream.seen.at(-1)?.digest, digestOf(64))
    client.close()
  }
})

/** When a count has not moved for a while. */
async function settled(count: () => number): Promise<void> {
  for (let before = -1; before !== count();) {
    before = count()
    await pause(300)
  }
}

void t.test('100 Continue: after admission, never before a refusal, once', async (test) => {
  for (const { way, host } of WAYS) {
    upstream.script(async (turn) => {
      await turn.whole
      await turn.reply(201, [], turn.request.text)
    })
    for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
      const client = await call(test, gate, host)
      const head = `PUT /a HTTP/1.1\r\nHost: ${host}\r\n${framing}\r\nExpect: 100-continue\r\n\r\n`
      const number = client.expect(head)
      await client.send(head)
      await until(() => client.text.includes('\r\n\r\n'), 'the invitation')
      test.equal(client.text, 'HTTP/1.1 100 Continue\r\n\r\n', way)
      await client.send(framing.startsWith('C') ? 'hello' : '5\r\nhello\r\n0\r\n\r\n')
      test.match(await client.reply(number), { status: 201, text: 'hello' })
      test.equal(client.messages.length, 2)
      test.equal(upstream.seen.at(-1)?.header('expect'), undefined, 'met here, so it does not go up')
      client.close()
    }
    const before = upstream.seen.length
    for (const target of ['/a/../b', ...(way === 'storage' ? ['/c/b?sv=2025-05-05&se=2020-01-01&sp=w&sr=b&sig=AAAA'] : [])]) {
      const client = await call(test, gate, host)
      const reply = await client.ask(`PUT ${target}`, [`Host: ${host}`, 'Content-Length: 5', 'Expect: 100-continue'])
      test.ok(reply.status >= 400)
      test.equal(client.messages.length, 1, 'no invitation')
      test.equal(reply.header('connection'), 'close', 'the body may come or not')
      test.equal(await client.ended(), 'fin')
    }
    test.equal(upstream.seen.length, before)
    const none = await call(test, gate, host)
    test.equal((await none.ask('GET /a', [`Host: ${host}`, 'Expect: 100-continue'])).status, 201, 'an expectation without a body')
  }
})

void t.test('a reply before the body was read reaches the client, and that connection ends', async (test) => {
  for (const { way, host } of WAYS) {
    await allIdleGone()
    upstream.script((turn) => turn.reply(403, ['x-ms-error-code: Early'], 'no'))
    const client = await call(test, gate, host)
    const head = `PUT /early HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${64 * MIB}\r\n\r\n`
    const number = client.expect(head)
    await client.send(head)
    const sending = (async () => {
      for (let i = 0; i < 64 && client.ending === undefined; i++) await client.send(block)
    })()
    const reply = await client.reply(number)
    test.match([reply.status, reply.text, reply.header('connection')], [403, 'no', 'close'], way)
    await client.ended()
    await sending
    await until(() => upstream.connections.open === 0, 'the upstream connection, whose request was not whole, to end')
    test.equal((await (await call(test, gate, host)).ask('GET /next', [`Host: ${host}`])).status, 403)
  }
})

void t.test('a reply before the end of a short body: the rest is read, and the connection goes on', async (test) => {
  for (const { way, host } of WAYS) {
    upstream.script((turn) => turn.reply(403, [], 'no'))
    const client = await call(test, gate, host)
    const head = `PUT /early HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\n`
    const number = client.expect(head)
    await client.sendPieces(head, 'hello')
    const reply = await client.reply(number)
    test.equal(reply.text, 'no', way)
    // reply-from closes what it has not read, which is as safe.
    if (way === 'api') continue
    test.equal(reply.header('connection'), 'keep-alive')
    await client.send('world')
    test.equal((await client.ask('GET /next', [`Host: ${host}`])).text, 'no')
    client.close()
  }
})

void t.test('a reply that begins before the request ends streams both ways at once', async (test) => {
  for (const { host } of WAYS) {
    upstream.script(async (turn) => {
      await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n')
      await turn.whole
      await turn.write('4\r\nlast\r\n0\r\n\r\n')
    })
    const client = await call(test, gate, host)
    const head = `POST /both HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`
    const number = client.expect(head)
    await client.send(`${head}3\r\none\r\n`)
    const reply = await client.head(number)
    await until(() => reply.text === 'first', 'the first part')
    await client.send('3\r\ntwo\r\n0\r\n\r\n')
    test.equal((await client.reply(number)).text, 'firstlast')
    test.equal(upstream.seen.at(-1)?.text, 'onetwo')
    client.close()
  }
})

void t.test('what the upstream sends is passed on at once, however small', async (test) => {
  for (const { host } of WAYS) {
    let turn: Turn | undefined
    upstream.script(async (own) => {
      await own.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
      turn = own
    })
    const client = await call(test, gate, host)
    const head = `GET /events HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    const number = client.expect(head)
    await client.send(head)
    const reply = await client.head(number)
    test.equal(reply.length, 0, 'the head comes before any data')
    for (const event of ['a', 'b', 'c']) {
      await until(() => turn !== undefined, 'the turn')
      await turn?.write(`1\r\n${event}\r\n`)
      await until(() => reply.text.endsWith(event), `event ${event}`)
    }
    await turn?.write('0\r\n\r\n')
    test.equal((await client.reply(number)).text, 'abc')
    turn = undefined
    client.close()
  }
})

void t.test('a body that breaks off breaks its upstream request, and is never completed', async (test) => {
  for (const { way, host } of WAYS) {
    upstream.script(() => undefined)
    for (const [framing, body, then] of [['Content-Length: 10', 'half', ''], ['Transfer-Encoding: chunked', '4\r\nhalf\r\n', ''], ['Transfer-Encoding: chunked', '4\r\nhalf\r\n', 'zz\r\n']] as const) {
      await allIdleGone()
      const before = upstream.seen.length
      const client = await call(test, gate, host)
      await client.send(`PUT /cut HTTP/1.1\r\nHost: ${host}\r\n${framing}\r\n\r\n${body}`)
      const seen = await upstream.request(before + 1)
      await until(() => seen.text === 'half', 'the half')
      if (then === '') client.close()
      else await client.send(then)
      await until(() => upstream.connections.open === 0, `${way}: the end of the upstream connection`)
      test.equal(seen.complete, false)
    }
  }
})

void t.test('a malformed rest of a body: 400, closed, counted', async (test) => {
  upstream.script(() => undefined)
  for (const { host } of WAYS) {
    const before = await gate.metric('tidegate_refusals_total', { reason: 'http-malformed' })
    const client = await call(test, gate, host)
    const head = `PUT /bad HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`
    const number = client.expect(head)
    await client.sendPieces(head, '4\r\nhalf\r\n', 'zz\r\n')
    const reply = await client.reply(number)
    test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('connection')], [400, 'http-malformed', 'close'])
    test.equal(await client.ended(), 'fin')
    test.equal(await gate.metric('tidegate_refusals_total', { reason: 'http-malformed' }), before + 1)
  }
})
