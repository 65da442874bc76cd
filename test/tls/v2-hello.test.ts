// Hellos in SSL 2's framing: read as far as they offer TLS, never past their end.
import t from 'tap'
import { readClientHello } from '../../src/tls/client-hello.ts'
import { isV2Framed, readV2Hello } from '../../src/tls/v2-hello.ts'

/** As OpenSSL 0.9.8 sends it: TLS 1.0, suites of both kinds, a challenge of 16 bytes. */
const OLD = Buffer.from(`8028010301000f0000001000003500002f0700c000000a010080${'07'.repeat(16)}`, 'hex')

void t.test('version and suites, without those of SSL 2 itself', async (test) => {
  const read = { version: 0x0301, suites: [0x0035, 0x002f, 0x000a], groups: [], keyShares: [], signatures: [], serverName: undefined }
  test.strictSame(readV2Hello(OLD), read)
  test.strictSame(readClientHello(OLD), read)
  for (let length = 3; length < OLD.length; length++) test.equal(readClientHello(OLD.subarray(0, length)), 'more', `${length} bytes`)
})

void t.test('what is none, and what cannot be one', async (test) => {
  for (const hex of ['', '80', '8028', '160301', '802802', '002801']) test.notOk(isV2Framed(Buffer.from(hex, 'hex')), hex)
  const rows: [what: string, hex: string][] = [
    ['too short for its lengths', '800801030100000000'], ['suites beyond its end', '8009010301ffff00000010'], ['suites cut in two', '800b0103010002000000000000'],
  ]
  for (const [what, hex] of rows) test.equal(readClientHello(Buffer.from(hex, 'hex')), 'malformed', what)
})
