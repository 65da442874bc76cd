// Revocation lists by @peculiar/x509, and what is read of lists that another authority signed.

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs this polyfill to be there before it
import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import { AuthorityKeyIdentifierExtension, Extension, X509Certificate as Parsed, X509Crl, X509CrlGenerator, X509CrlReason } from '@peculiar/x509'
import { importSigner, publicPart, type Signer } from './certificates.ts'
import { integer } from './der.ts'
import { pem } from './private-key.ts'
import type { Reason, RevokedFact } from './record.ts'

const CRL_NUMBER = '2.5.29.20'
const BLOCK = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g

const CODES: Readonly<Record<Reason, X509CrlReason | undefined>> = {
  unspecified: undefined,
  keyCompromise: X509CrlReason.keyCompromise,
  affiliationChanged: X509CrlReason.affiliationChanged,
  superseded: X509CrlReason.superseded,
  cessationOfOperation: X509CrlReason.cessationOfOperation,
  privilegeWithdrawn: X509CrlReason.privilegeWithdrawn,
}

/** Returns a signed list in PEM. Times are ms since the epoch. The key identifier is there because strongSwan asks for it. */
export async function makeList(signer: Signer, revoked: readonly RevokedFact[], number: number, { now, until }: { now: number; until: number }): Promise<string> {
  const { signingKey, signingAlgorithm } = await importSigner(signer.key)
  const list = await X509CrlGenerator.create({
    issuer: new Parsed(signer.certificate.raw).subject,
    thisUpdate: new Date(now), nextUpdate: new Date(until), signingAlgorithm, signingKey,
    entries: revoked.map(entry),
    extensions: [await AuthorityKeyIdentifierExtension.create(publicPart(signer.key)), new Extension(CRL_NUMBER, false, integer(number))],
  })
  // The library writes the label `CRL`, which OpenSSL does not know.
  return pem('X509 CRL', Buffer.from(list.rawData))
}

function entry({ serial, at, reason }: RevokedFact): { serialNumber: string; revocationDate: Date; reason?: X509CrlReason } {
  const code = CODES[reason]
  // RFC 5280 section 5.3.1: `unspecified` is said by saying nothing.
  return { serialNumber: serial, revocationDate: new Date(at), ...(code === undefined ? {} : { reason: code }) }
}

export interface ReadList {
  readonly pem: string
  readonly list: X509Crl
}

/** Returns the lists of a PEM text; undefined where one of them cannot be read. */
export function readLists(text: string): ReadList[] | undefined {
  try {
    return [...text.matchAll(BLOCK)].map(([, base64 = '']) => {
      const der = Buffer.from(base64, 'base64')
      return { pem: pem('X509 CRL', der), list: new X509Crl(der) }
    })
  } catch {
    return undefined
  }
}

/** Tells whether this certificate's key signed the list. */
export function isListOf({ list }: ReadList, root: X509Certificate): Promise<boolean> {
  return list.verify({ publicKey: new Parsed(root.raw).publicKey }).catch(() => false)
}

/** Returns the serial numbers that a list revokes, upper-case hexadecimal. */
export const serialsOf = ({ list }: ReadList): string[] => list.entries.map(({ serialNumber }) => serialNumber.toUpperCase().replace(/^0+(?=.)/, ''))
