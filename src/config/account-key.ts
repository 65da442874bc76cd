// A storage account's key as it stands in its file: base64, one line.
import { createSecretKey, type KeyObject } from 'node:crypto'

const SHORTEST = 16

/** Given the bytes of a key file, returns the key, or what is wrong with the file in words that hold nothing of it. */
export function parseAccountKey(bytes: Buffer): KeyObject | string {
  const text = bytes.toString('latin1').trim()
  if (text === '') return 'an empty file'
  if (/[\r\n]/.test(text)) return 'more than one line'
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return 'something that is not base64'
  const key = Buffer.from(text, 'base64')
  return key.length < SHORTEST ? 'too short a key' : createSecretKey(key)
}

export const ACCOUNT_KEY_ALLOWED = `a key in base64 on one line, ${SHORTEST} bytes or more when decoded`
