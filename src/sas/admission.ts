// The whole decision about a storage request that may carry a shared access signature (spec/sas.md 1, steps 2 to 10):
// no SAS, refused, passed on as it is, or tightened to https.
import type { ServiceName } from '../azure/services.ts'
import { type AcceptRules, judgeLife, lifeOf, type WouldRefuse } from './accept.ts'
import { checkTable, readingsOf } from './canonical-resource.ts'
import { type DeniedTokens, deniedBy } from './denied.ts'
import type { SasKind } from './fields.ts'
import { type KeptRequest, type KeptResult, type KeptResults, nameOf } from './kept-results.ts'
import { readQuery, refuseOddCompanion, refuseUnsigned } from './query.ts'
import { listsParameter } from './signed-request.ts'
import { type Signer, type SigningKeys, signersFor } from './signing-keys.ts'
import { NO_KEY, REVOKED, forbid } from './error-details.ts'
import { rewriteQuery, tighten, type UpstreamSigner } from './tighten.ts'
import { parseTime } from './times.ts'
import { type SasToken, readSas } from './token.ts'
import { type Candidate, type SignedContext, checkTerms, readTerms, textOf, verifySas } from './verify.ts'

export { type KeptResults, createKeptResults } from './kept-results.ts'
export { hasSignature, isSignatureName, mayHoldSas, namesAddress } from './query.ts'

/** What an account's operator has settled. */
export interface SasPolicy {
  /** The primary name, without `-secondary`. */
  readonly account: string
  readonly keys: SigningKeys
  /** Who signs every token that goes upstream; absent where the account signs its own, and only what must change. */
  readonly upstream?: UpstreamSigner
  readonly withoutKey: 'refuse' | 'pass-if-https' | 'pass'
  /** What the token that goes upstream says about addresses (spec/sas.md 10). */
  readonly sip: 'remove' | 'egress' | 'keep'
  /** With `sip: 'egress'`: an IPv4 address or `LOW-HIGH`. */
  readonly egress?: string
  /** Which valid tokens are carried; undefined for all. */
  readonly accept?: AcceptRules
  /** Revoked tokens. */
  readonly denied?: DeniedTokens
  /** How far our clock may be behind a token's start, in ms. */
  readonly skew: number
}

export interface SasFacts {
  readonly service: ServiceName
  /** Percent-decoded once, with the leading slash; where the account is in the path, without it. */
  readonly decodedPath: string
  /** As the client sent it, without the `?`. */
  readonly query: string
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly clientAddress: string
  /** The value as it came; asked with a name in lower case. */
  header(name: string): string | undefined
}

export type SasOutcome = 'unchanged' | 'tightened' | 'passed-unverified'

/** The signed texts that say what a token is for; null where it does not say. */
export interface SasGrants {
  /** `sp`: null where a stored access policy may hold it. */
  readonly permissions: string | null
  /** `ss` and `srt` of an account SAS. */
  readonly services: string | null
  readonly resourceTypes: string | null
}

export interface SasVerdict {
  readonly kind: SasKind
  readonly outcome: SasOutcome
  /** What goes upstream, without the `?`. */
  readonly query: string
  /** Whose key verified the token; null where none could. */
  readonly slot: Signer['slot'] | null
  /** Milliseconds since the epoch; null where the token does not say. */
  readonly expiresOn: number | null
  /** The client's own token says `spr=https`: whoever issued it has nothing to fix. */
  readonly httpsOnly: boolean
  /** What the token says it allows. */
  readonly grants: SasGrants
  /** `storage.sas.accept` with `mode: report` would have refused it, for this reason. */
  readonly wouldRefuse?: WouldRefuse
}

/**
 * Judges one request. Undefined where it carries no SAS. Throws a Refusal with one of the `sas-*` reasons; its detail
 * names the `kind` as soon as that is known.
 */
export function admitSas(facts: SasFacts, policy: SasPolicy, kept: KeptResults): SasVerdict | undefined {
  if (facts.query === '') return undefined
  // No control character is in any of them, so the join is unambiguous.
  const name = `${policy.account}\n${facts.service}\n${facts.decodedPath}\n${facts.query}`
  const known = kept.findRequest(name, policy)
  if (known !== undefined) return admitAgain(known, facts)
  const query = readQuery(facts.query)
  if (query.values.sig === undefined) {
    refuseUnsigned(query)
    return undefined
  }
  refuseOddCompanion(query)
  const token = readSas(query, facts.service)
  const signers = signersFor(token, policy.keys, facts.now)
  if (signers.length === 0) return passWithoutKey(token, policy, facts.now)
  const judged = admitToken(token, signers, facts, policy, kept)
  // A delegation key can go, and signed headers differ from request to request: such tokens are read each time.
  if (token.kind !== 'user-delegation') kept.keepRequest(name, judged)
  return carried(judged, facts)
}

/** The same bytes came to this verdict before; whether they do now is a matter of time and address alone. */
function admitAgain(judged: KeptRequest, facts: SasFacts): SasVerdict {
  checkTerms(judged.terms, judged.verdict.kind, facts, judged.policy.skew)
  return carried(judged, facts)
}

/** The last step: a token that is good may still live too long (contract 3.3). */
function carried({ verdict, terms, policy }: KeptRequest, { now }: SasFacts): SasVerdict {
  if (policy.accept === undefined) return verdict
  const wouldRefuse = judgeLife(terms, verdict.kind, policy.accept, now)
  return wouldRefuse === undefined ? verdict : { ...verdict, wouldRefuse }
}

/** A revoked token is refused whether a key here verified it or not; a forged one is never called revoked where a key is. */
function refuseDenied({ kind, values }: SasToken, { account, upstream, denied }: SasPolicy): void {
  // A rule may name the office's account or the real one behind it.
  const accounts = upstream === undefined ? [account] : [account, upstream.account]
  const rule = denied === undefined ? undefined : deniedBy(values, accounts, denied)
  if (rule !== undefined) forbid('sas-denied', kind, REVOKED, { rule })
}

/** Step 7: what was not verified is never edited. */
function passWithoutKey(token: SasToken, policy: SasPolicy, now: number): SasVerdict {
  const { kind, query, values } = token
  const { withoutKey } = policy
  refuseDenied(token, policy)
  if (withoutKey === 'refuse' || (withoutKey === 'pass-if-https' && values.spr !== 'https')) forbid('sas-no-key', kind, NO_KEY)
  const wouldRefuse = judgeLife(lifeOf(values), kind, policy.accept, now)
  const verdict = { kind, outcome: 'passed-unverified', query: query.text, slot: null, expiresOn: parseTime(values.se ?? '') ?? null, httpsOnly: values.spr === 'https', grants: grantsOf(values) } as const
  return wouldRefuse === undefined ? verdict : { ...verdict, wouldRefuse }
}

/** Steps 8 to 10. */
function admitToken(token: SasToken, signers: readonly Signer[], facts: SasFacts, policy: SasPolicy, kept: KeptResults): KeptRequest {
  const sip = upstreamSip(token, policy)
  const context: SignedContext = { account: policy.account, header: (name) => facts.header(name) }
  const candidates: Candidate[] = []
  for (const reading of readingsOf(token, facts.decodedPath, facts.service, policy.account)) {
    const candidate = { reading, text: textOf(token, reading, context) }
    const result = kept.find(nameOf(token, candidate, sip), signers, facts.now)
    if (result !== undefined) return admitKept(token, result, sip, facts, policy)
    candidates.push(candidate)
  }

  const proof = verifySas(token, candidates, signers)
  refuseDenied(token, policy)
  const terms = readTerms(token)
  checkTerms(terms, token.kind, facts, policy.skew)
  checkTable(token, facts.decodedPath, facts.service)

  const { account, upstream } = policy
  const same = upstream === undefined && token.values.spr === 'https' && token.values.sip === sip
  const tightened = same ? null : tighten(token, proof, upstream ?? { account, key: proof.signer.key }, sip, context)
  const result: KeptResult = { signer: proof.signer, terms, signature: tightened?.signature ?? null }
  kept.keep(nameOf(token, proof, sip), result)
  return { policy, terms, verdict: verdictOf(token, result, policy, tightened?.query ?? facts.query) }
}

/** The signature is known to be good; whether it is good now and here is another matter. */
function admitKept(token: SasToken, result: KeptResult, sip: string | undefined, facts: SasFacts, policy: SasPolicy): KeptRequest {
  const { terms, signature } = result
  refuseDenied(token, policy)
  checkTerms(terms, token.kind, facts, policy.skew)
  checkTable(token, facts.decodedPath, facts.service)
  return { policy, terms, verdict: verdictOf(token, result, policy, signature === null ? facts.query : rewriteQuery(token.query, sip, signature)) }
}

function verdictOf({ kind, values }: SasToken, { signer: { slot }, terms: { expiresOn }, signature }: KeptResult, { upstream }: SasPolicy, query: string): SasVerdict {
  const httpsOnly = values.spr === 'https'
  // Where another account signs, a new signature alone says nothing about the client's token.
  const outcome = signature === null || (upstream !== undefined && httpsOnly) ? 'unchanged' : 'tightened'
  return { kind, outcome, query, slot, expiresOn, httpsOnly, grants: grantsOf(values) }
}

function grantsOf({ sp, ss, srt }: SasToken['values']): SasGrants {
  return { permissions: sp ?? null, services: ss ?? null, resourceTypes: srt ?? null }
}

/** A `sip` that `srq` lists has to stay (spec/sas.md 13); one that is empty restricts nothing and stays too. */
function upstreamSip(token: SasToken, { sip, egress }: SasPolicy): string | undefined {
  const given = token.values.sip
  if (given === undefined || given === '' || sip === 'keep') return given
  if (sip === 'egress') return egress
  return listsParameter(token, 'sip') ? given : undefined
}
