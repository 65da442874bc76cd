// Who may ask the admin listener, by real requests to it (contract section 7, security.md F10).
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildAdmin } from '../../src/admin/listener.ts'
import { Readiness } from '../../src/admin/readiness.ts'
import { probeHandlers } from '../../src/contain.ts'
import { until } from '../support/until.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

interface Faulty {
  readonly status?: () => Promise<object>
  readonly broken?: (error: unknown) => void
}

/** Starts the admin listener; returns its port. */
async function start(test: Test, hosts: readonly string[] = [], { status, broken }: Faulty = {}): Promise<number> {
  const app = buildAdmin({
    hosts,
    readiness: new Readiness(),
    connection: () => undefined,
    broken: broken ?? ((error) => test.fail(String(error))),
    reports: { metrics: async () => 'metrics', status: status ?? (async () => ({})), page: async () => 'page' },
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  test.teardown(() => app.close())
  return (app.server.address() as AddressInfo).port
}

type Ask = (path: string, headers: Readonly<Record<string, string>>, method?: string) => Promise<Answer>

async function open(test: Test, hosts: readonly string[] = []): Promise<Ask> {
  const port = await start(test, hosts)
  return (path, headers, method = 'GET') =>
    new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, method, headers, setHost: false }, (reply) => {
        reply.resume().on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers }))
      })
      asked.on('error', reject).end()
    })
}

const OURS = [
  '127.0.0.1',
  '127.0.0.1:9464',
  '10.0.0.9',
  '[::1]',
  '[fd00::12]:9464',
  'localhost',
  'LOCALHOST:9464',
  'localhost.',
  'gate.example:9464',
  'Gate.Example',
  'gate.example.',
]
const STRANGE = [
  'evil.example',
  'evil.example:9464',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'gate.example.evil.example',
  'xgate.example',
  '',
  'gate.example:9464:1',
  'user@gate.example',
  '127.0.0.1.nip.io',
  'tidegate',
  '127.1',
  '0x7f000001',
]

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

void t.test('the page of another site gets no answer, except by a link', async (test) => {
  const ask = await open(test)
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ['/status', CROSS, 403],
    ['/metrics', CROSS, 403],
    ['/', CROSS, 403],
    ['/status', FOLLOWED, 403],
    ['/metrics?x=/', FOLLOWED, 403],
    ['/', FOLLOWED, 200],
    ['/?a=b', FOLLOWED, 200],
    ['/docs/alerts', FOLLOWED, 404],
    ['/docsx', FOLLOWED, 403],
    ['/', { ...FOLLOWED, 'sec-fetch-dest': 'iframe' }, 403],
    ['/', { ...FOLLOWED, 'sec-fetch-mode': 'no-cors' }, 403],
    ['/status', { ...HOST, 'sec-fetch-site': 'same-origin' }, 200],
    ['/status', { ...HOST, 'sec-fetch-site': 'none' }, 200],
    ['/status', HOST, 200],
  ]
  for (const [path, headers, status] of rows)
    test.equal((await ask(path, headers)).status, status, `${path} ${JSON.stringify(headers)}`)
  test.equal((await ask('/', FOLLOWED, 'POST')).status, 403, 'a form of another site')
})

/** Sends bytes as they are; returns the answer's head and body. */
function raw(port: number, ...lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    let text = ''
    socket
      .on('data', (chunk) => (text += chunk.toString('latin1')))
      .on('close', () => resolve(text))
      .on('error', reject)
    socket.write([...lines, 'Connection: close', '', ''].join('\r\n'))
  })
}

void t.test(
  'what two readers could read in two ways is 421, and so is a target that cannot be decoded',
  async (test) => {
    const port = await start(test)
    const rows: readonly (readonly string[])[] = [
      ['GET /status HTTP/1.1', 'Host: 127.0.0.1', 'Host: evil.example'],
      ['GET /status HTTP/1.1', 'Host: 127.0.0.1', 'Host: 127.0.0.1'],
      ['GET http://evil.example/status HTTP/1.1', 'Host: 127.0.0.1'],
      ['GET /status HTTP/1.0'],
      ['GET /%zz HTTP/1.1', 'Host: evil.example'],
      ['GET /metrics HTTP/1.1', 'Host: evil.example', 'Upgrade: websocket'],
    ]
    for (const lines of rows) {
      const answer = await raw(port, ...lines)
      test.match(answer, /^HTTP\/1.1 421 /, lines.join(' '))
      test.match(answer, /^x-content-type-options: nosniff\r$/im, lines.join(' '))
    }
    const answer = await raw(port, 'GET /%zz HTTP/1.1', 'Host: 127.0.0.1')
    test.match(answer, /^HTTP\/1.1 400 /)
    test.match(answer, /^x-content-type-options: nosniff\r$/im)
    test.notMatch(answer, 'zz')
  },
)

void t.test('a fault in an answer is reported, and its words stay inside', async (test) => {
  const faults: unknown[] = []
  const fault = new Error('/run/tidegate/keys/office')
  const port = await start(test, [], { status: () => Promise.reject(fault), broken: (error) => faults.push(error) })
  const answer = await raw(port, 'GET /status HTTP/1.1', 'Host: 127.0.0.1')
  test.match(answer, /^HTTP\/1.1 500 /)
  test.notMatch(answer, 'office')
  test.strictSame(faults, [fault])
})

for (const handler of ['admin connection', 'admin close']) {
  void t.test(`${handler} throws: it is reported, and the next request is answered`, async (test) => {
    const faults: unknown[] = []
    const port = await start(test, [], { broken: (error) => faults.push(String(error)) })
    probeHandlers((name) => {
      if (name !== handler || faults.length > 0) return
      throw new Error('thrown')
    })
    await raw(port, 'GET /livez HTTP/1.1', 'Host: 127.0.0.1').catch(() => undefined)
    await until(() => faults.length > 0, 'the report')
    probeHandlers(undefined)
    test.strictSame(faults, ['Error: thrown'])
    test.match(await raw(port, 'GET /livez HTTP/1.1', 'Host: 127.0.0.1'), /^HTTP\/1.1 200 /)
  })
}

void t.test('all answers say nosniff', async (test) => {
  const ask = await open(test)
  for (const path of ['/', '/livez', '/readyz', '/metrics', '/status', '/no'])
    test.equal((await ask(path, HOST)).headers['x-content-type-options'], 'nosniff', path)
  test.equal((await ask('/', { host: 'evil.example' })).headers['x-content-type-options'], 'nosniff')
  test.match((await ask('/', HOST)).headers['content-security-policy'], /frame-ancestors 'none'/)
})
