// The signature itself: base64 of an HMAC-SHA256 over the string to sign (spec/sas.md 3).
import { type KeyObject, createHmac, timingSafeEqual } from 'node:crypto'

/** The standard alphabet with padding: 32 bytes and no other length (spec/sas.md 7.2). */
const BASE64_OF_32_BYTES = /^[A-Za-z0-9+/]{43}=$/

/** Returns whether a decoded `sig` has the form of one. */
export function isSignature(text: string): boolean {
  return BASE64_OF_32_BYTES.test(text)
}

/** In base64. */
export function sign(text: string, key: KeyObject): string {
  return createHmac('sha256', key).update(text).digest('base64')
}

/** Written anew for each comparison: a digest as a Buffer of its own costs half as much again as the digest. */
const ours = Buffer.alloc(32)

/** In constant time. `given` is the 32 bytes of a decoded `sig`. */
export function signatureMatches(given: Buffer, text: string, key: KeyObject): boolean {
  ours.write(createHmac('sha256', key).update(text).digest('latin1'), 'latin1')
  return timingSafeEqual(ours, given)
}
