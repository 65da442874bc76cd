// Every key-signed vector through a running gate, at the vectors' time: what the upstream sees. Those that are bound to an
// address come from it, as a balancer tells.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm, SERVICES, storageHost, type Service } from '../support/realm.ts'
import { Client, dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

interface Vector {
  readonly name: string
  readonly keyBase64?: string
  readonly service: Service
  readonly kind: string
  readonly endpointStyle: 'host' | 'path'
  readonly url: string
  readonly requestHeaders?: Readonly<Record<string, string>>
  readonly expectedAfterTighten: { readonly action: 'resign' | 'unchanged' | 'refuse'; readonly query: string; readonly errorCode?: string }
}

const file = JSON.parse(readFileSync(new URL('../vectors/sas-vectors.json', import.meta.url), 'utf8')) as { clock: string; keyBase64: string; vectors: Vector[] }
const signed = file.vectors.filter(({ keyBase64 }) => keyBase64 !== undefined)
const isBound = ({ url }: Vector): boolean => /[?&]sip=/.test(url)
const vectors = signed.filter((vector) => !isBound(vector))
t.ok(vectors.length >= 60, `${vectors.length} vectors`)

const realm = await createRealm(t, { key1: file.keyBase64 })
const upstream = await startUpstream(t, realm)
const storage = Object.fromEntries(SERVICES.map((service) => [service, upstream.port]))
const clock = (): number => Date.parse(file.clock)
const gate = await startGate(t, realm, { storage, clock })
const behindBalancer = await startGate(t, realm, { storage, clock, storageOptions: { sas: { sip: 'keep' } }, listen: { proxyProtocol: { from: ['127.0.0.1'] } } })
const clients = new Map<Service, Client>()

for (const vector of vectors) {
  await t.test(vector.name, async (test) => {
    const { service, expectedAfterTighten: expected } = vector
    const client = clients.get(service) ?? await dial(t, gate, { servername: storageHost(service) })
    clients.set(service, client)
    const target = targetOf(vector)
    const before = upstream.seen.length
    const head = [`GET ${target} HTTP/1.1`, `Host: ${storageHost(service)}`, ...Object.entries(vector.requestHeaders ?? {}).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
    const reply = await client.request(head)

    if (expected.action === 'refuse') {
      test.equal(reply.status, 403)
      test.equal(reply.header('x-tidegate-reason'), 'sas-version')
      test.equal(reply.header('x-ms-error-code'), expected.errorCode)
      test.equal(upstream.seen.length, before, 'nothing is sent upstream')
      return
    }
    test.equal(reply.status, 200)
    const [seen = ''] = upstream.seen.slice(before).map((message) => message.target)
    const [path, query] = split(seen)
    test.equal(path, split(target)[0], 'the path byte for byte')
    test.strictSame(pairs(query), pairs(expected.query), 'what the query holds')
    test.strictSame(new URLSearchParams(query).getAll('spr'), ['https'], 'one spr')
    test.equal(reply.header('x-tidegate-sas'), expected.action === 'resign' ? 'tightened' : undefined)
    if (expected.action === 'unchanged') test.equal(seen, target, 'already https: byte for byte')
    // Told again, from what is kept, it comes out the same.
    test.equal((await client.request(head)).status, 200)
    test.equal(upstream.seen.at(-1)?.target, seen)
  })
}

for (const vector of signed.filter(isBound)) {
  await t.test(`${vector.name}, from its address and from another`, async (test) => {
    const { service, expectedAfterTighten: expected } = vector
    const target = targetOf(vector)
    const address = /[?&]sip=([\d.]+)/.exec(target)?.[1] ?? ''
    test.equal(expected.action, 'resign')
    for (const [from, status] of [[address, 200], ['192.0.2.1', 403]] as const) {
      const before = upstream.seen.length
      const socket = connect({ host: '127.0.0.1', port: behindBalancer.port })
      socket.write(`PROXY TCP4 ${from} 127.0.0.1 4711 443\r\n`)
      const secure = connectTls({ socket, servername: storageHost(service), ca: realm.authority.pem })
      test.teardown(() => secure.destroy())
      const client = new Client(secure)
      await once(secure, 'secureConnect')
      const reply = await client.ask(`GET ${target}`, [`Host: ${storageHost(service)}`])
      test.equal(reply.status, status)
      const [seen] = upstream.seen.slice(before).map((message) => split(message.target)[1])
      if (status === 200) test.strictSame(pairs(seen ?? ''), pairs(expected.query), 'what is sent upstream')
      else test.equal(seen, undefined, 'nothing is sent upstream')
    }
  })
}

void t.test('they are counted by kind and outcome, and no line shows a signature', async (test) => {
  const refused = vectors.filter(({ expectedAfterTighten: { action } }) => action === 'refuse').length
  const unchanged = vectors.filter(({ expectedAfterTighten: { action } }) => action === 'unchanged').length
  test.equal(await gate.metric('tidegate_sas_total', { outcome: 'sas-version' }), refused)
  test.equal(await gate.metric('tidegate_sas_total', { outcome: 'unchanged' }), 2 * unchanged)
  test.equal(await gate.metric('tidegate_sas_total', { outcome: 'tightened' }), 2 * (vectors.length - refused - unchanged))
  await gate.requests(2 * vectors.length - refused)
  for (const { url } of vectors) {
    const signature = /[?&]sig=([^&]*)/.exec(url)?.[1] ?? ''
    if (gate.text.some((line) => line.includes(signature) || line.includes(decodeURIComponent(signature)))) test.fail('a signature stands in a line')
  }
})

/** The request target in host style. */
function targetOf({ url, endpointStyle }: Vector): string {
  const target = url.replace(/^https?:\/\/[^/]+/, '')
  return endpointStyle === 'path' ? target.replace(/^\/[^/]+/, '') : target
}

function split(target: string): [string, string] {
  const mark = target.indexOf('?')
  return [target.slice(0, mark), target.slice(mark + 1)]
}

function pairs(query: string): string[] {
  return [...new URLSearchParams(query)].map((pair) => pair.join('=')).toSorted()
}
