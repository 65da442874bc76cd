import { test } from 'tap'
import type { Fault } from '../../src/config/fault.ts'
import { parseConfig } from '../../src/config/parse.ts'
import type { Config } from '../../src/config/schema.ts'
import { UNBUILT } from '../../src/config/unbuilt.ts'

type Section = Record<string, unknown>

const BASE = {
  listen: { tls: {} },
  tls: { certificates: [{ cert: 'certs/a.pem', key: 'certs/a.key' }] },
  storage: { domain: 'storage.tide.example', accounts: [{ name: 'tideoffice', keys: ['key1'], blob: 'https://tideoffice.blob.core.windows.net' }] },
}
const API = { name: 'payroll', host: 'payroll.tide.example', upstream: 'https://payroll.internal:8443' }

// JSON is YAML, so a text is made from plain values.
const parseText = (text: string, environment: Record<string, string> = {}, directory = '/etc/tidegate') => parseConfig(text, { file: 'tide.yaml', directory, environment })
const parse = (value: object, environment: Record<string, string> = {}) => parseText(JSON.stringify(value), environment)

function configOf(value: object, environment: Record<string, string> = {}): Config {
  const result = parse(value, environment)
  if (result.faults !== undefined) throw new Error(JSON.stringify(result.faults))
  return result.config
}

const faultsOf = (value: object, environment: Record<string, string> = {}): readonly Fault[] => parse(value, environment).faults ?? []

/** The base with one value set at a path such as `storage.accounts[0].name`. */
function withValue(path: string, value: unknown, base: object = { ...BASE, apis: [API] }): Section {
  const root = structuredClone(base) as Section
  const steps = path.replaceAll(/\[(\d+)\]/g, '.$1').split('.')
  let part = root
  for (const step of steps.slice(0, -1)) part = (part[step] ??= {}) as Section
  part[steps.at(-1) ?? ''] = value
  return root
}

await test('the least that is needed, with every default of the contract', async (t) => {
  t.strictSame(configOf(BASE), {
    listen: { tls: { host: '0.0.0.0', port: 8443 }, admin: { host: '127.0.0.1', port: 9464, hosts: [] } },
    workers: 1,
    tls: {
      profile: 'intermediate',
      certificates: [{ cert: '/etc/tidegate/certs/a.pem', key: '/etc/tidegate/certs/a.key' }],
      clients: { verify: 'none' },
      handshakeTimeout: 10_000,
    },
    limits: {
      connections: 10_000, connectionsPerAddress: 0, handshakes: 500, requestHeaders: 32_768, headerFields: 200, headersTimeout: 10_000, idleTimeout: 75_000,
      minimumRate: 240, connectTimeout: 10_000, upstreamTimeout: 60_000,
    },
    drain: { announce: 0, deadline: 30_000 },
    log: { level: 'info', sample: 1 },
    storage: {
      domain: 'storage.tide.example',
      sas: { withoutKey: 'refuse', sip: 'remove', learnDelegationKeys: true, maxLifetime: 86_400_000 },
      copySources: 'known',
      accounts: [{
        name: 'tideoffice',
        keys: ['/etc/tidegate/key1'],
        blob: { url: { origin: 'https://tideoffice.blob.core.windows.net', host: 'tideoffice.blob.core.windows.net', hostname: 'tideoffice.blob.core.windows.net', port: 443, path: '' } },
      }],
    },
    apis: [],
  })
})

await test('an account may have no keys, and a gateway no storage', async (t) => {
  t.strictSame(configOf(withValue('storage.accounts[0].keys', undefined)).storage?.accounts[0]?.keys, [])
  const config = configOf({ listen: BASE.listen, tls: BASE.tls, apis: [API] })
  t.equal(config.storage, undefined)
  t.strictSame(config.apis, [{
    name: 'payroll', host: 'payroll.tide.example', prefix: '/', websocket: false,
    upstream: { url: { origin: 'https://payroll.internal:8443', host: 'payroll.internal:8443', hostname: 'payroll.internal', port: 8443, path: '' } },
  }])
})

const blob = (value: unknown) => configOf(withValue('storage.accounts[0].blob', value)).storage?.accounts[0]?.blob

await test('both forms of an endpoint become one shape', async (t) => {
  const url = 'https://127.0.0.1:10000/tideoffice'
  const shape = { origin: 'https://127.0.0.1:10000', host: '127.0.0.1:10000', hostname: '127.0.0.1', port: 10_000, path: '/tideoffice' }
  t.strictSame(blob(url), { url: shape })
  t.strictSame(blob({ url, connect: '[::1]:443', ca: '../ca.pem', secondary: 'https://second.example' }), {
    url: shape, connect: { host: '::1', port: 443 }, ca: '/etc/ca.pem',
    secondary: { origin: 'https://second.example', host: 'second.example', hostname: 'second.example', port: 443, path: '' },
  })
  t.strictSame(blob({ url: 'http://localhost:10000', insecureLoopback: true }), {
    url: { origin: 'http://localhost:10000', host: 'localhost:10000', hostname: 'localhost', port: 10_000, path: '' },
  })
  const api = (more: object) => configOf({ ...BASE, apis: [{ ...API, ...more }] }).apis[0]
  const inside = { url: API.upstream, ca: 'ca.pem', serverName: 'Payroll.Internal' }
  t.strictSame(api({ ca: 'ca.pem', serverName: 'Payroll.Internal' })?.upstream, api({ upstream: inside })?.upstream)
  t.match(api({ upstream: inside }), { upstream: { ca: '/etc/tidegate/ca.pem', serverName: 'payroll.internal' } })
  t.match(api({ upstream: 'http://127.0.0.1:9000', insecureLoopback: true }), { upstream: { url: { origin: 'http://127.0.0.1:9000' } } })
  t.match(api({ clientCertificate: { cert: 'c.pem', key: '/k.pem' } }), { clientCertificate: { cert: '/etc/tidegate/c.pem', key: '/k.pem' } })
})

await test('the result is frozen to its leaves', async (t) => {
  const thawed: string[] = []
  const look = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null) return
    if (!Object.isFrozen(value)) thawed.push(path)
    for (const [key, part] of Object.entries(value)) look(part, `${path}.${key}`)
  }
  look(configOf(withValue('storage.accounts[0].queue', { url: 'https://q.example', connect: 'a:1', secondary: 'https://s.example' })), 'config')
  t.strictSame(thawed, [])
})

const FAULTS: [path: string, value: unknown, found: string, allowed?: string | RegExp][] = [
  ['listen.tls.port', 99_999, '99999', 'a whole number from 0 to 65535'],
  ['listen.tls.port', '8443', '8443'],
  ['listen.tls.port', 1.5, '1.5'],
  ['listen.tls.host', 'a b', 'a b', 'an IP address or a host name'],
  ['listen.tls', 'x', 'text', 'a section with host, port'],
  ['listen.tls', null, 'nothing'],
  ['listen.admin.port', [], 'a list'],
  ['listen.plain', { port: 8443, host: '0.0.0.0' }, 'port 8443 of 0.0.0.0', 'another port than listen.tls'],
  ['listen.admin', { port: 8443, host: '0.0.0.0' }, 'port 8443 of 0.0.0.0', 'another port than listen.tls'],
  ['listen.admin', { port: 8443 }, 'port 8443 of 127.0.0.1', 'another port than listen.tls'],
  ['listen.admin', { port: 8443, host: '::' }, 'port 8443 of ::', 'another port than listen.tls'],
  ['workers', 0, '0', 'a whole number from 1 to 1024, or auto'],
  ['tls.profile', 'old', 'old', 'one of intermediate, modern'],
  ['tls.certificates', [], 'an empty list', 'a list that is not empty'],
  ['tls.certificates', {}, 'a section'],
  ['tls.certificates[0].key', 7, 'a number', 'the name of a file, relative to this one'],
  ['tls.handshakeTimeout', 10, '10', /^a duration such as 500ms, 10s, 2m, 24h or 7d, from 1ms to 24h$/],
  ['tls.handshakeTimeout', '0s', '0s'],
  ['tls.handshakeTimeout', '25h', '25h'],
  ['tls.clients.verify', 'maybe', 'maybe', 'one of none, optional, required'],
  ['tls.clients', null, 'nothing'],
  ['storage.domain', '*.tide.example', '*.tide.example', 'a host name, without wildcard or port'],
  ['storage.port', 0, '0', 'a whole number from 1 to 65535'],
  ['storage.accounts', [], 'an empty list'],
  ['storage.accounts[0]', null, 'nothing'],
  ['storage.accounts[0].name', 'Tide-Office', 'Tide-Office', '3 to 24 lower-case letters and digits'],
  ['storage.accounts[0].keys[0]', `${'A'.repeat(86)}==`, 'what looks like the secret itself'],
  ['storage.accounts[0].blob', 'https://u:p@x.example', 'a URL with a user name', 'an https URL without user name, query and fragment'],
  ['storage.accounts[0].blob', 'https://x.example?sig=a', 'a URL with a query'],
  ['storage.accounts[0].blob', 7, 'a number', /^an https URL .*, or a section with url, connect, ca, serverName, via, insecureLoopback, secondary$/],
  ['storage.accounts[0].blob', 'http://x.example', 'an http URL', 'https; http only to a loopback address with insecureLoopback: true'],
  ['storage.accounts[0].blob', 'http://127.0.0.1', 'an http URL'],
  ['storage.accounts[0].queue.url', 'http://127.0.0.1', 'an http URL'],
  ['storage.accounts[0].queue.url', 'https://x.example#a', 'a URL with a fragment'],
  ['storage.sas.maxLifetime', 'forever', 'forever'],
  ['storage.sas.learnDelegationKeys', 'yes', 'yes', 'true or false'],
  ['apis', {}, 'a section', 'a list'],
  ['apis[0].name', 'pay roll', 'pay roll'],
  ['apis[0].prefix', 'v1', 'v1', /begins with \//],
  ['apis[0].prefix', '/a/../b', '/a/../b'],
  ['apis[0].host', 'tideoffice.blob.storage.tide.example', 'tideoffice.blob.storage.tide.example', 'a name that no storage account has'],
  ['apis[0].host', 'TideOffice-secondary.blob.storage.tide.example.', 'tideoffice-secondary.blob.storage.tide.example'],
  ['apis[0].upstream', 'http://payroll.internal', 'an http URL'],
  ['limits.requestHeaders', '32KB', '32KB', /^a size such as/],
  ['limits.minimumRate', 0, '0'],
  ['drain.deadline', '1 minute', '1 minute'],
  ['log.level', 'verbose', 'verbose'],
  ['log', 'info', 'text', 'a section with level, sample, audit'],
  ['log.sample', 1.5, '1.5', 'a number from 0 to 1'],
  ['log.sample', '0.5', '0.5'],
  ['log.audit', '', 'an empty name'],
  ['tracing', null, 'nothing'],
]

await test('where spans go: https, or http to this machine where that is said', async (t) => {
  const faults = (tracing: object) => faultsOf({ ...BASE, tracing }).map(({ path, found }) => `${path}: ${found}`)
  t.strictSame(faults({ endpoint: 'https://otel.example:4318/v1/traces', ratio: 0.1, headers: 'otlp-headers', ca: 'ca.pem' }), [])
  t.strictSame(faults({ endpoint: 'http://127.0.0.1:4318/v1/traces', insecureLoopback: true }), [])
  t.strictSame(faults({ endpoint: 'http://127.0.0.1:4318/v1/traces' }), ['tracing.endpoint: an http URL'])
  t.strictSame(faults({ endpoint: 'http://otel.example/v1/traces', insecureLoopback: true }), ['tracing.endpoint: an http URL'])
  t.strictSame(faults({ endpoint: 'https://otel.example/v1/traces?token=x' }), ['tracing.endpoint: a URL with a query'])
  t.strictSame(faults({ endpoint: 'https://otel.example/v1/traces', ratio: -1 }), ['tracing.ratio: -1'])
  t.match(configOf({ ...BASE, log: { audit: '../audit.log' }, tracing: { endpoint: 'https://otel.example/v1/traces', headers: 'h' } }), { log: { audit: '/etc/audit.log', sample: 1 }, tracing: { ratio: 1, headers: '/etc/tidegate/h' } })
})

await test('each fault has its path, what was found and what is allowed', async (t) => {
  for (const [path, value, found, allowed = /./] of FAULTS) t.match(faultsOf(withValue(path, value)), [{ path, found, allowed }], `${path}: ${JSON.stringify(value)}`)
  for (const [path, value] of FAULTS) t.equal(faultsOf(withValue(path, value)).length, 1, `${path} has one fault`)
})

await test('what is missing', async (t) => {
  t.match(faultsOf({ storage: BASE.storage }), [{ path: 'listen', found: 'nothing' }, { path: 'tls', found: 'nothing', allowed: /^a section with profile, certificates/ }])
  t.match(faultsOf({ listen: {}, tls: {}, apis: [{}] }), [
    { path: 'listen.tls' }, { path: 'tls.certificates', allowed: 'a list that is not empty' }, { path: 'apis[0].name' }, { path: 'apis[0].host' }, { path: 'apis[0].upstream' },
  ])
  t.match(faultsOf({ ...BASE, storage: {} }), [{ path: 'storage.domain' }, { path: 'storage.accounts', found: 'nothing' }])
  t.strictSame(faultsOf({ listen: BASE.listen, tls: BASE.tls }), [{ path: 'storage', found: 'neither storage nor apis', allowed: 'at least one of the two' }])
  t.strictSame(faultsOf({ listen: BASE.listen, tls: BASE.tls, apis: [] }).length, 1)
  t.strictSame(faultsOf(withValue('storage.accounts[0].blob', undefined)), [{ path: 'storage.accounts[0]', found: 'no endpoint', allowed: 'one or more of blob, dfs, file, queue, table' }])
})

await test('unknown keys name the nearest known one', async (t) => {
  t.match(faultsOf(withValue('limits.conections', 5)), [{ path: 'limits.conections', found: 'an unknown key', allowed: /; did you mean connections\?$/ }])
  t.match(faultsOf(withValue('storage.accounts[0].Blob', 'https://x.example')), [{ path: 'storage.accounts[0].Blob', allowed: /did you mean blob\?/ }])
  t.match(faultsOf(withValue('apis[0].colour', 'secret')), [{ path: 'apis[0].colour', found: 'an unknown key', allowed: /^one of name, host, prefix.*websocket$/ }])
  t.strictSame(faultsOf(withValue('storage.accounts[0].blob', { url: 'https://x.example', prot: 1 })).map((f) => f.path), ['storage.accounts[0].blob.prot'])
  t.match(parseText(`${JSON.stringify(BASE).slice(0, -1)},"__proto__":{"workers":7}}`).faults, [{ path: '__proto__', found: 'an unknown key' }])
})

await test('parts that do not fit each other', async (t) => {
  const account = BASE.storage.accounts[0]
  t.strictSame(faultsOf(withValue('storage.accounts[1]', account)),
    [{ path: 'storage.accounts[1].name', found: 'tideoffice', allowed: 'another name than storage.accounts[0].name' }])
  t.strictSame(faultsOf({ ...BASE, apis: [API, { ...API, prefix: '/v2' }] }), [{ path: 'apis[1].name', found: 'payroll', allowed: 'another name than apis[0].name' }])
  t.strictSame(faultsOf({ ...BASE, apis: [{ ...API, prefix: '/v1' }, { ...API, name: 'second', host: 'PAYROLL.tide.example', prefix: '/v1/' }] }),
    [{ path: 'apis[1]', found: 'payroll.tide.example/v1', allowed: 'another host or prefix than apis[0]' }])
  t.strictSame(faultsOf({ ...BASE, apis: [{ ...API, ca: 'a', serverName: 'b', upstream: { url: API.upstream, ca: 'c', serverName: 'd' } }] }).map((f) => f.path), ['apis[0].ca', 'apis[0].serverName'])
  const loop = (more: object) => faultsOf(withValue('storage.accounts[0].blob', { insecureLoopback: true, ...more })).map((f) => f.path)
  t.strictSame(loop({ url: 'http://10.0.0.1' }), ['storage.accounts[0].blob.url'])
  t.strictSame(loop({ url: 'http://emulator:10000', connect: '127.0.0.1:10000' }), [], 'where the bytes go is what counts')
  t.strictSame(loop({ url: 'http://127.0.0.1', connect: '10.0.0.1:80' }), ['storage.accounts[0].blob.url'])
  t.strictSame(loop({ url: 'http://127.0.0.1', secondary: 'http://10.0.0.1' }), ['storage.accounts[0].blob.secondary'])
  t.strictSame(loop({ url: 'https://b.example', connect: '10.0.0.1:80', secondary: 'http://127.0.0.1' }), ['storage.accounts[0].blob.secondary'], 'connect is where the secondary is too')
  t.strictSame(faultsOf(withValue('listen', { tls: { port: 0 }, plain: { port: 0 }, admin: { port: 0 } })), [], 'port 0 is never the same')
})

await test('every fault at once', async (t) => {
  const value = {
    listen: { tls: { port: -1 } }, tls: { certificates: [{ cert: 'a' }], profile: 'x' }, workers: 0,
    storage: { domain: 'a_b', accounts: [{ name: 'X' }, { name: 'same', blob: 'ftp://x' }, { name: 'same', blob: 'http://x' }] }, typo: 1, limits: { handshakes: 0 },
  }
  t.strictSame(faultsOf(value).map((f) => f.path).toSorted(), [
    'limits.handshakes', 'listen.tls.port', 'storage.accounts[0]', 'storage.accounts[0].name', 'storage.accounts[1].blob', 'storage.accounts[2].blob', 'storage.accounts[2].name',
    'tls.certificates[0].key', 'tls.profile', 'typo', 'workers',
  ])
})

await test('text that is no section', async (t) => {
  for (const text of ['', '# nothing', '[]', 'text', '7']) t.match(parseText(text).faults, [{ path: 'tide.yaml', allowed: /^a section with listen, workers, tls/ }], text)
  t.match(parseText('a: [1').faults, [{ path: /^tide\.yaml:1:\d+$/ }])
})

await test('the environment', async (t) => {
  const environment = { HOST: 'tide.example', PORT: '9000', YES: 'false', EMPTY: '', ODD: 'a b', PATTERN: '${HOST} $& $1' }
  const value = { ...withValue('storage.domain', 'storage.${HOST}'), listen: { tls: { host: '${HOST}', port: '${PORT}' } }, log: { level: 'info', } }
  t.match(configOf(value, environment), { listen: { tls: { host: 'tide.example', port: 9000 } }, storage: { domain: 'storage.tide.example' } })
  t.equal(configOf(withValue('storage.sas.learnDelegationKeys', '${YES}'), environment).storage?.sas.learnDelegationKeys, false)
  t.equal(configOf(withValue('tls.certificates[0].cert', '${PATTERN}'), environment).tls.certificates[0]?.cert, '/etc/tidegate/${HOST} $& $1', 'not replaced again')
  t.equal(configOf(withValue('tls.certificates[0].cert', 'a$b{c}.pem'), environment).tls.certificates[0]?.cert, '/etc/tidegate/a$b{c}.pem')
  const fault = (path: string, text: string) => faultsOf(withValue(path, text), environment)
  t.strictSame(fault('storage.domain', 'a.${NOT_SET}'), [{ path: 'storage.domain', found: '${NOT_SET}, which is not set', allowed: 'a variable that is set in the environment' }])
  t.match(fault('tls.certificates[0].key', '${A}${B}'), [{ path: 'tls.certificates[0].key', found: '${A}, which is not set' }, { found: '${B}, which is not set' }])
  t.match(fault('storage.domain', '${ODD}'), [{ path: 'storage.domain', found: '${ODD} from the environment' }], 'its value is not shown')
  t.match(fault('tls.certificates[0].key', '${EMPTY}'), [{ path: 'tls.certificates[0].key', found: 'an empty name' }])
  t.match(fault('listen.tls.port', '${ODD}'), [{ path: 'listen.tls.port', found: '${ODD} from the environment' }])
  for (const text of ['${', '${}', '${A B}', '${HOST']) t.match(fault('storage.domain', text), [{ path: 'storage.domain', found: 'a ${ that names no variable' }], text)
  t.match(faultsOf(withValue('storage.domain', '${HOST}'), Object.create({ HOST: 'inherited' }) as Record<string, string>), [{ path: 'storage.domain' }])
})

const NOT_YET: Record<string, unknown[]> = {
  'storage.accounts[].cse': [{ kek: 'x' }, null],
  'smb': [{ guards: [] }],
  'offices': [[]],
}

await test('what is not built yet says so', async (t) => {
  t.strictSame(Object.keys(NOT_YET).toSorted(), UNBUILT.map((row) => row.path).toSorted(), 'a test for each row')
  for (const [pattern, values] of Object.entries(NOT_YET)) {
    const path = pattern.replaceAll('[]', '[0]')
    for (const value of values) t.match(faultsOf(withValue(path, value)), [{ path, allowed: /not built yet in this version$/ }], path)
  }
  for (const { path, built = [] } of UNBUILT) {
    for (const value of built) t.strictSame(faultsOf(withValue(path.replaceAll('[]', '[0]'), value)), [], `${path}: ${String(value)}`)
  }
})

await test('warnings', async (t) => {
  const warningsOf = (path: string, value: unknown) => parse(withValue(path, value)).warnings
  t.strictSame(parse({ ...BASE, apis: [API] }).warnings, [])
  t.match(warningsOf('storage.accounts[0].blob', 'https://127.0.0.1:10000/tideoffice'), [{ path: 'storage.accounts[0].blob', found: /the path \/tideoffice, which a client's Shared Key signature/, allowed: /connect/ }])
  t.match(warningsOf('storage.accounts[0].blob', { url: 'https://a.example/b', secondary: 'https://a.example/c' }), [{ path: 'storage.accounts[0].blob.url' }, { path: 'storage.accounts[0].blob.secondary' }])
  t.strictSame(warningsOf('apis[0].upstream', 'https://payroll.internal/base'), [], 'an API may well have a path')
  const own = 'https://tideoffice.blob.storage.tide.example'
  t.match(warningsOf('storage.accounts[0].blob', own), [{ path: 'storage.accounts[0].blob', found: 'the gateway\'s own name tideoffice.blob.storage.tide.example without connect' }])
  t.strictSame(warningsOf('storage.accounts[0].blob', { url: own, connect: '10.1.0.4:443' }), [])
  t.match(warningsOf('apis[0].name', 'tideoffice'), [{ path: 'apis[0].name' }])
  t.match(warningsOf('tls.clients', { ca: 'ca.pem', crl: 'crl.pem' }), [{ path: 'tls.clients.ca', found: 'no effect' }, { path: 'tls.clients.crl' }])
  t.match(warningsOf('storage.sas.egress', '203.0.113.7'), [{ path: 'storage.sas.egress', found: 'no effect' }])
})

await test('a private way: what can be told before anything is dialled', (t) => {
  const far = (section: object) => parse(withValue('storage.accounts[0].blob', { url: 'https://b.example', ...section }))
  t.match(far({ connect: '127.0.0.1:443', via: 'private' }).faults, [{ path: 'storage.accounts[0].blob.connect', found: '127.0.0.1, which is outside of via', allowed: /RFC 1918/ }])
  t.match(far({ connect: '10.2.0.4:443', via: ['10.1.0.0/24', '192.0.2.1'] }).faults, [{ path: 'storage.accounts[0].blob.connect', allowed: 'an address inside 10.1.0.0/24, 192.0.2.1' }])
  t.match(faultsOf(withValue('apis[0].upstream', { url: 'https://p.example', connect: '[2001:db8::1]:443', via: 'private' })), [{ path: 'apis[0].upstream.connect' }])
  for (const good of [{ connect: '10.1.0.4:443' }, { connect: 'name.example:443' }, { connect: '[fd00::1]:443' }, {}]) t.match(far({ ...good, via: 'private' }), { warnings: [], faults: undefined })
  t.match(far({ url: 'https://127.0.0.1', via: 'private' }), { faults: undefined, warnings: [{ path: 'storage.accounts[0].blob.url', found: /outside of via/ }] })
  for (const via of ['public', [], ['10.1.0.0/33'], ['storage.example'], [''], {}, 1, ['fe80::1%eth0']]) t.equal(far({ via }).faults?.length, 1, JSON.stringify(via))
  t.strictSame(faultsOf(withValue('apis[0].via', 'private')).map((f) => f.path), ['apis[0].via'], 'only inside the section')
  t.end()
})

const digest = (text: string, environment = {}, directory = '/etc/tidegate') => {
  const result = parseText(text, environment, directory)
  return result.faults === undefined ? result.digest : JSON.stringify(result.faults)
}

await test('the digest is that of the values, not of the text or the directory', async (t) => {
  const text = JSON.stringify(BASE)
  const one = digest(text)
  t.match(one, /^[0-9a-f]{64}$/)
  t.equal(digest(text, {}, '/elsewhere'), one)
  t.equal(digest(`# a comment\n${text}`), one)
  t.equal(digest(JSON.stringify({ storage: BASE.storage, tls: { handshakeTimeout: '10000ms', ...BASE.tls }, listen: BASE.listen, workers: 1 })), one, 'order, units and defaults written out')
  t.equal(digest(text.replace('storage.tide.example', '${D}'), { D: 'storage.tide.example' }), one)
  t.not(digest(text.replace('storage.tide.example', '${D}'), { D: 'other.tide.example' }), one)
  t.not(digest(text.replace('certs/a.pem', 'certs/b.pem')), one)
})

await test('every named file is told with its use, also beside faults', async (t) => {
  const { files, faults } = parse({ ...withValue('storage.accounts[0].queue', { url: 'https://q.example', ca: 'ca.pem' }), workers: 0 })
  t.ok(faults)
  t.strictSame(files, [
    { path: 'tls.certificates[0].cert', file: '/etc/tidegate/certs/a.pem', use: 'certificate' },
    { path: 'tls.certificates[0].key', file: '/etc/tidegate/certs/a.key', use: 'key' },
    { path: 'storage.accounts[0].keys[0]', file: '/etc/tidegate/key1', use: 'account-key' },
    { path: 'storage.accounts[0].queue.ca', file: '/etc/tidegate/ca.pem', use: 'trust' },
  ])
})
