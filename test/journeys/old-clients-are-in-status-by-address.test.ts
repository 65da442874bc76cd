// "Which office still offers TLS 1.0, and who would be cut off by `modern`?" /status says it by client address, over all
// workers; metrics never name an address, and the log has each refusal with what was offered (issue 4; contract 7, 9).
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import type { TlsStatus } from '../../src/admin/tls-status.ts'
import { serveGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { Client, dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until, within } from '../support/until.ts'
import { hello } from '../tls/hello.ts'

const HOST = storageHost('blob')
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const wish = { storage: { blob: upstream.port }, listen: { proxyProtocol: { from: ['127.0.0.1'] } }, workers: 2 }
const gate = await serveGate(t, realm, wish)

const tlsNow = async (): Promise<TlsStatus> => (JSON.parse((await gate.admin('/status')).text) as { tls: TlsStatus }).tls

const from = (address: string): string => `PROXY TCP4 ${address} 192.0.2.254 40000 443\r\n`

/** An office whose client offers an old version: refused. */
async function offersOnly(test: Test, address: string, legacyVersion: number): Promise<void> {
  const client = await dialPlain(test, gate.port)
  await client.send(Buffer.concat([Buffer.from(from(address)), hello({ legacyVersion, suites: [0xc013, 0x0035], groups: [0x001d], serverName: HOST })]))
  await client.ended()
}

/** An office whose client is served. */
async function served(test: Test, address: string, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<void> {
  const raw = connectTcp({ host: '127.0.0.1', port: gate.port })
  test.teardown(() => raw.destroy())
  await within(once(raw, 'connect'), 'a connection')
  raw.write(from(address))
  const secure = connectTls({ socket: raw, servername: HOST, ca: realm.authority.pem, maxVersion })
  await within(once(secure, 'secureConnect'), 'a handshake')
  const client = new Client(secure)
  test.equal((await client.ask('GET /c/b')).status, 200)
  client.close()
}

void t.test('/status names who offers less than TLS 1.3, what they got, and the shares of all', async (test) => {
  test.match(await tlsNow(), { profile: 'intermediate', completed: 0, resumedShare: null, postQuantumShare: null, cutOffByModern: [] })
  await offersOnly(test, '192.0.2.10', 0x0301)
  await offersOnly(test, '192.0.2.10', 0x0301)
  await offersOnly(test, '192.0.2.11', 0x0302)
  await served(test, '192.0.2.12', 'TLSv1.2')
  await served(test, '192.0.2.13', 'TLSv1.3')
  await served(test, '192.0.2.10', 'TLSv1.3')
  const tls = await tlsNow()
  test.match(tls.offered, { 'ssl3': 0, 'tls1.0': 2, 'tls1.1': 1, 'tls1.2': 1, 'tls1.3': 2, none: 0 })
  test.match([tls.completed, tls.resumedShare, tls.postQuantumShare], [3, 0, 0.6667])
  test.strictSame(tls.refused, { 'tls-version': 3 })
  test.strictSame(tls.groups, [{ group: 'X25519MLKEM768', postQuantum: true, count: 2 }, { group: 'x25519', postQuantum: false, count: 1 }])
  test.strictSame(tls.negotiated[0], { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256', resumed: false, clientCertificate: false, count: 2 })
  const rows = new Map(tls.cutOffByModern.map((row) => [row.client, row]))
  test.strictSame([...rows.keys()].toSorted(), ['192.0.2.10', '192.0.2.11', '192.0.2.12'], 'not the one that offers TLS 1.3 alone')
  test.match(rows.get('192.0.2.10'), { lowest: 'tls1.0', offered: { 'tls1.0': 2 }, served: 0, negotiated: null, serverName: HOST, lastSeen: /^\d{4}-\d\d-\d\dT/ })
  test.match(rows.get('192.0.2.11'), { lowest: 'tls1.1', served: 0 })
  test.match(rows.get('192.0.2.12'), { lowest: 'tls1.2', served: 1, negotiated: { version: 'TLSv1.2', suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', group: 'x25519' } })
})

void t.test('the log says the same: each refusal with its offer, each request with its version', async (test) => {
  await until(() => gate.lines('refused').length >= 3 && gate.lines('request').length >= 3, 'the lines')
  const old = gate.lines('refused').filter(({ offered }) => offered === 'tls1.0')
  test.match(old, [{ client: '192.0.2.10', reason: 'tls-version', suites: Array, groups: Array, serverName: HOST }, { client: '192.0.2.10' }])
  test.strictSame(gate.lines('request').filter(({ tls }) => tls === 'TLSv1.2').map(({ client }) => client), ['192.0.2.12'])
})

void t.test('no metric names an address; a worker that dies leaves its rows', async (test) => {
  test.notMatch((await gate.admin('/metrics')).text, /192\.0\.2\./)
  const workers = await gate.workers()
  for (const pid of workers) process.kill(pid, 'SIGKILL')
  await until(async () => (await gate.workers()).filter((pid) => !workers.includes(pid)).length === 2, 'other workers')
  test.equal((await tlsNow()).cutOffByModern.length, 3)
})
