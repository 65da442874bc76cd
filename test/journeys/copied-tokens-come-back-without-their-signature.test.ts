// A token in a copy source, perhaps one that the gateway signed, comes back in no reply: not in a header, not in a listing,
// wherever the pieces of the listing end (security.md F6).
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { pause } from '../support/until.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { blob: upstream.port } })
const SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2V%3D'
const listing = (secret: string): string => `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob><Name>a?sig=${SECRET}</Name><Properties><CopySource>https://x.example/c/b?sv=2025-05-05&amp;sig=${secret}&amp;se=1</CopySource></Properties></Blob></Blobs></EnumerationResults>`
const BODY = listing(SECRET)
const SHOWN = listing('X'.repeat(SECRET.length))
const LIST = '/c?restype=container&comp=list&include=copy'

await t.test('in a listing with a length, and in one in chunks of any size', async (test) => {
  const client = await dial(test, gate)
  upstream.script((turn) => turn.reply(200, ['Content-Type: application/xml'], BODY))
  test.equal((await client.ask(`GET ${LIST}`, ['Accept-Encoding: gzip'])).body.toString(), SHOWN)
  test.equal(upstream.seen.at(-1)?.header('accept-encoding'), undefined, 'a compressed listing could not be read')
  for (const size of [1, 7, 64, 333]) {
    upstream.script(async (turn) => {
      await turn.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      for (let at = 0; at < BODY.length; at += size) {
        const piece = BODY.slice(at, at + size)
        await turn.write(`${piece.length.toString(16)}\r\n${piece}\r\n`)
        if (at < 20 * size) await pause(1)
      }
      await turn.write('0\r\n\r\n')
    })
    test.equal((await client.ask(`GET ${LIST}`)).body.toString(), SHOWN, `chunks of ${size}`)
  }
})

await t.test('however the listing is asked for', async (test) => {
  upstream.script((turn) => turn.reply(200, [], BODY))
  const client = await dial(test, gate)
  for (const target of ['/c?comp=list', '/?comp=list', '/c/?COMP=List', '/%63?c%6Fmp=l%69st', '/c?x&comp=list&x', '/$root?comp=list']) test.equal((await client.ask(`GET ${target}`)).body.toString(), SHOWN, target)
  for (const target of ['/c/b', '/c/b?comp=list', '/c?comp=metadata', '/c']) test.equal((await client.ask(`GET ${target}`)).body.toString(), BODY, `${target} is content`)
  test.equal((await client.ask('GET /c/b', ['Accept-Encoding: gzip'])).status, 200)
  test.equal(upstream.seen.at(-1)?.header('accept-encoding'), 'gzip')
})

await t.test('a listing that cannot be read whole is none', async (test) => {
  for (const [status, field] of [[200, 'Content-Encoding: gzip'], [206, 'Content-Range: bytes 5-9/10']] as const) {
    upstream.script((turn) => turn.reply(status, [field], BODY))
    const client = await dial(test, gate)
    const reply = await client.ask(`GET ${LIST}`)
    test.equal(`${reply.status} ${reply.header('x-tidegate-reason')}`, '502 upstream-reset')
    test.notMatch(reply.text, SECRET)
  }
})

await t.test('in the header of a blob', async (test) => {
  upstream.script((turn) => turn.reply(200, [`x-ms-copy-source: https://x.example/c/b?sig=${SECRET}&se=1`], ''))
  const client = await dial(test, gate)
  for (const line of ['HEAD /c/b', 'GET /c/b', 'GET /c/b?comp=metadata']) test.equal((await client.ask(line)).header('x-ms-copy-source'), 'https://x.example/c/b?sig=REDACTED&se=1', line)
})
