// A certificate that vouches for itself: as OpenSSL reads it, and as a TLS client takes it.
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:tls'
import t from 'tap'
import { parseCredential } from '../../src/tls/credential.ts'
import { selfSigned } from '../../src/tls/self-signed.ts'
import { addressText, portOf } from '../../src/process/messages.ts'

const NAMES = ['rehearsal.blob.rehearsal.invalid', 'api.rehearsal.invalid']

void t.test('what it says', async (test) => {
  for (const now of [Date.UTC(2026, 10, 26), Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2051, 0, 1)]) {
    const { cert, key } = selfSigned(NAMES, now)
    const read = new X509Certificate(cert)
    test.equal(read.subjectAltName, NAMES.map((name) => `DNS:${name}`).join(', '))
    test.ok(read.ca && read.verify(read.publicKey) && read.checkPrivateKey(createPrivateKey(key)))
    test.ok(read.validFromDate.getTime() < now && read.validToDate.getTime() - read.validFromDate.getTime() === 86_400_000, read.validTo)
    test.strictSame(parseCredential(Buffer.from(cert), Buffer.from(key), now).names, NAMES, 'the gateway itself takes it')
  }
})

void t.test('no two are alike', async (test) => {
  const made = Array.from({ length: 20 }, () => new X509Certificate(selfSigned(NAMES, Date.now()).cert))
  test.equal(new Set(made.map(({ serialNumber }) => serialNumber)).size, 20)
  test.equal(new Set(made.map(({ publicKey }) => publicKey.export({ type: 'spki', format: 'der' }).toString('hex'))).size, 20)
  for (const { serialNumber } of made) test.match(serialNumber, /^[4-7][0-9A-F]{31}$/, 'a positive number of 16 octets')
})

void t.test('a client that trusts it connects, for its names alone', async (test) => {
  const { cert, key } = selfSigned(NAMES, Date.now())
  const server = createServer({ cert, key }, (socket) => socket.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  test.teardown(() => server.close())
  const reach = async (servername: string, ca: string): Promise<string> => {
    const socket = connect({ port: portOf(addressText(server.address())), host: '127.0.0.1', servername, ca })
    try {
      await once(socket, 'secureConnect')
      return 'connected'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? ''
    } finally {
      socket.destroy()
    }
  }
  test.equal(await reach(NAMES[0] ?? '', cert), 'connected')
  test.equal(await reach('other.invalid', cert), 'ERR_TLS_CERT_ALTNAME_INVALID')
  test.equal(await reach(NAMES[0] ?? '', selfSigned(NAMES, Date.now()).cert), 'DEPTH_ZERO_SELF_SIGNED_CERT')
})
