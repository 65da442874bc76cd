// Which served names a set of certificates covers, and what is said where some or all are missing.
import t from 'tap'
import { coverageOf, covers, servedNames } from '../../src/config/names.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { parseCredential } from '../../src/tls/credential.ts'
import { createAuthority } from '../support/authority.ts'

const authority = await createAuthority({ name: 'Tide test' })
const credentialFor = async (...names: string[]): Promise<ReturnType<typeof parseCredential>> => {
  const { cert, key } = await authority.issue({ names })
  return parseCredential(Buffer.from(cert), Buffer.from(key), Date.now())
}

void t.test('every name that clients use, each once', async (test) => {
  const parsed = parseConfig(JSON.stringify({
    listen: { tls: {} }, tls: { certificates: [{ cert: 'a', key: 'b' }] },
    storage: { domain: 'tide.example', accounts: [{ name: 'office', blob: { url: 'https://b.example', secondary: 'https://s.example' }, queue: 'https://q.example' }] },
    apis: [{ name: 'v1', host: 'api.example', prefix: '/v1', upstream: 'https://a.example' }, { name: 'v2', host: 'api.example', prefix: '/v2', upstream: 'https://a.example' }],
  }), { file: 'f', directory: '/', environment: {} })
  if (parsed.faults !== undefined || !('config' in parsed)) throw new Error('faulty')
  test.strictSame(servedNames(parsed.config), [
    { path: 'storage.accounts[0].blob', name: 'office.blob.tide.example' }, { path: 'storage.accounts[0].blob.secondary', name: 'office-secondary.blob.tide.example' },
    { path: 'storage.accounts[0].queue', name: 'office.queue.tide.example' }, { path: 'apis[0].host', name: 'api.example' },
  ])
})

void t.test('names as clients judge them', async (test) => {
  const credential = await credentialFor('*.blob.tide.example', 'API.tide.example')
  for (const [name, covered] of [['a.blob.tide.example', true], ['api.tide.example', true], ['a.b.blob.tide.example', false], ['blob.tide.example', false], ['a.queue.tide.example', false]] as const) {
    test.equal(covers(credential, name), covered, name)
  }
})

void t.test('some missing are warnings, all missing are one fault', async (test) => {
  const credentials = [await credentialFor('*.blob.tide.example'), await credentialFor('api.example')]
  const names = ['a.blob.tide.example', 'api.example', 'a.queue.tide.example'].map((name, index) => ({ path: `p${index}`, name }))
  test.match(coverageOf(names, credentials), { uncovered: ['a.queue.tide.example'], faults: [], warnings: [{ path: 'p2', found: /a\.queue\.tide\.example.*\*\.blob\.tide\.example, api\.example/ }] })
  test.match(coverageOf(names.slice(2), credentials), { uncovered: ['a.queue.tide.example'], faults: [{ path: 'tls.certificates', found: /\*\.blob\.tide\.example, api\.example.*a\.queue\.tide\.example/ }], warnings: [] })
  test.strictSame(coverageOf([], credentials), { uncovered: [], faults: [], warnings: [] }, 'no names at all')
})
