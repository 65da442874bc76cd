// Several workers are one gateway: one port, one sum of numbers, sessions that resume whichever answers, and one that dies
// takes only its own connections along.
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { serveGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)

/** A TLS 1.2 connection, so that the ticket is there when the handshake is over. */
function handshake(port: number, session?: Buffer): Promise<{ session: Buffer; resumed: boolean }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: storageHost('blob'), ca: realm.authority.pem, maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) } as const
    const socket: TLSSocket = connect(options, () => {
      const ticket = socket.getSession()
      socket.end()
      if (ticket === undefined) reject(new Error('no session'))
      else resolve({ session: ticket, resumed: socket.isSessionReused() })
    })
    socket.once('error', reject)
  })
}

void t.test('numbers are summed, tickets are good at every worker, a dead worker is replaced', async (test) => {
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, workers: 2 })
  const workers = await gate.workers()
  test.equal(workers.length, 2)
  test.equal(await gate.metric('tidegate_workers'), 2)

  const clients = await Promise.all(Array.from({ length: 12 }, () => dial(test, gate)))
  for (const client of clients) test.equal((await client.ask('GET /c/b')).status, 200)
  test.equal(await gate.metric('tidegate_requests_total', { route: 'tideoffice', class: '2xx' }), 12)
  test.equal(await gate.metric('tidegate_connections_open', { listener: 'tls' }), 12)

  const first = await handshake(gate.port)
  const again = await Promise.all(Array.from({ length: 16 }, () => handshake(gate.port, first.session)))
  test.strictSame(again.map(({ resumed }) => resumed), Array(16).fill(true), 'whichever worker answered')

  process.kill(workers[0] ?? 0, 'SIGKILL')
  await until(async () => await gate.metric('tidegate_worker_restarts_total') === 1 && await gate.metric('tidegate_workers') === 2, 'a new worker')
  test.ok((await gate.metric('tidegate_requests_total', { route: 'tideoffice', class: '2xx' })) >= 12, 'counters never fall')
  const { resumed } = await handshake(gate.port, first.session)
  test.ok(resumed, 'the keys outlive a worker')
  const answers = await Promise.all(clients.map((client) => client.ask('GET /c/b').then(({ status }) => status, () => 'gone')))
  test.ok(answers.every((answer) => answer === 200 || answer === 'gone'), answers.join(' '))
})
