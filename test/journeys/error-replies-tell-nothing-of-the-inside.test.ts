// Whatever goes wrong behind the gate, the client is told in the table's words: no address, name, path, library or code of the
// inside, and nothing of its own request (security.md O5).
import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const inner = 'inner.secret-host.example'
const good = await startUpstream(t, realm, { names: [inner] })
const impostor = await startUpstream(t, realm, { tls: await realm.authority.issue({ names: ['other.example'] }) })
const plain = await startUpstream(t, realm, { plain: true, greeting: 'HTTP/1.1 400 Bad Request\r\n\r\n' })
const mute = await startUpstream(t, realm, { plain: true })
const closed = createServer().listen(0, '127.0.0.1')
await once(closed, 'listening')
const nobody = (closed.address() as { port: number }).port
closed.close()

const there = (port: number): Readonly<Record<string, unknown>> => far(realm, inner, port)
const FAULTS: Readonly<Record<string, readonly [upstream: Readonly<Record<string, unknown>>, reason: string, script?: string]>> = {
  refused: [there(nobody), 'upstream-unreachable'],
  unnamed: [{ url: `https://${inner}:${good.port}`, ca: realm.caFile }, 'upstream-unreachable'],
  certificate: [there(impostor.port), 'upstream-certificate'],
  'not-tls': [there(plain.port), 'upstream-certificate'],
  // This takes longer than a reply may: it is the connection that does not come.
  mute: [there(mute.port), 'upstream-unreachable'],
  reset: [there(good.port), 'upstream-reset'],
  silent: [there(good.port), 'upstream-timeout'],
  malformed: [there(good.port), 'upstream-reset'],
}
const hosts = Object.keys(FAULTS).map((name) => `${name}.localhost`)
const gate = await startGate(t, realm, {
  storage: { blob: there(nobody), queue: there(good.port), table: there(impostor.port) },
  apis: Object.entries(FAULTS).map(([name, [upstream]]) => ({ name, host: `${name}.localhost`, upstream })),
  names: hosts,
  limits: { upstreamTimeout: '500ms', connectTimeout: '2s' },
})
good.script(async (turn) => {
  if (turn.request.target.includes('silent')) return
  if (turn.request.target.includes('malformed')) await turn.write('HTTP/1.1 200 OK\r\nX\0: inner-word\r\n\r\n')
  else turn.reset()
})

const INSIDE = new RegExp([
  'ECONN', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'ERR_', 'UND_ERR', 'FST_', 'HPE_', 'CERT_', 'ALTNAME', 'SELF_SIGNED', 'CONNECT_TIMEOUT', 'NO_REPLY', 'REPLY_', 'node:', 'node_modules', 'fastify', 'undici', 'reply-from', '\\bat .*:\\d+:\\d+', '\\.[jt]s\\b',
  '/work', realm.folder, '127\\.0\\.0\\.1', inner.replaceAll('.', '\\.'), 'secret-host', 'inner-word', String(good.port), String(nobody), String(impostor.port), 'CANARY', 'invalid\\b.*upstream',
].join('|'), 'i')

for (const [what, host, reason] of [
  ...Object.entries(FAULTS).map(([name, [, own]]) => [name, `${name}.localhost`, own] as const),
  ['refused, storage', storageHost('blob'), 'upstream-unreachable'], ['reset, storage', storageHost('queue'), 'upstream-reset'], ['certificate, storage', storageHost('table'), 'upstream-certificate'],
] as const) {
  void t.test(what, async (test) => {
    const reply = await askOnce(test, gate, `GET /CANARY/${what.split(',')[0] ?? ''}?CANARY=1`, [`Host: ${host}`, 'X-CANARY: CANARY'])
    test.equal(reply.header('x-tidegate-reason'), reason)
    const text = `${reply.head}\r\n\r\n${reply.text}`
    test.notMatch(text.replaceAll(/^x-(?:ms-)?request-id: .*$/gim, ''), INSIDE)
    test.ok(reply.text.length > 20, 'it says something all the same')
  })
}
