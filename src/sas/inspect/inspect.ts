// Says what a SAS URL is, and what the gateway would do with it. The verdict is that of the code that admits requests; there is
// no second opinion here (contract section 2).
import type { ServiceName } from '../../azure/services.ts'
import { type Target, parseTarget } from '../../azure/target.ts'
import { Refusal, type Reason } from '../../refusal.ts'
import { type SasPolicy, type SasVerdict, admitSas, createKeptResults, hasSignature } from '../admission.ts'
import { checkTable, readingsOf } from '../canonical-resource.ts'
import { signatureDigest } from '../denied.ts'
import type { SasKind, SasValues } from '../fields.ts'
import { type TokenFacts, factsOf } from './facts.ts'
import { type Outside, type ReviewGround, type SignatureState, outsideOf, warningsFor } from './review.ts'
import { type UrlText, hideSignatures, readUrlText, redactUrl, signaturesIn, whereaboutsOf } from './url.ts'
import { readQuery } from '../query.ts'
import { DelegationKeys, type Signer, signersFor } from '../signing-keys.ts'
import { NOT_MATCHING } from '../error-details.ts'
import { type SasToken, readSas } from '../token.ts'
import { checkTerms, readTerms, textOf, verifySas } from '../verify.ts'

/** A storage endpoint that a URL leads to. */
export interface InspectPlace {
  readonly policy: SasPolicy
  readonly service: ServiceName
  /** Stands in front of every path at that host, and is no part of what is signed. */
  readonly pathPrefix: string
}

export interface InspectGround extends ReviewGround {
  /**
   * What a host and path lead to, by a configuration: a storage endpoint, an API, or nothing of ours. `port` is undefined for
   * the scheme's own. Undefined where there is no configuration.
   */
  readonly find: ((host: string, port: number | undefined, path: string) => InspectPlace | 'api' | undefined) | undefined
}

export interface GatewayVerdict {
  /** `no-sas`: nothing to judge. `unknown`: without a configuration, and the text forces no refusal. */
  readonly outcome: 'refused' | SasVerdict['outcome'] | 'no-sas' | 'unknown'
  readonly reason: Reason | null
  readonly why: readonly string[]
}

export interface SasReport {
  /** Without any value that could be a secret. */
  readonly url: string
  readonly account: string
  readonly service: ServiceName
  /** Null where there is no token, or none that can be read. */
  readonly token: TokenFacts | null
  readonly signature: SignatureState
  /** SHA-256 of the decoded signature bytes, in hex: what `deny` revokes the token by. Null where it has none of the right form. */
  readonly signatureSha256: string | null
  /** Which key made the signature; null where it is not known to be right. */
  readonly key: Signer['slot'] | null
  readonly gateway: GatewayVerdict
  readonly outside: Outside | null
  readonly warnings: readonly string[]
}

/** What is known of one URL. */
interface Subject {
  readonly url: UrlText
  readonly place: InspectPlace
  /** No configuration: the place is read from the text, and its policy has no keys. */
  readonly blind: boolean
  readonly now: number
  /** The refusal that the text alone brings, before any key is asked. */
  readonly refusal: Refusal | undefined
  readonly target: Target | undefined
  readonly values: Readonly<SasValues> | undefined
  readonly token: SasToken | undefined
}

/** Without a configuration. */
const SKEW_MS = 5 * 60_000
const ANY_ADDRESS = '192.0.2.1'
const LEARNED = 'a running gateway may have learned the user delegation key from its traffic (storage.sas.learnDelegationKeys)'

/** Undefined where the text is no http or https URL. The report holds no signature, wherever in the text one stood. */
export function inspectUrl(text: string, ground: InspectGround): SasReport | undefined {
  const url = readUrlText(text)
  if (url === undefined) return undefined
  const report = reportOf(url, ground)
  return clean(report, signaturesIn(text))
}

/** Whatever holds words of the URL, without the signatures of it. */
function clean(report: SasReport, signatures: readonly string[]): SasReport {
  const hide = <T>(value: T): T => hideWithin(value, signatures) as T
  const { url, account, token, gateway, outside, warnings } = report
  return {
    ...report, url: hide(url), account: hide(account), token: token === null ? null : { ...hide(token), kind: token.kind }, gateway: { ...gateway, why: hide(gateway.why) }, outside: hide(outside),
    warnings: hide(warnings),
  }
}

function hideWithin(value: unknown, signatures: readonly string[]): unknown {
  if (typeof value === 'string') return hideSignatures(value, signatures)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => hideWithin(item, signatures))
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, hideWithin(item, signatures)]))
}

function reportOf(url: UrlText, ground: InspectGround): SasReport {
  const found = ground.find?.(url.host, url.port, url.path)
  const where = whereaboutsOf(url, valuesIn(url))
  const place = typeof found === 'object' ? found : { policy: blindPolicy(where.account), service: where.service, pathPrefix: where.pathPrefix }
  const subject = read({ url, place, blind: ground.find === undefined, now: ground.now })
  const { signature, key } = signatureOf(subject)
  const facts = tokenFacts(subject)
  const verdict = ground.find === undefined || typeof found === 'object' ? judge(subject) : elsewhere(found)
  return {
    url: redactUrl(url),
    account: place.policy.account,
    service: place.service,
    token: facts,
    signature,
    signatureSha256: subject.token === undefined ? null : signatureDigest(subject.token.values.sig ?? ''),
    key,
    gateway: url.secure ? verdict : refused('plaintext-http', ['the URL says http, which is refused whatever it carries', `with https: ${wordsFor(verdict)}`]),
    outside: facts === null ? null : outsideOf(facts, signature, ground),
    warnings: facts === null || subject.values === undefined ? [] : warningsFor(facts, subject.values, url.secure, ground),
  }
}

/** A name that is no storage account's. */
function elsewhere(found: 'api' | undefined): GatewayVerdict {
  if (found === undefined) return refused('host-unknown', ['no storage account of the configuration has that name'])
  return { outcome: 'no-sas', reason: null, why: ['the name is that of an API, where no SAS is judged'] }
}

function blindPolicy(account: string): SasPolicy {
  return { account, keys: { account: [], delegation: new DelegationKeys() }, withoutKey: 'pass', sip: 'keep', skew: SKEW_MS }
}

/** Target, query and token, as far as they can be read. */
function read(known: Pick<Subject, 'url' | 'place' | 'blind' | 'now'>): Subject {
  const { url: { path, query }, place } = known
  const draft: { -readonly [K in 'target' | 'values' | 'token']: Subject[K] } = { target: undefined, values: undefined, token: undefined }
  const refusal = refusalIn(() => {
    draft.target = withoutPrefix(parseTarget(query === undefined ? path : `${path}?${query}`, ''), place.pathPrefix)
    const parts = readQuery(query ?? '')
    if (parts.values.sig === undefined) return
    draft.values = parts.values
    draft.token = readSas(parts, place.service)
  })
  return { ...known, ...draft, refusal }
}

/** What the gateway would do, by asking it. A client at an address of the token's own range is supposed. */
function judge(subject: Subject): GatewayVerdict {
  const { place, target, refusal, now, url, blind } = subject
  if (target === undefined || refusal !== undefined) return refusal === undefined ? unknownVerdict() : verdictFor(refusal)
  let verdict: SasVerdict | undefined
  const refusedBy = refusalIn(() => {
    verdict = admitSas({ service: place.service, decodedPath: target.decodedPath, query: url.query ?? '', now, clientAddress: supposedAddress(subject), header: () => undefined }, place.policy, createKeptResults(1))
    if (blind && subject.token !== undefined) forceByText(subject.token, target, subject)
  })
  if (refusedBy?.reason === 'sas-no-key' && subject.token?.kind === 'user-delegation') return refused('sas-no-key', [...verdictFor(refusedBy).why, LEARNED])
  if (refusedBy !== undefined) return verdictFor(refusedBy)
  if (verdict === undefined) return { outcome: 'no-sas', reason: null, why: ['there is no SAS in it'] }
  return blind ? unknownVerdict() : { outcome: verdict.outcome, reason: null, why: [...whyPassed(verdict, subject)] }
}

/** What admission checks only once a key has verified the token, and what the text forces without one. */
function forceByText(token: SasToken, { decodedPath }: Target, subject: Subject): void {
  const { place: { service, policy }, now } = subject
  readingsOf(token, decodedPath, service, policy.account)
  checkTerms(readTerms(token), token.kind, { now, clientAddress: supposedAddress(subject) }, policy.skew)
  checkTable(token, decodedPath, service)
}

function* whyPassed({ outcome, query, slot, wouldRefuse }: SasVerdict, { token, place: { policy } }: Subject): Generator<string> {
  const values = token?.values
  if (outcome === 'passed-unverified') yield `no key here signed it, and storage.sas.withoutKey is ${policy.withoutKey}: it is sent upstream unverified`
  if (outcome === 'unchanged') yield `https only already, and signed with ${slot ?? 'a key'}: it is sent upstream byte for byte`
  if (wouldRefuse !== undefined) yield `storage.sas.accept would refuse it (${wouldRefuse}) if its mode were refuse`
  const sip = outcome === 'tightened' ? readQuery(query).values.sip : values?.sip
  if (outcome === 'tightened' && values?.spr !== 'https') yield `it allows plain http: it is sent upstream signed again with ${slot ?? 'a key'}, https only`
  if (outcome === 'tightened' && sip !== values?.sip) yield `its addresses are checked here and sent upstream as ${sip ?? 'absent'} (storage.sas.sip: ${policy.sip})`
  if (values?.sip !== undefined && values.sip !== '') yield `only for clients in its address range; any other is refused (sas-source-ip)`
}

/** By the account's keys, or by the user delegation key that the token names. */
function signatureOf({ token, target, place: { policy, service } }: Subject): { readonly signature: SignatureState; readonly key: Signer['slot'] | null } {
  const unknown = { signature: 'unknown', key: null } as const
  if (token === undefined || target === undefined) return unknown
  const signers = signersFor(token, policy.keys)
  if (signers.length === 0) return unknown
  let key: Signer['slot'] | null = null
  const refusal = refusalIn(() => {
    const context = { account: policy.account, header: () => undefined }
    const candidates = readingsOf(token, target.decodedPath, service, policy.account).map((reading) => ({ reading, text: textOf(token, reading, context) }))
    key = verifySas(token, candidates, signers).signer.slot
  })
  if (key !== null) return { signature: 'right', key }
  return refusal?.tells.AuthenticationErrorDetail === NOT_MATCHING ? { signature: 'wrong', key: null } : unknown
}

function tokenFacts({ token, values, refusal, place, target }: Subject): TokenFacts | null {
  if (values === undefined) return null
  const kind = token?.kind ?? (refusal?.detail.kind as SasKind | undefined) ?? null
  return factsOf(values, kind, place.service, target?.decodedPath ?? '/')
}

function valuesIn({ query = '' }: UrlText): Readonly<SasValues> | undefined {
  let values: Readonly<SasValues> | undefined
  refusalIn(() => (values = readQuery(query).values))
  return hasSignature(query) ? values : undefined
}

function supposedAddress({ values }: Subject): string {
  const [low = ''] = (values?.sip ?? '').split('-')
  return low === '' ? ANY_ADDRESS : low
}

function withoutPrefix(target: Target, prefix: string): Target {
  const { decodedPath } = target
  if (prefix === '' || !(decodedPath === prefix || decodedPath.startsWith(`${prefix}/`))) return target
  return { ...target, decodedPath: decodedPath.slice(prefix.length) || '/' }
}

function verdictFor({ reason, tells, detail, row }: Refusal): GatewayVerdict {
  const told = tells.AuthenticationErrorDetail ?? (tells.QueryParameterName === undefined ? row.says : `${tells.QueryParameterName}: ${tells.Reason ?? row.says}`)
  const parts = [detail.parameter, detail.why].filter((part): part is string => typeof part === 'string' && !told.includes(part))
  return refused(reason, [told, ...(parts.length === 0 ? [] : [`it is about: ${parts.join(', ')}`])])
}

function refused(reason: Reason, why: readonly string[]): GatewayVerdict {
  return { outcome: 'refused', reason, why }
}

function unknownVerdict(): GatewayVerdict {
  return { outcome: 'unknown', reason: null, why: ['the text forces no refusal; a configuration (--config) says the rest'] }
}

/** A verdict in a few words. */
function wordsFor({ outcome, reason, why }: GatewayVerdict): string {
  return `${outcome}${reason === null ? '' : ` (${reason})`}: ${why.join('; ')}`
}

function refusalIn(act: () => unknown): Refusal | undefined {
  try {
    act()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  return undefined
}
