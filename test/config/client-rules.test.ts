// No optional key opens what another one seems to close (security.md F2).
import t from 'tap'
import { parseConfig } from '../../src/config/parse.ts'

const API = { name: 'payroll', host: 'payroll.tide.example', upstream: 'https://payroll.internal' }
const BASE = { listen: { tls: {} }, storage: { domain: 'tide.example', accounts: [{ name: 'tideoffice', blob: 'https://blob.example' }] } }

interface Wish { readonly global?: object; readonly api?: object; readonly more?: object }

function parse({ global = {}, api, more = {} }: Wish): ReturnType<typeof parseConfig> {
  const tls = { certificates: [{ cert: 'a.pem', key: 'a.key' }], clients: { ca: 'ca.pem', ...global } }
  const apis = [{ ...API, ...(api === undefined ? {} : { clients: api }) }]
  return parseConfig(JSON.stringify({ ...BASE, tls, apis, ...more }), { file: 'f', directory: '/', environment: {} })
}

const faults = (wish: Wish): string[] => (parse(wish).faults ?? []).map(({ path, found }) => `${path}: ${found}`)
const warnings = (wish: Wish): string[] => parse(wish).warnings.map(({ path }) => path)

function verifyIn(api: object): string | undefined {
  const result = parse({ api })
  return result.faults === undefined ? result.config.apis[0]?.clients?.verify : JSON.stringify(result.faults)
}

void t.test('apis[].clients.allow without verify demands a certificate', async (test) => {
  test.equal(verifyIn({ allow: ['DNS:office-1.example'] }), 'required')
  test.equal(verifyIn({ verify: 'optional', allow: ['DNS:office-1.example'] }), 'optional')
  test.equal(verifyIn({ verify: 'optional' }), 'optional')
  test.equal(verifyIn({ verify: 'none' }), 'none')
  test.strictSame(parse({ api: undefined as never }).faults, undefined)
})

void t.test('it needs the authorities then, as verify: required does', async (test) => {
  test.strictSame(faults({ global: { ca: undefined }, api: { allow: ['DNS:office-1.example'] } }), ['tls.clients.ca: nothing'])
})

const LIST = ': a list with verify: none, which lets everyone pass'

void t.test('a list of names beside verify: none is a fault, given or by default', async (test) => {
  test.strictSame(faults({ api: { verify: 'none', allow: ['DNS:a.example'] } }), [`apis[0].clients.allow${LIST}`])
  test.strictSame(faults({ global: { verify: 'none', allow: ['DNS:a.example'] } }), [`tls.clients.allow${LIST}`])
  test.strictSame(faults({ global: { allow: ['DNS:a.example'] } }), [`tls.clients.allow${LIST}`], 'none is the default')
  test.strictSame(faults({ global: { allow: ['DNS:a.example'] }, api: { verify: 'required' } }), [`tls.clients.allow${LIST}`], 'whatever another name asks')
  test.strictSame(faults({ global: { verify: 'optional', allow: ['DNS:a.example'] } }), [])
})

void t.test('an empty section, which would replace the rules for all names by none, is a fault', async (test) => {
  test.strictSame(faults({ global: { verify: 'required' }, api: {} }), ['apis[0].clients: an empty section'])
  test.strictSame(faults({ api: { verify: 'maybe' } }), ['apis[0].clients.verify: maybe'], 'what is at fault is no empty section')
  test.strictSame(faults({ api: { allow: [] } }), ['apis[0].clients.allow: an empty list'])
})

const sas = (value: object): string[] => faults({ more: { storage: { ...BASE.storage, sas: value } } })

void t.test('sip: egress without egress is a fault: it would remove the address as sip: remove does', async (test) => {
  test.strictSame(sas({ sip: 'egress' }), ['storage.sas.egress: nothing'])
  test.strictSame(sas({ sip: 'egress', egress: '203.0.113.7' }), [])
  test.strictSame(sas({ sip: 'egress', egress: 'here' }).length, 1, 'one fault for one key')
})

void t.test('what decides nothing is a warning', async (test) => {
  test.strictSame(warnings({}), ['tls.clients.ca'])
  test.strictSame(warnings({ api: { allow: ['DNS:a.example'] } }), [])
  const { storage: _, ...rest } = BASE
  const alone = parseConfig(JSON.stringify({ ...rest, tls: { certificates: [{ cert: 'a', key: 'b' }], clients: { ca: 'c', verify: 'optional', allow: ['DNS:a.example'] } }, apis: [{ ...API, clients: { verify: 'required' } }] }), { file: 'f', directory: '/', environment: {} })
  test.strictSame(alone.warnings.map(({ path }) => path), ['tls.clients.allow'], 'every name has rules of its own')
})

void t.test('keys that promise a verified upstream, beside an http URL, are warnings', async (test) => {
  const plain = { url: 'http://127.0.0.1:9', insecureLoopback: true }
  test.strictSame(warnings({ global: { ca: undefined }, more: { apis: [{ ...API, upstream: { ...plain, ca: 'ca.pem', serverName: 'x.example' }, clientCertificate: { cert: 'a', key: 'b' } }] } }),
    ['apis[0].upstream.ca', 'apis[0].upstream.serverName', 'apis[0].clientCertificate'])
  test.strictSame(warnings({ global: { ca: undefined }, more: { tracing: { endpoint: 'http://127.0.0.1:4318/', insecureLoopback: true, ca: 'ca.pem' } } }), ['tracing.ca'])
  test.strictSame(warnings({ global: { ca: undefined }, more: { apis: [{ ...API, ca: 'ca.pem', clientCertificate: { cert: 'a', key: 'b' } }] } }), [])
})
