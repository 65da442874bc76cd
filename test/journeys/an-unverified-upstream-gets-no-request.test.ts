// Whatever an upstream shows instead of its own certificate over TLS as the policy has it: 502 upstream-certificate, and
// not a byte of any request.
import t from 'tap'
import { createAuthority } from '../support/authority.ts'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { askOnce } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)

void t.test('an upstream that cannot prove who it is gets no byte of a request', async (test) => {
  const stranger = await createAuthority({ name: 'Stranger' })
  const names = [upstreamHost('blob')]
  const day = 86_400_000
  const alone = await createAuthority({ name: upstreamHost('blob') })
  const bad: Record<string, Parameters<typeof startUpstream>[2]> = {
    'self-signed': { tls: { cert: alone.pem, key: alone.key } },
    'of an unknown authority': { tls: await stranger.issue({ names }) },
    'with another name': { tls: await realm.authority.issue({ names: ['evil.example', 'upstream.example', '127.0.0.1'] }) },
    'expired': { tls: await realm.authority.issue({ names, notBefore: new Date(Date.now() - 9 * day), notAfter: new Date(Date.now() - day) }) },
    'from tomorrow': { tls: await realm.authority.issue({ names, notBefore: new Date(Date.now() + day), notAfter: new Date(Date.now() + 9 * day) }) },
    'for clients only': { tls: await realm.authority.issue({ names, clientAuth: true }) },
    'with a weak key': { tls: { ...await realm.authority.issue({ names, key: 'rsa1024' }), ciphers: 'DEFAULT@SECLEVEL=0' } },
    'over TLS 1.1': { tls: { ...await realm.authority.issue({ names }), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } },
    'over a suite without ECDHE': { tls: { ...await realm.authority.issue({ names, key: 'rsa2048' }), maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' } },
    'in plaintext': { plain: true, greeting: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
    'in silence': { plain: true },
  }
  for (const [name, options] of Object.entries(bad)) {
    await test.test(name, async (inner) => {
      const own = await startUpstream(inner, realm, options)
      const there = far(realm, upstreamHost('blob'), own.port)
      const gate = await startGate(inner, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API], limits: { connectTimeout: '1s' } })
      const [reason, result] = name === 'in silence' ? ['upstream-unreachable', 'unreachable'] : ['upstream-certificate', 'certificate']
      for (const [host, upstream] of [[storageHost('blob'), 'tideoffice.blob'], [API, 'payroll']] as const) {
        const reply = await askOnce(inner, gate, 'PUT /a', [`Host: ${host}`, 'Content-Length: 5'], 'hello')
        inner.match([reply.status, reply.header('x-tidegate-reason')], [502, reason], upstream)
        inner.equal(await gate.metric('tidegate_upstream_requests_total', { upstream, result }), 1)
      }
      inner.match((await gate.requests(2)).map((line) => [line['route'], line.reason]), [['tideoffice', reason], ['payroll', reason]])
      inner.equal(own.seen.length, 0, 'nothing of the requests')
    })
  }
})
