// Makes a verified token https-only: the same query with `spr=https`, with what is to be said of addresses, and a new
// signature (spec/sas.md 8). Nothing else changes, not a byte.
import type { KeyObject } from 'node:crypto'
import { refuse } from '../refusal.ts'
import { readingIn } from './canonical-resource.ts'
import type { SasName } from './fields.ts'
import { type SasQuery, readQuery } from './query.ts'
import { sign } from './signature.ts'
import type { SasToken } from './token.ts'
import { type Candidate, type Proof, type SignedContext, textOf } from './verify.ts'

export interface Tightened {
  readonly query: string
  /** In base64; with it `rewriteQuery` makes the query again. */
  readonly signature: string
}

/** Who signs what goes upstream. It need not be the one whose key verified the client's token. */
export interface UpstreamSigner {
  readonly account: string
  readonly key: KeyObject
}

/**
 * Signs a proven token again, in the reading that verified it. `sip` is the decoded value that goes upstream, undefined for
 * none. Throws `unexpected` where the result does not hold what was signed.
 */
export function tighten(token: SasToken, proof: Proof, { account, key }: UpstreamSigner, sip: string | undefined, context: SignedContext): Tightened {
  const values = { ...token.values, spr: 'https', sip }
  const reading = readingIn(proof.reading, account)
  const signed: SignedContext = { account, header: (name) => context.header(name) }
  const text = textOf({ ...token, values }, reading, signed)
  const signature = sign(text, key)
  const query = rewriteQuery(token.query, sip, signature)
  if (!holds(query, token, { reading, text }, signature, signed)) refuse('unexpected', { kind: token.kind, why: 'self-check of a tightened SAS' })
  return { query, signature }
}

/**
 * Every part in its place and byte for byte, except `spr`, `sip` and `sig`. Empty parts go where they stand between SAS
 * parameters, and a SAS name that was percent-encoded is written plainly.
 */
export function rewriteQuery(query: SasQuery, sip: string | undefined, signature: string): string {
  const { names } = query
  let text = ''
  let before: SasName | '' | null = null
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i] ?? null
    if (name !== '') {
      text += rewritePart(query, i, name, sip, signature)
      before = name
      continue
    }
    const end = endOfEmptyParts(names, i)
    if (before === null || (names[end] ?? null) === null) text += '&'.repeat(end - i)
    i = end - 1
  }
  return text.slice(1)
}

/** With the `&` before it; nothing for a part that goes. */
function rewritePart(query: SasQuery, index: number, name: SasName | null, sip: string | undefined, signature: string): string {
  if (name === 'spr') return '&spr=https'
  // A raw `+` of base64 would be read as a blank, so all three of its odd characters are escaped.
  if (name === 'sig') return `${query.values.spr === undefined ? '&spr=https' : ''}&sig=${encodeURIComponent(signature)}`
  if (name === 'sip' && sip !== query.values.sip) return sip === undefined ? '' : `&sip=${sip}`
  const next = query.starts[index + 1]
  const part = query.text.slice(query.starts[index], next === undefined ? query.text.length : next - 1)
  if (name === null || !query.encodedName) return `&${part}`
  const equals = part.indexOf('=')
  return `&${name}${equals < 0 ? '' : part.slice(equals)}`
}

function endOfEmptyParts(names: SasQuery['names'], start: number): number {
  let end = start
  while (names[end] === '') end += 1
  return end
}

/** Spec/sas.md 8 step 6: reads the result as the service will. The same text and signature are as good as another HMAC. */
function holds(tightened: string, token: SasToken, { reading, text }: Candidate, signature: string, context: SignedContext): boolean {
  try {
    const query = readQuery(tightened)
    const { values } = query
    return values.spr === 'https' && values.sig === signature && textOf({ ...token, query, values }, reading, context) === text
  } catch {
    return false
  }
}
