// Pins Node's private `_parent`: the arrival of a TLS socket is found through it, after the handshake and where it failed.
import { once } from 'node:events'
import { createServer as createHttpsServer } from 'node:https'
import { connect as connectTcp, createServer as createTcpServer, Socket, type AddressInfo, type Server } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { amendArrival, arrivalOf, connectionUnder, plainAddress, recordArrival, type Arrival } from '../../src/door/arrival.ts'
import { createAuthority } from '../support/authority.ts'

const authority = await createAuthority({ name: 'arrivals' })
const own = await authority.issue({ names: ['gate.example'] })

/** Listens with a door before the server, as the front door does it. */
async function listen(test: Test, server: Server): Promise<{ port: number; arrivals: Map<Arrival, Socket> }> {
  const arrivals = new Map<Arrival, Socket>()
  const [toTls] = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    arrivals.set(recordArrival(socket, 'tls', 42), socket)
    socket.once('readable', () => toTls?.call(server, socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, arrivals }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  void t.test(`a TLS socket leads to its arrival, with the client's address (${version})`, async (test) => {
    const server = createServer({ cert: own.cert, key: own.key })
    const { port, arrivals } = await listen(test, server)
    const client = connect({ host: '127.0.0.1', port, servername: 'gate.example', ca: authority.pem, minVersion: version, maxVersion: version })
    const [[secure]] = await Promise.all([once(server, 'secureConnection') as Promise<[TLSSocket]>, once(client, 'secureConnect')])
    const [[arrival, raw] = []] = arrivals
    test.equal(arrivalOf(secure), arrival)
    test.equal(arrivalOf(secure), arrival, 'and again')
    test.equal(connectionUnder(secure), raw)
    test.match(arrival, { address: '127.0.0.1', port: client.localPort, listener: 'tls', acceptedAt: 42, offer: undefined, refused: false, handshaking: false })
    client.destroy()
    await once(secure, 'close')
    test.equal(arrivalOf(secure), arrival, 'also when it is over')
  })
}

void t.test('the same over node:https, whose requests carry the TLS socket', async (test) => {
  const server = createHttpsServer({ cert: own.cert, key: own.key })
  const { port, arrivals } = await listen(test, server)
  const client = connect({ host: '127.0.0.1', port, servername: 'gate.example', ca: authority.pem })
  client.on('error', () => undefined).write('GET / HTTP/1.1\r\nHost: gate.example\r\n\r\n')
  const [request] = await once(server, 'request') as [{ socket: Socket }]
  test.equal(arrivalOf(request.socket), [...arrivals.keys()][0])
  client.destroy()
  await once(request.socket, 'close')
})

void t.test('a failed handshake leads to its arrival, although the TLS socket has lost the address', async (test) => {
  const server = createServer({ cert: own.cert, key: own.key })
  const { port, arrivals } = await listen(test, server)
  const client = connectTcp({ host: '127.0.0.1', port })
  client.on('error', () => undefined).write(Buffer.from('1603010005010000010000', 'hex'))
  const [, socket] = await once(server, 'tlsClientError') as [Error, TLSSocket]
  const [arrival] = arrivals.keys()
  test.ok(arrival)
  test.equal(arrivalOf(socket), arrival)
  test.equal(arrivalOf(socket)?.address, '127.0.0.1')
  client.destroy()
})

void t.test('a socket that no door let in has none', async (test) => {
  test.equal(arrivalOf(new Socket()), undefined)
  const server = createServer({ cert: own.cert, key: own.key })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, ca: authority.pem, servername: 'gate.example' })
  const [[secure]] = await Promise.all([once(server, 'secureConnection') as Promise<[TLSSocket]>, once(client, 'secureConnect')])
  test.equal(arrivalOf(secure), undefined)
  client.destroy()
})

void t.test('addresses are IPv4 where they can be', async (test) => {
  const rows = [['127.0.0.1', '127.0.0.1'], ['::ffff:192.0.2.7', '192.0.2.7'], ['::FFFF:192.0.2.7', '192.0.2.7'], ['2001:db8::1', '2001:db8::1'], ['::ffff:c000:207', '192.0.2.7'], ['::ffff:7f00:1', '127.0.0.1'], ['::ffff:0:0', '0.0.0.0'], ['::ffff:1:2:3', '::ffff:1:2:3'], ['::1', '::1'], ['', '']]
  for (const [given = '', expected] of rows) test.equal(plainAddress(given), expected, given)
  const server = createTcpServer()
  server.listen(0, '::')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const client = connectTcp({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const [socket] = await once(server, 'connection') as [Socket]
  test.equal(socket.remoteAddress, '::ffff:127.0.0.1')
  test.equal(recordArrival(socket, 'plain', 0).address, '127.0.0.1')
  test.match(arrivalOf(socket), { listener: 'plain', balancer: null })
  client.destroy()
})

void t.test('a listed balancer says who came, or speaks for itself', async (test) => {
  const arrival = recordArrival(new Socket(), 'tls', 0)
  arrival.address = '10.0.0.7'
  amendArrival(arrival, { address: '::ffff:203.0.113.9', port: 4711 })
  test.match(arrival, { address: '203.0.113.9', port: 4711, balancer: '10.0.0.7' })
  const own7 = recordArrival(new Socket(), 'tls', 0)
  own7.address = '10.0.0.7'
  amendArrival(own7, undefined)
  test.match(own7, { address: '10.0.0.7', balancer: '10.0.0.7' })
})
