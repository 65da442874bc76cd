// The record of an authority: what it issued and revoked, one fact on a line of index.jsonl, and what follows from the facts.
import { OfficeFault } from './fault.ts'
import type { Holder } from './names.ts'

export const KEY_CHOICES = ['rsa2048', 'p256'] as const
export type KeyChoice = (typeof KEY_CHOICES)[number]

/** Reasons of RFC 5280 section 5.3.1 that fit a client certificate. A hold is missing: nothing here could lift it. */
export const REASONS = ['unspecified', 'keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn'] as const
export type Reason = (typeof REASONS)[number]

/** Times are ISO 8601 in UTC; serials and digests are upper-case hexadecimal. */
export interface IssuedFact extends Holder {
  readonly fact: 'issued'
  readonly at: string
  readonly use: 'client' | 'connect'
  readonly serial: string
  readonly from: string
  readonly until: string
  readonly sha1: string
  readonly sha256: string
  /** SHA-256 of the certificate that signed it. */
  readonly root: string
  /** `request`: the key came with a certificate signing request. */
  readonly key: KeyChoice | 'request'
  readonly dns?: readonly string[]
}

export interface RevokedFact {
  readonly fact: 'revoked'
  readonly at: string
  readonly serial: string
  readonly reason: Reason
}

/** A revocation list was signed. Numbers only grow (RFC 5280 section 5.2.3). */
export interface ListFact {
  readonly fact: 'list'
  readonly at: string
  readonly number: number
  readonly until: string
}

export interface RootFact {
  readonly fact: 'root-added' | 'root-dropped' | 'root-imported'
  readonly at: string
  readonly name: string
  readonly sha256: string
}

export type Fact = IssuedFact | RevokedFact | ListFact | RootFact

export type CertificateState = 'valid' | 'expired' | 'revoked'

export interface Entry extends IssuedFact {
  readonly state: CertificateState
  readonly revoked?: RevokedFact
}

const KINDS: readonly string[] = ['issued', 'revoked', 'list', 'root-added', 'root-dropped', 'root-imported']

/** Parses index.jsonl. Throws an OfficeFault that names the first line that is no fact. */
export function parseFacts(text: string): Fact[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line, index) => {
    const fact = parsed(line)
    if (fact === undefined) throw new OfficeFault(`line ${index + 1} of index.jsonl cannot be read`)
    return fact
  })
}

function parsed(line: string): Fact | undefined {
  try {
    const value = JSON.parse(line) as unknown
    const known = typeof value === 'object' && value !== null && 'fact' in value && KINDS.includes(String(value.fact))
    return known ? value as Fact : undefined
  } catch {
    return undefined
  }
}

/** Returns facts as lines. */
export const factLines = (facts: readonly Fact[]): string => facts.map((fact) => `${JSON.stringify(fact)}\n`).join('')

/** Returns every certificate of the record in the order of issue, with its state at `now` (ms since the epoch). */
export function entriesOf(facts: readonly Fact[], now: number): Entry[] {
  const revoked = new Map(facts.flatMap((fact) => (fact.fact === 'revoked' ? [[fact.serial, fact] as const] : [])))
  return facts.flatMap((fact) => {
    if (fact.fact !== 'issued') return []
    const end = revoked.get(fact.serial)
    const state = end !== undefined ? 'revoked' : Date.parse(fact.until) < now ? 'expired' : 'valid'
    return [{ ...fact, state, ...(end === undefined ? {} : { revoked: end }) } as const]
  })
}

/** Returns the certificates of exactly this office or user that are still valid. */
export function validOf(entries: readonly Entry[], { office, user }: Holder): Entry[] {
  return entries.filter((entry) => entry.state === 'valid' && entry.use === 'client' && entry.office === office && entry.user === user)
}

/** Returns the number that the next revocation list gets. */
export function nextListNumber(facts: readonly Fact[]): number {
  return 1 + Math.max(0, ...facts.map((fact) => (fact.fact === 'list' ? fact.number : 0)))
}

/** Parses a serial number as people copy it: colons, spaces and `0x` are dropped. Returns undefined for anything else. */
export function parseSerial(text: string): string | undefined {
  const digits = text.replaceAll(/[:\s]/g, '').replace(/^0x/i, '').toUpperCase()
  return /^[0-9A-F]{1,40}$/.test(digits) ? digits : undefined
}
