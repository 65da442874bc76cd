// A certificate whose alternative names cannot be read has none, and nobody who reads them ends by it.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { alternativeNamesText } from '../../src/tls/alternative-names.ts'
import { peerIdentity } from '../../src/tls/peer.ts'
import { createAuthority } from '../support/authority.ts'

const authority = await createAuthority({ name: 'names' })
const certificate = async (...names: string[]): Promise<X509Certificate> => new X509Certificate((await authority.issue({ names, key: 'ec' })).cert)

void t.test('names as Node writes them', async (test) => {
  test.equal(alternativeNamesText(await certificate('a.example', '10.0.0.1')), 'DNS:a.example, IP Address:10.0.0.1')
})

void t.test('an empty extension, for which the getter throws: no names', async (test) => {
  const empty = await certificate()
  test.throws(() => empty.subjectAltName)
  test.equal(alternativeNamesText(empty), '')
  test.strictSame(peerIdentity(empty).names, [])
})
