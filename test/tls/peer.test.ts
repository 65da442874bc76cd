// Who a client certificate names, whether it is strong enough, and who may pass by it.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { authorizePeer, chainFault, peerIdentity, type PeerIdentity } from '../../src/tls/peer.ts'
import { odd } from '../support/odd-certificates.ts'
import { reasonOf } from '../support/verdict.ts'

const of = async (wish: Parameters<typeof odd>[0]): Promise<X509Certificate> => new X509Certificate((await odd(wish)).pem)

void t.test('identity: URI and DNS names of the SAN as they stand, nothing else', async (test) => {
  const certificate = await of({
    name: 'DNS:cn.example',
    alternative: [{ type: 'dns', value: 'a.example' }, { type: 'url', value: 'spiffe://tide/office-1' }, { type: 'email', value: 'a@b.example' }, { type: 'ip', value: '192.0.2.1' }, { type: 'dns', value: 'x, URI:spiffe://tide/boss' }],
  })
  const { names, der, validUntil } = peerIdentity(certificate)
  test.strictSame(names, ['DNS:a.example', 'URI:spiffe://tide/office-1', 'DNS:x, URI:spiffe://tide/boss'])
  test.equal(der, certificate.raw.toString('base64'))
  test.equal(validUntil, certificate.validToDate.getTime())
  test.strictSame(peerIdentity(await of({ name: 'nameless', alternative: [{ type: 'email', value: 'URI:spiffe://tide/boss' }] })).names, [])
})

void t.test('weak: the key or the signature of what is shown', async (test) => {
  test.equal(chainFault(await of({ name: 'ec' })), undefined)
  test.equal(chainFault(await of({ name: 'rsa', key: 'rsa2048' })), undefined)
  test.equal(chainFault(await of({ name: 'rsa', key: 'rsa1024' })), 'weak')
  const root = await odd({ name: 'root', authority: true, hash: 'SHA-1' })
  test.equal(chainFault(new X509Certificate(root.pem)), undefined, 'nobody looks at the signature of a root')
  test.equal(chainFault(await of({ name: 'under', by: root })), undefined)
  test.equal(chainFault(await of({ name: 'under', by: root, hash: 'SHA-1' })), 'weak')
})

/** The certificate with the last byte of its curve's name changed: nobody can decode its public key. */
function undecodable({ raw }: X509Certificate): X509Certificate {
  const bytes = Buffer.from(raw)
  const curve = Buffer.from('06082a8648ce3d030107', 'hex')
  const at = bytes.indexOf(curve) + curve.length - 1
  bytes[at] = (bytes[at] ?? 0) ^ 0x55
  return new X509Certificate(bytes)
}

/** A certificate as Node has it after a handshake: linked to its issuer. */
const under = (leaf: X509Certificate, issuer: X509Certificate): X509Certificate =>
  Object.defineProperty(leaf, 'issuerCertificate', { value: issuer })

void t.test('a public key that cannot be decoded: in the leaf, and elsewhere', async (test) => {
  const sound = await of({ name: 'ec' })
  test.equal(chainFault(undecodable(sound)), 'leaf-undecodable')
  test.equal(chainFault(under(await of({ name: 'leaf' }), undecodable(sound))), 'undecodable')
  const middle = under(await of({ name: 'middle' }), undecodable(sound))
  test.equal(chainFault(under(await of({ name: 'leaf' }), middle)), 'undecodable')
  test.equal(chainFault(under(undecodable(await of({ name: 'leaf' })), undecodable(sound))), 'leaf-undecodable')
  test.equal(chainFault(under(await of({ name: 'leaf' }), sound)), undefined)
})

const peer = (...names: string[]): PeerIdentity => ({ names, der: '', validUntil: 1000 })

const RULES: [verify: 'none' | 'optional' | 'required', allow: string[] | undefined, peer: PeerIdentity | undefined, now: number, reason: string][] = [
  ['none', undefined, undefined, 0, 'passed'], ['none', ['DNS:a'], peer('DNS:b'), 2000, 'passed'],
  ['optional', undefined, undefined, 0, 'passed'], ['optional', undefined, peer(), 0, 'passed'], ['optional', ['DNS:a'], undefined, 0, 'client-not-allowed'],
  ['required', undefined, undefined, 0, 'client-not-allowed'], ['required', undefined, peer(), 1000, 'passed'], ['required', undefined, peer(), 1001, 'client-not-allowed'], ['optional', undefined, peer(), 1001, 'client-not-allowed'],
  ['required', ['DNS:a'], peer('DNS:b', 'DNS:a'), 0, 'passed'], ['required', ['DNS:a'], peer('DNS:ab', 'URI:a', 'DNS:A'), 0, 'client-not-allowed'], ['required', [], peer('DNS:a'), 0, 'client-not-allowed'],
]

void t.test('who may pass', async (test) => {
  for (const [verify, allow, who, now, reason] of RULES) test.equal(reasonOf(() => authorizePeer({ verify, allow }, who, now)), reason, JSON.stringify([verify, allow, who?.names, now]))
})
