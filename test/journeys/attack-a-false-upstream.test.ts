// An upstream whose head never ends as heads end is told at once: nobody waits for its time to be over.
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await startGate(t, realm, { storage: { blob: upstream.port } })

for (const [name, pieces] of Object.entries({
  'lines that end in LF': ['HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  'one of them, in the middle': ['HTTP/1.1 200 OK\r\nA: 1\nContent-Length: 2\r\n'],
  'in pieces': ['HTTP/1.1 200 OK\r', '\nA: 1', '\n'],
})) {
  void t.test(name, async (test) => {
    upstream.script(async (turn) => {
      for (const piece of pieces) await turn.write(piece)
    })
    const reply = await (await dial(test, gate)).ask('GET /c/b')
    test.match([reply.status, reply.header('x-tidegate-reason')], [502, 'upstream-reset'])
    await until(() => upstream.connections.open === 0, 'the end of its connection')
  })
}
