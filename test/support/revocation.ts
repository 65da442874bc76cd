// Revocation lists of hands that are no Authority.

// oxlint-disable-next-line import/no-unassigned-import -- as in odd-certificates.ts
import 'reflect-metadata'
import { AuthorityKeyIdentifierExtension, X509CrlGenerator } from '@peculiar/x509'
import type { Hand } from './odd-certificates.ts'

/** A list in PEM by this authority that names these certificates; good for a day. */
export async function revocationList(by: Hand, revoked: readonly Hand[]): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: by.certificate.subject,
    thisUpdate: new Date(Date.now() - 3_600_000),
    nextUpdate: new Date(Date.now() + 86_400_000),
    entries: revoked.map(({ certificate }) => ({ serialNumber: certificate.serialNumber, revocationDate: new Date(Date.now() - 3_600_000) })),
    signingAlgorithm: { name: by.keys.privateKey.algorithm.name, hash: 'SHA-256' },
    signingKey: by.keys.privateKey,
    extensions: [await AuthorityKeyIdentifierExtension.create(by.keys.publicKey)],
  })
  // The library writes a label that OpenSSL does not know.
  return `${list.toString('pem').replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL')}\n`
}
