// Revocation lists: node:tls takes each list of a file as an entry of its own, and only the first of one that holds several
// (security.md 3.3). When a list ends is read here, for metrics and warnings; OpenSSL judges the lists.

export interface RevocationList {
  readonly pem: string
  /** ms since the epoch; undefined where the list does not say. */
  readonly nextUpdate: number | undefined
}

const BLOCK = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g
const TAG = { sequence: 0x30, integer: 0x02, utcTime: 0x17, generalizedTime: 0x18 } as const

/** Given the bytes of a PEM file with one list or several, returns them, or what is wrong with the file. */
export function parseRevocationLists(bytes: Buffer): readonly RevocationList[] | string {
  const lists: RevocationList[] = []
  for (const [pem, base64 = ''] of bytes.toString('latin1').matchAll(BLOCK)) {
    try {
      lists.push({ pem: `${pem}\n`, nextUpdate: nextUpdateOf(Buffer.from(base64, 'base64')) })
    } catch {
      return `list ${lists.length + 1} of the file cannot be read`
    }
  }
  return lists.length === 0 ? 'no revocation list in it' : lists
}

interface Element { readonly tag: number; readonly body: Buffer; readonly end: number }

/** RFC 5280 section 5.1: the second time in the list's inner sequence. */
function nextUpdateOf(der: Buffer): number | undefined {
  const inner = elementAt(elementAt(der, 0, TAG.sequence).body, 0, TAG.sequence).body
  let at = 0
  if (elementAt(inner, 0).tag === TAG.integer) at = elementAt(inner, 0).end
  for (let i = 0; i < 2; i++) at = elementAt(inner, at, TAG.sequence).end
  const thisUpdate = elementAt(inner, at)
  timeOf(thisUpdate)
  if (thisUpdate.end >= inner.length) return undefined
  const next = elementAt(inner, thisUpdate.end)
  return next.tag === TAG.utcTime || next.tag === TAG.generalizedTime ? timeOf(next) : undefined
}

function elementAt(bytes: Buffer, at: number, expected?: number): Element {
  const tag = bytes.readUInt8(at)
  if (expected !== undefined && tag !== expected) throw new RangeError('unexpected element')
  const short = bytes.readUInt8(at + 1)
  const size = short < 0x80 ? 0 : short & 0x7f
  const length = size === 0 ? short : bytes.readUIntBE(at + 2, Math.min(size, 6))
  const start = at + 2 + size
  if (start + length > bytes.length) throw new RangeError('truncated')
  return { tag, body: bytes.subarray(start, start + length), end: start + length }
}

/** Two digits of a year before 50 are of this century (RFC 5280 section 4.1.2.5.1). */
function timeOf({ tag, body }: Element): number {
  const text = body.toString('latin1')
  const full = tag === TAG.generalizedTime ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (parts === null) throw new RangeError('not a time')
  const [, year, month, day, hour, minute, second] = parts
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
