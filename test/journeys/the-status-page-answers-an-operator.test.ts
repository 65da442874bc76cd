// The page at / of the admin listener, of the real program: five incidents, each told with its cause and what to do, on the
// first screen or one section away; and never a secret.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { issue } from '../sas/second.ts'
import { far, serveGate } from '../support/gate.ts'
import { ACCOUNT, createRealm, upstreamHost } from '../support/realm.ts'
import { askOnce, dial, dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until } from '../support/until.ts'
import { recordNode } from '../tls/hello.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const soon = await realm.certificate('soon', { names: ['payroll.tide.example'], days: 2.5 })
const gone = await startUpstream(t, realm)
await gone.close()
const gate = await serveGate(t, realm, {
  storage: { blob: upstream.port, queue: far(realm, upstreamHost('queue'), gone.port) },
  apis: [{ name: 'payroll', host: 'payroll.tide.example', upstream: far(realm, 'payroll.upstream.example', upstream.port) }],
  names: ['payroll.tide.example'],
  workers: 2,
})
const url = `http://127.0.0.1:${gate.adminPort}/`
const page = async (): Promise<string> => (await gate.admin('/')).text
/** Text as people see it. */
const shown = async (): Promise<string> => (await page()).replace(/<(?:style|script)>[^]*?<\/(?:style|script)>/g, '').replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')

void t.test('GET and HEAD, not to be kept, framed or led elsewhere; nothing else is there', async (test) => {
  const [get, head, post] = await Promise.all(['GET', 'HEAD', 'POST'].map((method) => fetch(url, { method })))
  test.strictSame([get?.status, head?.status, post?.status], [200, 200, 404])
  test.equal(await head?.text(), '')
  for (const reply of [get, head]) {
    test.match(Object.fromEntries(reply?.headers ?? []), {
      'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
      'content-security-policy': /^default-src 'none'; script-src 'sha256-[^ ]+'; style-src 'sha256-[^ ]+'; .*frame-ancestors 'none'/,
    })
  }
  await get?.text()
})

void t.test('a quiet gateway: ready, and nothing needs anybody', async (test) => {
  const text = await shown()
  for (const part of ['Ready Up for', 'Nothing needs you', '2 of 2', 'tideoffice.blob', 'tls.certificates[0]', 'tidegate.yaml', 'No TLS hello has come yet']) test.ok(text.includes(part), part)
})

void t.test('an office on TLS 1.0: its range, what it offers, what to do', async (test) => {
  const client = await dialPlain(test, gate.port)
  await client.send(await recordNode({ servername: 'old.tide.example', minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }))
  await client.ended()
  const text = await shown()
  test.match(text, /tls-version in the handshake Update the client or the system below it; no setting lets it in\..* docs\/refusals\.md#tls-version 1 1 \d+ s ago the client/)
  test.match(text, /127\.0\.0\.0\/24 tls-version 1 \d+ s ago/)
  test.match(text, /127\.0\.0\.1 old\.tide\.example TLS 1\.0 × 1 ! refused/)
})

void t.test('a rotated account key: whose, and which file', async (test) => {
  const params = Object.entries({ sv: '2025-05-05', se: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, ''), sp: 'r', sr: 'b' })
  const query = issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params }, Buffer.alloc(64, 7))
  test.equal((await askOnce(test, gate, `GET /c/b?${query}`)).status, 403)
  test.match(await shown(), /sas-signature in its token .* its key was rotated; put the new key first in keys\./)
  test.match(await shown(), /127\.0\.0\.0\/24 sas-signature 1 /)
  test.notOk((await page()).includes(new URLSearchParams(query).get('sig') ?? ''))
})

void t.test('what could not even be read counts for its range as well', async (test) => {
  const client = await dial(test, gate)
  await client.send('GET / HTTP/1.1\r\nbad header\r\n\r\n')
  await client.ended()
  test.match(await shown(), /127\.0\.0\.0\/24 http-malformed 1 /)
})

void t.test('an upstream that is down: which, how, how many', async (test) => {
  test.equal((await askOnce(test, gate, 'GET /q/messages', [`Host: ${ACCOUNT}.queue.localhost`])).status, 502)
  const text = await shown()
  test.match(text, /Ready, with trouble .* Act now tideoffice\.queue: 1 request of 1 failed \(unreachable\) DNS, network, or the service is down/)
  test.match(text, /tideoffice\.queue https:\/\/tideoffice\.queue\.upstream\.example:\d+ ✕ failing since the start: unreachable × 1/)
})

void t.test('a certificate that ends in two days: on the first screen', async (test) => {
  const file = join(realm.folder, 'tidegate.yaml')
  const before = readFileSync(file, 'utf8')
  const configuration = JSON.parse(before) as { tls: { certificates: object[] } }
  configuration.tls.certificates.push({ cert: soon.certFile, key: soon.keyFile })
  writeFileSync(file, JSON.stringify(configuration))
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reloaded').length === 1, 'the reload')
  test.match(await shown(), /Act now tls\.certificates\[1\] \(payroll\.tide\.example\) ends in 2 days Put the renewed file in its place/)
})

void t.test('a broken configuration pushed: the path of the fault, and what is in force', async (test) => {
  const file = join(realm.folder, 'tidegate.yaml')
  const configuration = JSON.parse(readFileSync(file, 'utf8')) as { apis: { upstream: unknown }[] }
  for (const api of configuration.apis) api.upstream = 'http://payroll.internal/<script>alert(1)</script>'
  writeFileSync(file, JSON.stringify(configuration))
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reload refused: the old configuration stays in force').length === 1, 'the refusal')
  const text = await shown()
  test.match(text, /Act now The last reload was refused: apis\[0\]\.upstream.* The old configuration stays in force/)
  test.match(text, /✕ refused SIGHUP apis\[0\]\.upstream/)
  test.match(text, /Generation 2 /)
  test.equal((await page()).match(/<script/g)?.length, 1)
})

void t.test('no key, and nothing of one', async (test) => {
  const html = await page()
  for (const secret of [realm.key1, realm.key2, soon.key, 'PRIVATE']) test.notOk(html.includes(secret))
})

void t.test('draining: said as long as there is someone to ask', async (test) => {
  const idle = await serveGate(test, realm, { storage: { blob: upstream.port }, drain: { announce: '20s', deadline: '1s' } })
  idle.child.kill('SIGTERM')
  await until(async () => (await idle.admin('/')).text.includes('<title>Draining'), 'the state')
  idle.child.kill('SIGTERM')
  await idle.ended
})
