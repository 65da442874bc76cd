// What a reload may change, and what needs a restart.
import t from 'tap'
import { parseConfig } from '../../src/config/parse.ts'
import { planReload } from '../../src/config/plan.ts'
import type { Config } from '../../src/config/schema.ts'

const BASE = {
  listen: { tls: { port: 8443 } },
  tls: { certificates: [{ cert: 'a.pem', key: 'a.key' }], clients: { verify: 'none' } },
  apis: [{ name: 'payroll', host: 'payroll.example', upstream: 'https://payroll.internal' }],
}

function config(change: object): Config {
  const parsed = parseConfig(JSON.stringify({ ...BASE, ...change }), { file: 't.yaml', directory: '/etc/tidegate', environment: {} })
  if (parsed.faults !== undefined) throw new Error(JSON.stringify(parsed.faults))
  return parsed.config
}

const api = (clients?: object): object => ({ apis: [{ ...BASE.apis[0], ...(clients === undefined ? {} : { clients }) }] })

for (const [what, change, paths] of [
  ['nothing', {}, []],
  ['another certificate', { tls: { ...BASE.tls, certificates: [{ cert: 'b.pem', key: 'b.key' }] } }, []],
  ['another route', { apis: [{ ...BASE.apis[0], host: 'other.example' }] }, []],
  ['a port', { listen: { tls: { port: 8444 } } }, ['listen.tls']],
  ['another listener, and who may send PROXY', { listen: { ...BASE.listen, plain: { port: 8080 }, proxyProtocol: { from: ['10.0.0.1'] } } }, ['listen.plain', 'listen.proxyProtocol']],
  ['workers and a limit', { workers: 2, limits: { handshakes: 7 } }, ['workers']],
  ['limits, drain and log', { limits: { handshakes: 7 }, drain: { deadline: '1s' }, log: { level: 'warn' } }, []],
  ['the profile', { tls: { ...BASE.tls, profile: 'modern' } }, []],
  ['all names ask for certificates', { tls: { ...BASE.tls, clients: { verify: 'required', ca: 'ca.pem' } } }, []],
  ['one name begins to ask', { ...api({ verify: 'required' }), tls: { ...BASE.tls, clients: { verify: 'none', ca: 'ca.pem' } } }, []],
] as const) {
  void t.test(`${what}: ${paths.join(', ') || 'applied'}`, async (test) => test.strictSame(planReload(config({}), config(change)), paths))
}

const asking = (clients: object): Config => config({ ...api(clients), tls: { ...BASE.tls, clients: { verify: 'none', ca: 'ca.pem' } } })

void t.test('a name that asks for certificates may ask for others', async (test) => {
  test.strictSame(planReload(asking({ verify: 'required' }), asking({ verify: 'optional', allow: ['DNS:a.example'] })), [])
})
