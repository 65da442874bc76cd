// What the wrap of a content key holds: the protocol's text, padded to 8 bytes, then the key. It ties the key to the
// protocol, so that edited metadata leads no reader into an older one (spec/client-side-encryption.md 3).
import { refuseCode } from '../refusal.ts'

export const CONTENT_KEY_LENGTH = 32
const PREFIX_LENGTH = 8

/** Returns the 40 bytes that are wrapped for a content key of protocol 2.0. */
export function bytesToWrap(contentKey: Buffer): Buffer {
  return Buffer.concat([prefixOf('2.0'), contentKey])
}

/** Returns the content key in unwrapped bytes. Refuses with `CseTampered` where they belong to another protocol. */
export function contentKeyIn(unwrapped: Buffer, protocol: string): Buffer {
  const fits = unwrapped.length === PREFIX_LENGTH + CONTENT_KEY_LENGTH && unwrapped.subarray(0, PREFIX_LENGTH).equals(prefixOf(protocol))
  if (!fits) refuseCode('CseTampered', { why: 'protocol of the key' })
  return unwrapped.subarray(PREFIX_LENGTH)
}

function prefixOf(protocol: string): Buffer {
  const prefix = Buffer.alloc(PREFIX_LENGTH)
  prefix.write(protocol, 'latin1')
  return prefix
}
