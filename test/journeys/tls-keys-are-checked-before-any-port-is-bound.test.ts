// A certificate below the policy, or one that does not fit its key, ends `serve` and `check` with exit 2 and its place
// in the configuration, before any port is bound (contract sections 2 and 3).
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runGate, writeConfiguration } from '../support/gate.ts'
import { createRealm, storageHost, type Realm } from '../support/realm.ts'

const HOST = storageHost('blob')
const DAY = 86_400_000
const realm = await createRealm(t)
const good = await realm.certificate('good', { names: [HOST] })
const other = await realm.certificate('other', { names: [HOST] })
const weak = await realm.certificate('weak', { names: [HOST], key: 'rsa1024' })
const spent = await realm.certificate('spent', { names: [HOST], notBefore: new Date(Date.now() - 3 * DAY), notAfter: new Date(Date.now() - DAY) })
const early = await realm.certificate('early', { names: [HOST], notBefore: new Date(Date.now() + DAY) })
const crossed = await realm.certificate('crossed', { names: [HOST], key: 'rsa2048' })

const ROWS: [what: string, cert: string, key: string, fault: RegExp][] = [
  ['RSA of 1024 bits', weak.certFile, weak.keyFile, /an RSA key of 1024 bits/],
  ['another certificate\'s key', good.certFile, other.keyFile, /does not fit/],
  ['a key of another kind', good.certFile, crossed.keyFile, /does not fit/],
  ['expired', spent.certFile, spent.keyFile, /expired/],
  ['not yet valid', early.certFile, early.keyFile, /not valid before/],
  ['no such file', join(realm.folder, 'missing.pem'), good.keyFile, /tls\.certificates\[1\]\.cert: does not exist/],
  ['no PEM', realm.write('text.pem', 'hello'), good.keyFile, /no PEM/],
  ['an empty key', good.certFile, realm.write('empty.key', ''), /empty/],
  ['certificate and key the wrong way round', good.keyFile, good.certFile, /no certificate|no private key/],
]

/** A configuration whose second certificate is the one on trial: a fault of one is not hidden by the other. */
const configuration = (where: Realm, cert: string, key: string): Promise<string> =>
  writeConfiguration(where, { storage: { blob: 65_000 }, tls: { certificates: [{ cert: good.certFile, key: good.keyFile }, { cert, key }] } })

for (const [what, cert, key, fault] of ROWS) {
  void t.test(what, async (test) => {
    // The next row writes the same file.
    const own = join(test.testdir(), 'tidegate.yaml')
    copyFileSync(await configuration(realm, cert, key), own)
    await Promise.all(['check', 'serve'].map(async (command) => {
      const running = runGate(test, [command, '--config', own])
      test.equal(await running.ended, 2, command)
      test.match(running.errors(), /tls\.certificates(?:\[1\]|\.1)/, 'the place in the file')
      test.match(running.errors(), fault)
      test.notMatch(running.text.join('\n'), /"msg":"listening"/)
      test.notMatch(running.errors() + running.text.join(''), /PRIVATE KEY-----|at file:/, 'neither key nor stack')
    }))
  })
}

void t.test('the good one alone passes', async (test) => {
  const running = runGate(test, ['check', '--config', await configuration(realm, crossed.certFile, crossed.keyFile)])
  test.equal(await running.ended, 0, running.errors())
})
