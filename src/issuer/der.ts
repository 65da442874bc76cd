// Elements of DER (X.690 section 8.1) for the few structures that the X.509 library does not write.

export const TAG = {
  boolean: 0x01, integer: 0x02, octets: 0x04, null: 0x05, oid: 0x06, sequence: 0x30,
  context0: 0x80, context1: 0x81, context2: 0x82, context6: 0x86, context7: 0x87, constructed0: 0xa0, constructed1: 0xa1,
} as const

/** Returns one element: tag, length and the contents one after the other. Contents are shorter than 64 KiB. */
export function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

/** Returns the element of an object identifier, from its contents in hexadecimal (X.690 section 8.19). */
export const oid = (contents: string): Buffer => der(TAG.oid, Buffer.from(contents, 'hex'))

/** Returns a whole number from 0 to 2^31 - 1 as an element. */
export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes.writeUInt32BE(value, 1)
  let start = 0
  // DER allows no leading zero octet, except where the number would look negative without it.
  while (start < 4 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start++
  return der(TAG.integer, bytes.subarray(start))
}

export interface Element {
  readonly tag: number
  readonly body: Buffer
}

/** Returns the elements that stand one after the other. Throws a RangeError where the last one is cut. */
export function elementsOf(bytes: Buffer): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length;) {
    const short = bytes.readUInt8(at + 1)
    const size = short < 0x80 ? 0 : short & 0x7f
    const length = size === 0 ? short : bytes.readUIntBE(at + 2, Math.min(size, 4))
    const start = at + 2 + size
    if (start + length > bytes.length) throw new RangeError('an element is cut')
    elements.push({ tag: bytes.readUInt8(at), body: bytes.subarray(start, start + length) })
    at = start + length
  }
  return elements
}
