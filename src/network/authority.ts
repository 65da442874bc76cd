// What an authority's folder says that Azure has to know: its roots and the thumbprints of revoked certificates.
import { X509Certificate } from 'node:crypto'

const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Returns the self-signed certificates of a PEM file as DER in base64, on one line each. Throws where one cannot be read. */
export function rootsIn(pem: string): string[] {
  return (pem.match(PEM) ?? []).map((text) => new X509Certificate(text)).filter((certificate) => certificate.checkIssued(certificate)).map(({ raw }) => raw.toString('base64'))
}

/**
 * Returns the SHA-1 thumbprints of revoked client certificates in an authority's index.jsonl, in the order of their issue.
 * Throws a SyntaxError for a line that is no JSON.
 */
export function revokedIn(index: string): string[] {
  const facts = index.split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  const revoked = new Set(facts.filter(({ fact }) => fact === 'revoked').map(({ serial }) => serial))
  return facts.filter(({ fact, use, serial }) => fact === 'issued' && use !== 'connect' && revoked.has(serial)).map(({ sha1 }) => String(sha1).replaceAll(':', '').toUpperCase())
}
