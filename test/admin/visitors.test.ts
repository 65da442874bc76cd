// Who may ask the admin listener, by real requests to it (contract section 7, security.md F10).
import { request, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildAdmin } from '../../src/admin/listener.ts'
import { Readiness } from '../../src/admin/readiness.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

async function open(test: Test, hosts: readonly string[] = []): Promise<(path: string, headers: Readonly<Record<string, string>>, method?: string) => Promise<Answer>> {
  const app = buildAdmin({
    hosts, readiness: new Readiness(), connection: () => undefined, broken: (error) => test.fail(String(error)),
    reports: { metrics: async () => 'metrics', status: async () => ({}), page: async () => 'page' },
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  test.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo
  return (path, headers, method = 'GET') => new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, setHost: false }, (reply) => {
      reply.resume().on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers }))
    })
    asked.on('error', reject).end()
  })
}

const OURS = ['127.0.0.1', '127.0.0.1:9464', '10.0.0.9', '[::1]', '[fd00::12]:9464', 'localhost', 'LOCALHOST:9464', 'localhost.', 'gate.example:9464', 'Gate.Example', 'gate.example.']
const STRANGE = ['evil.example', 'evil.example:9464', 'localhost.evil.example', '127.0.0.1.evil.example', 'gate.example.evil.example', 'xgate.example', '', 'gate.example:9464:1', 'user@gate.example', '127.0.0.1.nip.io', 'tidegate']

void t.test('a Host that is an address, localhost or listed is answered, any other is 421', async (test) => {
  const ask = await open(test, ['gate.example'])
  for (const path of ['/', '/metrics', '/status', '/livez']) {
    for (const host of OURS) test.equal((await ask(path, { host })).status, 200, `${host} ${path}`)
    for (const host of STRANGE) test.equal((await ask(path, { host })).status, 421, `${host} ${path}`)
  }
  test.equal((await ask('/readyz', { host: 'evil.example' })).status, 421)
  test.equal((await ask('/no', { host: 'evil.example' })).status, 421, 'nor is it told what there is')
})

const HOST = { host: '127.0.0.1' }
const CROSS = { ...HOST, 'sec-fetch-site': 'cross-site' }
const FOLLOWED = { ...CROSS, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

void t.test('the page of another site asks for nothing but by a link', async (test) => {
  const ask = await open(test)
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ['/status', CROSS, 403], ['/metrics', CROSS, 403], ['/', CROSS, 403], ['/status', FOLLOWED, 403], ['/metrics?x=/', FOLLOWED, 403],
    ['/', FOLLOWED, 200], ['/?a=b', FOLLOWED, 200], ['/docs/alerts', FOLLOWED, 404], ['/docsx', FOLLOWED, 403],
    ['/', { ...FOLLOWED, 'sec-fetch-dest': 'iframe' }, 403], ['/', { ...FOLLOWED, 'sec-fetch-mode': 'no-cors' }, 403],
    ['/status', { ...HOST, 'sec-fetch-site': 'same-origin' }, 200], ['/status', { ...HOST, 'sec-fetch-site': 'none' }, 200], ['/status', HOST, 200],
  ]
  for (const [path, headers, status] of rows) test.equal((await ask(path, headers)).status, status, `${path} ${JSON.stringify(headers)}`)
  test.equal((await ask('/', FOLLOWED, 'POST')).status, 403, 'a form of another site')
})

void t.test('all answers say nosniff', async (test) => {
  const ask = await open(test)
  for (const path of ['/', '/livez', '/readyz', '/metrics', '/status', '/no']) test.equal((await ask(path, HOST)).headers['x-content-type-options'], 'nosniff', path)
  test.equal((await ask('/', { host: 'evil.example' })).headers['x-content-type-options'], 'nosniff')
  test.match((await ask('/', HOST)).headers['content-security-policy'], /frame-ancestors 'none'/)
})
