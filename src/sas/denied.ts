// Revoked tokens (contract section 6): one rule on a line, by the digest of a signature, by stored access policy, or by user
// delegation key. `#` at the start of a line, or after a blank, begins a comment.
import { createHash } from 'node:crypto'
import type { SasValues } from './fields.ts'
import { parseTime } from './times.ts'

/** What a line of the file revokes. */
export type DenyRule =
  | { readonly kind: 'sig'; readonly digest: string }
  | { readonly kind: 'si'; readonly account: string; readonly name: string }
  | { readonly kind: 'udk'; readonly objectId: string; readonly start: string }

/** The rules of a file, ready to be asked for each token. Immutable once parsed. */
export interface DeniedTokens {
  /** SHA-256 of the decoded signature bytes, lower-case hex. */
  readonly signatures: ReadonlySet<string>
  /** `ACCOUNT NAME`. */
  readonly policies: ReadonlySet<string>
  /** `OID START`, in the form that `delegationName` gives. */
  readonly delegationKeys: ReadonlySet<string>
}

export const DENIED_ALLOWED = 'on each line sig SHA256HEX, si ACCOUNT NAME or udk OID START; # begins a comment'
const ACCOUNT = /^[a-z0-9]{3,24}$/
const DIGEST = /^[0-9a-f]{64}$/i
/** A stored access policy's name has 64 characters at most. */
const LONGEST_NAME = 64
const CONTROL = /\p{Cc}/u

/**
 * Parses the file of `storage.sas.deny`. Returns its rules, or in words what is wrong, with the number of the line and
 * nothing of its text: a token that was pasted there must not come back.
 */
export function parseDenied(bytes: Buffer): DeniedTokens | string {
  const draft = { signatures: new Set<string>(), policies: new Set<string>(), delegationKeys: new Set<string>() }
  for (const [index, line] of bytes.toString('utf8').replace(/^\ufeff/, '').split('\n').entries()) {
    const text = withoutComment(line)
    if (text === '') continue
    const rule = parseRule(text)
    if (rule === undefined) return `line ${index + 1} is no rule`
    addRule(rule, draft)
  }
  return draft
}

/** Returns the rule of a line without comment; undefined where it is none. */
export function parseRule(text: string): DenyRule | undefined {
  const [, word, rest = ''] = /^(\S+)[ \t]+(.+)$/.exec(text) ?? []
  const [, first = '', second = ''] = /^(\S+)[ \t]+(.+)$/.exec(rest) ?? []
  if (word === 'sig' && DIGEST.test(rest)) return { kind: 'sig', digest: rest.toLowerCase() }
  if (word === 'si' && ACCOUNT.test(first) && isPolicyName(second)) return { kind: 'si', account: first, name: second }
  if (word === 'udk' && isObjectId(first) && parseTime(second) !== undefined) return { kind: 'udk', objectId: first, start: second }
  return undefined
}

/** Returns whether a stored access policy's name can stand in the file: not empty, 64 characters, nothing that a comment could cut. */
export function isPolicyName(name: string): boolean {
  return name !== '' && name.length <= LONGEST_NAME && name.trim() === name && !CONTROL.test(name) && withoutComment(`si a ${name}`) === `si a ${name}`
}

const isObjectId = (text: string): boolean => /^[0-9A-Za-z-]{1,64}$/.test(text)

/** Returns the line that stands for a rule. */
export function ruleText(rule: DenyRule): string {
  if (rule.kind === 'sig') return `sig ${rule.digest}`
  return rule.kind === 'si' ? `si ${rule.account} ${rule.name}` : `udk ${rule.objectId} ${rule.start}`
}

/** Returns the SHA-256, in hex, of the bytes that a decoded `sig` stands for. */
export function signatureDigest(sig: string): string {
  return createHash('sha256').update(Buffer.from(sig, 'base64')).digest('hex')
}

/** Returns whether the rules already revoke what `rule` revokes. */
export function holdsRule(denied: DeniedTokens, rule: DenyRule): boolean {
  if (rule.kind === 'sig') return denied.signatures.has(rule.digest)
  if (rule.kind === 'si') return denied.policies.has(`${rule.account} ${rule.name}`)
  return denied.delegationKeys.has(delegationName(rule.objectId, rule.start))
}

/**
 * Returns which kind of rule revokes a token with these decoded values, on any of the account names that it may be known
 * by; undefined where none does.
 */
export function deniedBy(values: Readonly<SasValues>, accounts: readonly string[], denied: DeniedTokens): DenyRule['kind'] | undefined {
  const { si = '', skoid = '', skt = '', sig = '' } = values
  if (si !== '' && accounts.some((account) => denied.policies.has(`${account} ${si}`))) return 'si'
  if (skoid !== '' && denied.delegationKeys.size > 0 && denied.delegationKeys.has(delegationName(skoid, skt))) return 'udk'
  return denied.signatures.size > 0 && denied.signatures.has(signatureDigest(sig)) ? 'sig' : undefined
}

interface Draft {
  readonly signatures: Set<string>
  readonly policies: Set<string>
  readonly delegationKeys: Set<string>
}

function addRule(rule: DenyRule, { signatures, policies, delegationKeys }: Draft): void {
  if (rule.kind === 'sig') signatures.add(rule.digest)
  else if (rule.kind === 'si') policies.add(`${rule.account} ${rule.name}`)
  else delegationKeys.add(delegationName(rule.objectId, rule.start))
}

/** One moment has several spellings, and GUIDs come in both cases: neither may keep a revoked key alive. */
function delegationName(objectId: string, start: string): string {
  return `${objectId.toLowerCase()} ${parseTime(start) ?? start}`
}

function withoutComment(line: string): string {
  return line.replace(/(?:^|[ \t])#.*$/s, '').trim()
}
