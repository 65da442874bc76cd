// Connections and handshakes counted against their limits, and given back.
import type { Socket } from 'node:net'
import t from 'tap'
import { recordArrival, type Arrival } from '../../src/door/arrival.ts'
import { Census } from '../../src/door/census.ts'

const from = (address: string): Arrival => recordArrival({ remoteAddress: address, remotePort: 1 } as Socket, 'tls', 0)

void t.test('connections: one more than the limit is one too many, until one leaves', async (test) => {
  const census = new Census({ connections: 2, connectionsPerAddress: 0, handshakes: 1 })
  test.strictSame([census.enter(), census.enter(), census.enter()], [false, false, true])
  census.leave(from('192.0.2.1'))
  census.leave(from('192.0.2.1'))
  test.equal(census.enter(), false)
})

void t.test('addresses: each has its own number, and none is kept of those that left', async (test) => {
  const census = new Census({ connections: 9, connectionsPerAddress: 1, handshakes: 1 })
  const [first, second, other] = [from('192.0.2.1'), from('192.0.2.1'), from('192.0.2.2')]
  test.strictSame([first, second, other].map((arrival) => census.enterAddress(arrival)), [false, true, false])
  census.leaveAddress(first)
  census.leaveAddress(first)
  census.leave(second)
  test.equal(census.enterAddress(from('192.0.2.1')), false)
})

void t.test('addresses: 0 is no limit', async (test) => {
  const census = new Census({ connections: 9, connectionsPerAddress: 0, handshakes: 1 })
  test.strictSame(['a', 'a', 'a'].map((address) => census.enterAddress(from(address))), [false, false, false])
})

void t.test('handshakes: what is over the limit is not counted, and an end counts once', async (test) => {
  const census = new Census({ connections: 9, connectionsPerAddress: 0, handshakes: 1 })
  const [first, second] = [from('192.0.2.1'), from('192.0.2.2')]
  test.equal(census.beginHandshake(first), true)
  test.equal(census.beginHandshake(second), false)
  census.endHandshake(second)
  test.equal(census.beginHandshake(second), false, 'it was never one of them')
  census.endHandshake(first)
  census.endHandshake(first)
  test.equal(census.beginHandshake(second), true)
  test.equal(census.beginHandshake(first), false)
})
