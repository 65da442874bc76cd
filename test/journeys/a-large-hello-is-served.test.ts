// A ClientHello of up to 128 KiB is served, as by nginx and Node; a longer one, and one whose lengths lie, ends at once
// (contract 3.9, security.md F21).
import t, { type Test } from 'tap'
import { startGate, type GateHere } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dialPlain } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { hello, records } from '../tls/hello.ts'

const realm = await createRealm(t)
const gate = await startGate(t, realm, { storage: { blob: 1 }, tls: { handshakeTimeout: '60s' } })

const GREASE = 0x0a0a
const ECDHE = [0xc02b, 0xc02c, 0xc02f, 0xc030]
/** One of TLS 1.2 that is good in all but its size; `suites` and `padding` in bytes. */
const wide = (suites: number, padding: number): Buffer =>
  hello({
    suites: [...ECDHE, ...Array.from({ length: suites / 2 }, () => GREASE)],
    serverName: storageHost('blob'),
    groups: [0x1d, 0x17],
    signatures: [0x0403, 0x0804],
    extensions: [[21, Buffer.alloc(padding)]],
  })

/** The type of the record that the server sends first, and of its message: 22 and 2 for a ServerHello. */
async function answer(test: Test, to: GateHere, pieces: readonly Buffer[]): Promise<readonly number[]> {
  const client = await dialPlain(test, to.port)
  for (const piece of pieces) await client.send(piece)
  await until(() => client.bytes.length > 0 || client.ending !== undefined, 'an answer')
  const [first = Buffer.alloc(0)] = client.bytes
  client.close()
  return first.length === 0 ? [] : [first[0] ?? 0, first[5] ?? 0]
}

for (const [suites, padding] of [
  [200, 200],
  [200, 16_000],
  [200, 65_000],
  [30_000, 65_000],
  [65_000, 65_000],
] as const) {
  void t.test(`a hello with suites of ${suites} bytes and an extension of ${padding}`, async (test) => {
    const bytes = wide(suites, padding)
    test.strictSame(await answer(test, gate, [bytes]), [22, 2], `at once: ${bytes.length} bytes`)
    test.strictSame(
      await answer(test, gate, [bytes.subarray(0, 9), bytes.subarray(9, bytes.length - 1), bytes.subarray(-1)]),
      [22, 2],
      'in three pieces',
    )
  })
}

const LIES: Readonly<Record<string, Buffer>> = {
  'a message of 128 KiB and a byte': records(Buffer.from('0101fffd', 'hex')),
  'as long a one in records of one byte': records(wide(200, 60_000).subarray(5, 9_000), 1),
  'a message of 16 MiB': records(Buffer.from('01ffffff', 'hex')),
  'a record longer than one may be': Buffer.from('16030148010001fc', 'hex'),
  'suites that end outside the message': records(
    Buffer.concat([Buffer.from('0100002703030000', 'hex'), Buffer.alloc(31), Buffer.from('00ffff00', 'hex')]),
  ),
}

for (const [what, bytes] of Object.entries(LIES)) {
  void t.test(`${what} ends at once`, async (test) => {
    const before = await gate.metric('tidegate_refusals_total', { reason: 'tls-malformed' })
    const client = await dialPlain(test, gate.port)
    await client.send(bytes)
    // The handshake has a minute, twice as long as this waits.
    await client.ended()
    test.equal(await gate.metric('tidegate_refusals_total', { reason: 'tls-malformed' }), before + 1)
  })
}
