// Session ticket keys: one set for all workers, a new one each day. Replicas that share the secret file arrive at the same
// keys by themselves: they follow from the file, the settings that a session depends on, and the day (contract section 3).
import { hkdfSync } from 'node:crypto'

/** What node:tls takes: 16 bytes of name, 16 for the MAC, 16 for the cipher. */
const LENGTH = 48
export const DAY_MS = 86_400_000

/**
 * The keys of the day of `now` (ms since the epoch). `settings` is a digest of all that decides whether a session may be
 * resumed: another one makes old tickets void.
 */
export function ticketKeysOf(secret: Buffer, settings: string, now: number): Buffer {
  return Buffer.from(hkdfSync('sha512', secret, settings, `tidegate tickets ${Math.floor(now / DAY_MS)}`, LENGTH))
}

const SHORTEST = 48

/** Given the bytes of the secret file, returns the secret, or what is wrong with the file in words that hold nothing of it. */
export function parseTicketSecret(bytes: Buffer): Buffer | string {
  const text = bytes.toString('latin1').trim()
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return text === '' ? 'an empty file' : 'something that is not base64 on one line'
  const secret = Buffer.from(text, 'base64')
  return secret.length < SHORTEST ? `${secret.length} bytes` : secret
}

export const TICKET_SECRET_ALLOWED = `${SHORTEST} or more random bytes in base64, one line`
