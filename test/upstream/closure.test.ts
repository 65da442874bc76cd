import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { connect, createSecureContext, TLSSocket, type SecureVersion } from 'node:tls'
import t from 'tap'
import { watchClosure } from '../../src/upstream/closure.ts'
import { createRealm } from '../support/realm.ts'
import { until } from '../support/until.ts'

const realm = await createRealm(t)
const secureContext = createSecureContext(await realm.authority.issue({ names: ['localhost'] }))

const ENDS: Readonly<Record<string, (secure: TLSSocket, raw: Socket) => unknown>> = {
  'close_notify': (secure) => secure.end(),
  'close_notify, later': (secure) => setTimeout(() => secure.end(), 20),
  'FIN alone': (_, raw) => raw.end(),
  'FIN alone, later': (_, raw) => setTimeout(() => raw.end(), 20),
}

/** What is said of a stream that a server ends in one of these ways. */
async function saidOf(version: SecureVersion, length: number, end: (secure: TLSSocket, raw: Socket) => unknown): Promise<boolean> {
  const server = createServer((raw) => {
    const secure = new TLSSocket(raw, { isServer: true, secureContext })
    secure.on('error', () => undefined)
    secure.once('secure', () => secure.write(Buffer.alloc(length), () => void end(secure, raw)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1', servername: 'localhost', ca: realm.authority.pem, minVersion: version, maxVersion: version })
  let isSaid: (() => boolean) | undefined
  let got = 0
  client.on('readable', () => {
    for (let piece = client.read() as Buffer | null; piece !== null; piece = client.read() as Buffer | null) {
      isSaid ??= watchClosure(client)
      got += piece.length
    }
  })
  await once(client, 'end')
  client.destroy()
  server.close()
  if (got !== length) throw new Error(`${got} of ${length} bytes`)
  return isSaid?.() ?? false
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  void t.test(`an end that was said is told from one that befell: ${version}`, async (test) => {
    for (const [how, end] of Object.entries(ENDS)) {
      for (const length of [1, 5000, 3_000_000]) test.equal(await saidOf(version, length, end), how.startsWith('close_notify'), `${how}, ${length} bytes`)
    }
  })
}

void t.test('without TLS every end counts', async (test) => {
  const server = createServer((raw) => raw.end('bytes')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { connect: connectPlain } = await import('node:net')
  const client = connectPlain((server.address() as { port: number }).port, '127.0.0.1')
  const isSaid = watchClosure(client)
  client.resume()
  await until(() => client.readableEnded, 'the end')
  test.equal(isSaid(), true)
  server.close()
})
