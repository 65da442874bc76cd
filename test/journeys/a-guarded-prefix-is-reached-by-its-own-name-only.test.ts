// A guarded prefix beside an open one: no spelling that an upstream may fold reaches it through the open route, no dot segment
// in disguise leaves a prefix, and everything ordinary reaches the upstream byte for byte (security.md F3).
import t from 'tap'
import { createAuthority } from '../support/authority.ts'
import { far, startGate } from '../support/gate.ts'
import { createRealm, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const offices = await createAuthority({ name: 'Offices' })
realm.write('offices.pem', offices.pem)
const [MIXED, ALONE] = ['payroll.localhost', 'reports.localhost']
const to = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, {
  names: [MIXED, ALONE], tls: { clients: { ca: 'offices.pem' } },
  apis: [
    { name: 'admin', host: MIXED, prefix: '/admin', upstream: to, clients: { allow: ['DNS:office-1.example'] } },
    { name: 'open', host: MIXED, upstream: to },
    { name: 'alone', host: ALONE, prefix: '/v1', upstream: to },
  ],
})

/** Status and reason of each target on one connection, and what the upstream saw of it. */
async function ask(host: string, targets: readonly string[]): Promise<string[]> {
  const client = await dial(t, gate, { servername: host })
  const verdicts: string[] = []
  for (const target of targets) {
    const before = upstream.seen.length
    const reply = await client.request(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const seen = upstream.seen[before]?.line ?? ''
    verdicts.push(`${target} ${reply.status} ${reply.header('x-tidegate-reason') ?? ''} ${seen}`.trim())
  }
  client.close()
  return verdicts
}

const REFUSED = ['/%2Fadmin/x', '/ADMIN/x', '/admin;a=b/x', '/admin%3Ba/x', '/%5Cadmin/x', '/admin%5Cx', '/admin./x', '/admin%20/x', '/x/..;/admin/x', '/%252Fadmin', '/;x%2Fy/admin']
const DISGUISED = ['/v1/..;/admin', '/v1/%2e%2e;/admin', '/v1/%252e%252e/admin', '/v1/..%255cadmin', '/v1/..%20/admin']
const ORDINARY = ['/a%2Fb', '/a;b=c/d', '/A/B', '/a%20b', '/x/admin', '/administrator', '/a%5Cb', '/a//b', '/100%25', '/?x=/admin/../..;/']

await t.test('the open route does not lead to the guarded one', async (test) => {
  test.strictSame(await ask(MIXED, REFUSED), REFUSED.map((target) => `${target} 400 target-ambiguous`))
  test.strictSame(await ask(MIXED, ['/admin/x', '/%61dmin/x']), ['/admin/x 403 client-not-allowed', '/%61dmin/x 403 client-not-allowed'])
  test.equal(upstream.seen.length, 0, 'nothing reached the upstream')
})

await t.test('dot segments in disguise leave no prefix', async (test) => {
  test.strictSame(await ask(ALONE, DISGUISED), DISGUISED.map((target) => `${target} 400 target-ambiguous`))
  test.equal(upstream.seen.length, 0, 'nothing reached the upstream')
})

await t.test('what is ordinary reaches the upstream byte for byte', async (test) => {
  test.strictSame(await ask(MIXED, ORDINARY), ORDINARY.map((target) => `${target} 200  GET ${target} HTTP/1.1`))
  const under = ORDINARY.map((target) => `/v1${target}`)
  test.strictSame(await ask(ALONE, under), under.map((target) => `${target} 200  GET ${target} HTTP/1.1`))
})

await t.test('the refusals are counted and their lines show the path', async (test) => {
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'target-ambiguous' }), REFUSED.length + DISGUISED.length)
  test.ok(gate.lines('request').some(({ path, refusal }) => path === '/ADMIN/x' && JSON.stringify(refusal).includes('another route')))
})
