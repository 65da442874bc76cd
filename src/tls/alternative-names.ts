// The one place that reads a certificate's subject alternative name, since reading it may throw.
import type { X509Certificate } from 'node:crypto'

/**
 * Returns the subject alternative name as Node writes it (`DNS:a, IP Address:b`). Returns '' where there is none, and where it
 * cannot be read: an empty or broken extension, for which Node's getter throws (RFC 5280 section 4.2.1.6 forbids an empty
 * one). Such a certificate has no names; it is not a reason to end the listener that was shown it.
 */
export function alternativeNamesText(certificate: X509Certificate): string {
  try {
    return certificate.subjectAltName ?? ''
  } catch {
    return ''
  }
}
