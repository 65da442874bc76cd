// Revokes certificates, and writes the revocation lists of all roots that were made here.
import { join } from 'node:path'
import type { Change } from './commit.ts'
import { OfficeFault } from './fault.ts'
import { changeAuthority, save, type Authority } from './folder.ts'
import { isListOf, makeList, readLists } from './lists.ts'
import { holderText, type Holder } from './names.ts'
import { entriesOf, factLines, nextListNumber, validOf, type Entry, type Fact, type ListFact, type Reason, type RevokedFact } from './record.ts'
import { openRoots, type RootSigner } from './signers.ts'

const DAY_MS = 86_400_000
export const LIST_DAYS = 90

export interface Unlocked {
  readonly passphrase: Buffer | undefined
  /** ms since the epoch. */
  readonly now: number
}

export interface RevokeWish extends Unlocked {
  readonly which: Holder | { readonly serial: string }
  readonly reason: Reason
}

/** Revokes certificates that are still valid. Returns them; throws an OfficeFault where there are none. */
export function revoke(directory: string, { which, reason, passphrase, now }: RevokeWish): Promise<readonly Entry[]> {
  return changeAuthority(directory, async (authority) => {
    const entries = entriesOf(authority.facts, now)
    const ended = 'serial' in which ? [bySerial(entries, which.serial)] : validOf(entries, which)
    if (ended.length === 0 && 'office' in which) throw new OfficeFault(`no certificate of ${holderText(which)} is still valid`)
    const facts = revokedFacts(ended, reason, now)
    const signers = openRoots(authority, passphrase)
    save(authority, await listChanges(authority, facts, signers, { now, days: LIST_DAYS }))
    return ended
  })
}

function bySerial(entries: readonly Entry[], serial: string): Entry {
  const entry = entries.find((each) => BigInt(`0x${each.serial}`) === BigInt(`0x${serial}`))
  if (entry === undefined) throw new OfficeFault(`no certificate of this authority has the serial number ${serial}`)
  if (entry.use === 'connect') throw new OfficeFault('that is a certificate of connect, which no revocation list is for: replace the connect root instead')
  if (entry.state === 'revoked') throw new OfficeFault(`the certificate ${serial} is revoked already`)
  return entry
}

/** Returns the facts that certificates are revoked from `now` on. */
export function revokedFacts(entries: readonly Entry[], reason: Reason, now: number): RevokedFact[] {
  return entries.map(({ serial }) => ({ fact: 'revoked', at: new Date(now).toISOString(), serial, reason }))
}

/** Writes the lists again. Returns until when they hold, in ms since the epoch. */
export function renewLists(directory: string, { days, passphrase, now }: Unlocked & { readonly days: number }): Promise<number> {
  return changeAuthority(directory, async (authority) => {
    const signers = openRoots(authority, passphrase)
    if (signers.length === 0) throw new OfficeFault('the authority has only imported roots: import their lists with tidegate office import')
    save(authority, await listChanges(authority, [], signers, { now, days }))
    return now + days * DAY_MS
  })
}

/** Returns the changes that add facts to the record and write crl.pem by them. Lists of imported roots stay as they are. */
export async function listChanges(
  authority: Authority, facts: readonly Fact[], signers: readonly RootSigner[], { now, days }: { now: number; days: number },
): Promise<Change[]> {
  const known = [...authority.facts, ...facts]
  const list: ListFact = { fact: 'list', at: new Date(now).toISOString(), number: nextListNumber(known), until: new Date(now + days * DAY_MS).toISOString() }
  const own = await Promise.all(signers.map((signer) => makeList(signer, revokedUnder(known, signer), list.number, { now, until: now + days * DAY_MS })))
  const imported = await importedLists(authority)
  return [indexChange(authority, [...facts, list]), { path: join(authority.folder, 'crl.pem'), contents: [...own, ...imported].join('') }]
}

/** Returns the change that adds facts to the record. */
export function indexChange({ folder, facts }: Authority, added: readonly Fact[]): Change {
  return { path: join(folder, 'index.jsonl'), contents: factLines([...facts, ...added]) }
}

/** What a root's list names: all that it issued and that was revoked, in order of time. Expired ones stay on it. */
function revokedUnder(facts: readonly Fact[], { certificate }: RootSigner): RevokedFact[] {
  const root = certificate.fingerprint256.replaceAll(':', '')
  const issued = new Set(facts.flatMap((fact) => (fact.fact === 'issued' && fact.root === root ? [fact.serial] : [])))
  return facts.flatMap((fact) => (fact.fact === 'revoked' && issued.has(fact.serial) ? [fact] : []))
}

/** Returns the lists in crl.pem that imported roots signed, as PEM. */
export async function importedLists({ lists, roots }: Authority): Promise<string[]> {
  const kept: string[] = []
  for (const list of readLists(lists) ?? []) {
    for (const { key, certificate } of roots) if (key === undefined && await isListOf(list, certificate)) kept.push(list.pem)
  }
  return kept
}
