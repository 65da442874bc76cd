// The test authority: what it issues is taken by Node's TLS and by openssl, and refused where it should be.
import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { test } from 'tap'
import { createAuthority, type Issued } from '../support/authority.ts'

const NAMES = ['tide.example', '*.blob.localhost', '127.0.0.1', '::1']
const openssl = spawnSync('openssl', ['version']).status === 0

/** A TLS handshake with both sides in this process. Returns the client's authorization error, or `undefined`. */
async function handshake(server: Issued, ca: string, servername: string, client?: Issued): Promise<string | undefined> {
  const listener = createServer({ ...server, ca, requestCert: client !== undefined, rejectUnauthorized: client !== undefined })
  listener.on('tlsClientError', () => undefined)
  listener.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => undefined).end('hello'))
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const socket = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', servername, ca, ...client })
  const outcome = await new Promise<string | undefined>((resolve) => {
    socket.once('data', () => resolve(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    // Node sends no alert for a client certificate that it refuses.
    socket.once('close', () => resolve('closed'))
  })
  socket.destroy()
  listener.close()
  return outcome
}

await test('Node verifies every kind of key, of either kind of authority', async (t) => {
  for (const kind of ['ec', 'rsa'] as const) {
    const authority = await createAuthority({ name: `Test ${kind}`, key: kind })
    for (const key of ['ec', 'ec384', 'rsa2048'] as const) {
      const issued = await authority.issue({ names: NAMES, key })
      t.equal(await handshake(issued, authority.pem, 'x.blob.localhost'), undefined, `${key} of ${kind}`)
    }
  }
})

await test('Node refuses another authority, another name and another time', async (t) => {
  const authority = await createAuthority({ name: 'Test' })
  const other = await createAuthority({ name: 'Test' })
  const good = await authority.issue({ names: NAMES })
  const old = await authority.issue({ names: NAMES, notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') })
  t.match(await handshake(good, other.pem, 'tide.example'), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_SIGNATURE_FAILURE|SELF_SIGNED/)
  t.equal(await handshake(good, authority.pem, 'other.example'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.equal(await handshake(old, authority.pem, 'tide.example'), 'CERT_HAS_EXPIRED')
})

await test('a leaf carries its intermediates, and clients are told from servers by their purpose', async (t) => {
  const root = await createAuthority({ name: 'Root' })
  const office = await (await root.intermediate('Offices')).intermediate('Office 1')
  const server = await office.issue({ names: NAMES })
  const client = await office.issue({ names: [], uri: 'spiffe://tide/office-1', clientAuth: true })
  t.equal(server.cert.match(/BEGIN CERTIFICATE/g)?.length, 3)
  t.equal(await handshake(server, root.pem, 'tide.example'), undefined)
  t.equal(await handshake(server, root.pem, 'tide.example', client), undefined)
  t.not(await handshake(server, root.pem, 'tide.example', server), undefined, 'a server certificate is no client certificate')
  t.match(new X509Certificate(client.cert).subjectAltName, 'URI:spiffe://tide/office-1')
})

await test('serials are 128 bits long and differ', async (t) => {
  const authority = await createAuthority({ name: 'Test' })
  const serials = await Promise.all([1, 2, 3].map(async () => new X509Certificate((await authority.issue({ names: NAMES })).cert).serialNumber))
  t.equal(new Set(serials).size, 3)
  t.strictSame(serials.map((serial) => serial.length), [32, 32, 32])
})

await test('openssl verifies by the letter of RFC 5280', { skip: openssl ? false : 'openssl is missing' }, async (t) => {
  const folder = t.testdir({})
  const authority = await createAuthority({ name: 'Test' })
  const issued = await (await authority.intermediate('Between')).issue({ names: NAMES, key: 'rsa2048', clientAuth: true, serverAuth: true })
  writeFileSync(join(folder, 'ca.pem'), authority.pem)
  writeFileSync(join(folder, 'leaf.pem'), issued.cert)
  for (const purpose of ['sslserver', 'sslclient']) {
    const said = execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'ca.pem', '-untrusted', 'leaf.pem', 'leaf.pem'], { cwd: folder })
    t.match(said.toString(), /leaf\.pem: OK/)
  }
})
