// Parameters, fields, names and chunks by the thousand: counted, refused or carried as they came, forty times over while
// others are served. No time is measured: with a cost that grows by the square this file would not end in its own time.
import t from 'tap'
import { far, startGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const there = far(realm, upstreamHost('blob'), upstream.port)
const gate = await startGate(t, realm, { storage: { blob: there }, apis: [{ name: 'payroll', host: API, upstream: there }], names: [API] })
const ROUNDS = 40

const query = (text: string): string => `GET /c/b?${text} HTTP/1.1\r\nHost: HOST\r\n\r\n`
const fields = (text: string): string => `GET /c/b HTTP/1.1\r\nHost: HOST\r\n${text}\r\n`
const SAS = 'sv=2020-02-10&sr=b&se=2099-01-01&sig=x&'

/** The shape, and the reason on storage and on API names; undefined where it is carried. */
const SHAPES: Readonly<Record<string, readonly [text: string, storage: string | undefined, api: string | undefined]>> = {
  '4,000 parameters': [query('a&'.repeat(4000)), undefined, undefined],
  '2,700 parameters beside a token': [query(SAS + '&='.repeat(2700)), 'sas-malformed|sas-signature|sas-resource|sas-duplicate', undefined],
  'a token 1,600 times': [query('sp=r&'.repeat(1600)), 'sas-duplicate', undefined],
  '10,000 parameters': [query('a&'.repeat(10_000)), 'headers-too-large', 'headers-too-large'],
  '8,000 fields': [fields('a:\r\n'.repeat(8000)), 'headers-too-large', 'headers-too-large'],
  '10,000 fields': [fields('a:\r\n'.repeat(10_000)), 'headers-too-large', 'headers-too-large'],
  '200 fields, each name once': [fields(Array.from({ length: 190 }, (_, i) => `x-${i}: 1\r\n`).join('')), undefined, undefined],
  '15,000 names in Connection': [fields(`Connection: ${'a,'.repeat(15_000)}\r\n`), undefined, undefined],
  '15,000 hops in Via': [fields(`Via: ${'a,'.repeat(15_000)}\r\n`), undefined, undefined],
  '4,000 segments': [`GET ${'/a'.repeat(4000)} HTTP/1.1\r\nHost: HOST\r\n\r\n`, undefined, undefined],
  '8,000 escapes': [`GET /${'%41'.repeat(8000)} HTTP/1.1\r\nHost: HOST\r\n\r\n`, undefined, undefined],
  'a Host of 16,000 labels': [`GET / HTTP/1.1\r\nHost: ${'a.'.repeat(16_000)}\r\n\r\n`, 'http-malformed|host-not-sni', 'http-malformed|host-not-sni'],
}

for (const [name, [text, onStorage, onApi]] of Object.entries(SHAPES)) {
  void t.test(name, async (test) => {
    for (const [host, reason] of [[storageHost('blob'), onStorage], [API, onApi]] as const) {
      const head = text.replaceAll('HOST', host)
      let client = await dial(test, gate, { servername: host })
      for (let round = 0; round < ROUNDS; round++) {
        const before = client.replies.length
        const reply = await client.request(head)
        if (reason === undefined) test.equal(reply.status, 200)
        else test.match(reply.header('x-tidegate-reason'), new RegExp(`^(?:${reason})$`))
        test.equal(client.replies.length, before + 1)
        if (reply.header('connection') !== 'close') continue
        client.close()
        client = await dial(test, gate, { servername: host })
      }
      client.close()
    }
    test.equal((await askOnce(test, gate, 'GET /healthy')).status, 200)
  })
}

void t.test('ten thousand chunks', async (test) => {
  for (const host of [storageHost('blob'), API]) {
    const client = await dial(test, gate, { servername: host })
    const reply = await client.request(`PUT /1 HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`, `${'1\r\na\r\n'.repeat(10_000)}0\r\n\r\n`)
    test.equal(reply.status, 200)
    test.equal(upstream.seen.at(-1)?.length, 10_000)
  }
})
