// What the SAS tests stand on: the vectors, keys, facts and policies of one imaginary account, and the way to ask for a refusal.
import { type KeyObject, createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServiceName } from '../../src/azure/services.ts'
import { type KeptResults, type SasFacts, type SasPolicy, type SasVerdict, admitSas, createKeptResults } from '../../src/sas/admission.ts'
import type { SasKind } from '../../src/sas/fields.ts'
import { DelegationKeys, type UserDelegationKey } from '../../src/sas/signing-keys.ts'
import { type Issue, issue } from './second.ts'

export interface Expected { readonly action: 'resign' | 'unchanged' | 'refuse'; readonly query: string; readonly stringToSign: string; readonly sig: string; readonly status?: number; readonly errorCode?: string }
export interface Vector {
  readonly name: string
  readonly account: string
  readonly keyBase64?: string
  readonly userDelegationKey?: Omit<UserDelegationKey, 'key'> & { readonly value: string }
  readonly kind: SasKind
  readonly service: ServiceName
  readonly endpointStyle: 'host' | 'path'
  readonly url: string
  readonly requestHeaders?: Readonly<Record<string, string>>
  readonly stringToSign: string
  readonly sig: string
  readonly expectedAfterTighten: Expected
  readonly expectedWhenSipRemoved?: Expected
}

const file = JSON.parse(readFileSync(new URL('../vectors/sas-vectors.json', import.meta.url), 'utf8')) as { readonly vectors: readonly Vector[]; readonly clock: string }
export const VECTORS = file.vectors
export const NOW = Date.parse(file.clock)

export const ACCOUNT = 'tideoffice'
export const KEY1 = Buffer.alloc(64, 1)
export const KEY2 = Buffer.alloc(64, 2)
export const UDK = Buffer.alloc(32, 3)
export const SKEY1: KeyObject = createSecretKey(KEY1)
export const SKEY2: KeyObject = createSecretKey(KEY2)

export const DELEGATION: UserDelegationKey = {
  signedObjectId: 'oid', signedTenantId: 'tid', signedStartsOn: '2026-11-24T00:00:00Z', signedExpiresOn: '2026-11-30T00:00:00Z', signedService: 'b', signedVersion: '2025-07-05',
  key: createSecretKey(UDK),
}

export function policyOf(change: Partial<SasPolicy> = {}): SasPolicy {
  const keys = { account: [{ slot: 'key1', key: SKEY1 }, { slot: 'key2', key: SKEY2 }] as const, delegation: new DelegationKeys([DELEGATION]) }
  return { account: ACCOUNT, keys, withoutKey: 'refuse', sip: 'keep', skew: 300_000, ...change }
}

export function factsOf(change: Partial<SasFacts> = {}): SasFacts {
  return { service: 'blob', decodedPath: '/ledgers/2026/q4.csv', query: '', now: NOW, clientAddress: '203.0.113.65', header: () => undefined, ...change }
}

export function factsOfVector({ url, service, endpointStyle, requestHeaders }: Vector): SasFacts {
  const target = url.replace(/^https?:\/\/[^/]+/, '')
  const mark = target.indexOf('?')
  const decoded = decodeURIComponent(target.slice(0, mark))
  const decodedPath = endpointStyle === 'path' ? decoded.replace(/^\/[^/]+/, '') : decoded
  return factsOf({ service, decodedPath, query: target.slice(mark + 1), header: (name) => requestHeaders?.[name] })
}

export function policyOfVector({ account, keyBase64, userDelegationKey }: Vector, change: Partial<SasPolicy> = {}): SasPolicy {
  const delegation = new DelegationKeys(userDelegationKey === undefined ? [] : [{ ...userDelegationKey, key: createSecretKey(Buffer.from(userDelegationKey.value, 'base64')) }])
  const own = keyBase64 === undefined ? [] : [{ slot: 'key1', key: createSecretKey(Buffer.from(keyBase64, 'base64')) }] as const
  return policyOf({ account, keys: { account: own, delegation }, ...change })
}

/** The parameters of an ordinary token for one blob; undefined takes one away. */
export function blobParams(change: Readonly<Record<string, string | undefined>> = {}): [string, string][] {
  return paramsOf({ sv: '2025-05-05', st: '2026-11-24T06:00:00Z', se: '2026-11-25T06:00:00Z', sr: 'b', sp: 'r', ...change })
}

export function accountParams(change: Readonly<Record<string, string | undefined>> = {}): [string, string][] {
  return paramsOf({ sv: '2025-05-05', ss: 'b', srt: 'sco', se: '2026-11-25T06:00:00Z', sp: 'rl', ...change })
}

export function delegationParams(change: Readonly<Record<string, string | undefined>> = {}): [string, string][] {
  return blobParams({ sv: '2026-04-06', skoid: 'oid', sktid: 'tid', skt: DELEGATION.signedStartsOn, ske: DELEGATION.signedExpiresOn, sks: 'b', skv: '2025-07-05', ...change })
}

export function paramsOf(all: Readonly<Record<string, string | undefined>>): [string, string][] {
  return Object.entries(all).flatMap(([name, value]) => value === undefined ? [] : [[name, value] as [string, string]])
}

/** A signed query. */
export function issued(params: Issue['params'], change: Partial<Issue> = {}, key: Buffer = KEY1): string {
  return issue({ service: 'blob', account: ACCOUNT, path: '/ledgers/2026/q4.csv', params, ...change }, key)
}

export function admit(facts: Partial<SasFacts>, policy: Partial<SasPolicy> = {}, kept: KeptResults = createKeptResults(10)): SasVerdict | undefined {
  return admitSas(factsOf(facts), policyOf(policy), kept)
}
