// A SAS whose signature has another name than `sig`, which this gateway would not see and another reader might, reaches no
// upstream: not in a request, not in a copy source, not in a part of a batch (security.md F19).
import t from 'tap'
import { startGate } from '../support/gate.ts'
import { createRealm, storageHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const gate = await startGate(t, realm, { storage: { blob: upstream.port }, storageOptions: { copySources: 'any-https', sas: { withoutKey: 'pass' } } })
const REST = 'sv=2025-05-05&sr=b&se=2099-01-01T00:00:00Z&sp=r'
const NAMES = ['%u0073ig', 'sig%00', 'sig+', '%EF%BD%93%EF%BD%89%EF%BD%87', '%2573ig', 'gis']
const SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'

await t.test('in a request', async (test) => {
  const client = await dial(test, gate)
  for (const name of NAMES) {
    const reply = await client.ask(`GET /c/b?${REST}&${name}=${SECRET}`)
    test.equal(`${reply.status} ${reply.header('x-tidegate-reason')} ${reply.header('x-ms-error-code')}`, '400 sas-malformed InvalidQueryParameterValue', name)
    test.notMatch(reply.text, SECRET)
  }
})

await t.test('in a copy source, of a foreign host as well', async (test) => {
  const client = await dial(test, gate)
  for (const host of [storageHost('blob'), 'elsewhere.example']) {
    for (const name of NAMES) {
      const reply = await client.ask('PUT /c/copy', [`x-ms-copy-source: https://${host}/c/b?${REST}&${name}=${SECRET}`, 'Content-Length: 0'])
      test.equal(`${reply.status} ${reply.header('x-tidegate-reason')}`, '400 sas-malformed', `${host} ${name}`)
    }
  }
})

await t.test('nothing reached the upstream, and no line has the signature', async (test) => {
  test.equal(upstream.seen.length, 0)
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'sas-malformed' }), 3 * NAMES.length)
  test.notMatch(gate.text.join('\n'), SECRET)
})
