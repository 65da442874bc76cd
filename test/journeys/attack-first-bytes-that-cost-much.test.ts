// First bytes made to be expensive to look at. Each once held the event loop for seconds; now a crowd of them is served like
// anybody else. No time is measured: with the old costs this file would not end in its own time.
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { askOnce, dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { blob: upstream.port } })

void t.test('blanks within a Host in clear', async (test) => {
  const heads = Array.from({ length: 60 }, async (_, i) => {
    const client = await dialPlain(test, i % 2 === 0 ? gate.plainPort : gate.port)
    return await client.request(`GET / HTTP/1.1\r\nHost:x${' '.repeat(16_000)}y\r\n\r\n`)
  })
  for (const reply of await Promise.all(heads)) test.equal(reply.header('x-tidegate-reason'), 'plaintext-http')
  const found = await (await dialPlain(test, gate.plainPort)).request(`GET / HTTP/1.1\r\nhOsT: \t ${storageHost('blob')} \t \r\n\r\n`)
  test.match(found.text, /<AccountName>tideoffice</, 'blanks around the name are still no part of it')
})

void t.test('a plain head and a hello of thousands of records, in hundreds of pieces', async (test) => {
  const head = await dialPlain(test, gate.plainPort)
  const hello = await dialPlain(test, gate.port)
  for (const { socket } of [head, hello]) socket.setNoDelay(true)
  const records = Buffer.concat(Array.from({ length: 10 }, () => Buffer.from([22, 3, 1, 0, 1, 0])))
  await hello.send(Buffer.from([22, 3, 1, 0, 4, 1, 0, 0xea, 0x60]))
  await head.send('GET / HTTP/1.1\r\nx: ')
  for (let i = 0; i < 400; i++) await Promise.all([hello.send(records), head.send('abcd'.repeat(10))])
  test.equal(hello.ending, undefined, 'more may come')
  test.equal((await askOnce(test, gate, 'GET /c/b')).status, 200, 'others are served')
  test.equal((await head.request('\r\n\r\n')).status, 400)
})
