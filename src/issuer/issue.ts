// Issues and renews certificates of offices, and server certificates for their `connect`.
import { join, resolve } from 'node:path'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { makeClient, makeKey, makeServer, readRequest, thumbprints, type Made } from './certificates.ts'
import type { Change } from './commit.ts'
import { isPermitted, permittedNames, type OwnNames } from './constraints.ts'
import { OfficeFault } from './fault.ts'
import { changeAuthority, save, type Authority, type RootFile } from './folder.ts'
import { checkHolder, fileName, holderText, type Holder } from './names.ts'
import { entriesOf, validOf, type Entry, type IssuedFact, type KeyChoice } from './record.ts'
import { connectRootChanges, permittedBy } from './connect-root.ts'
import { indexChange, listChanges, LIST_DAYS, revokedFacts, type Unlocked } from './revoke.ts'
import { checkRootTime, currentRoot, openRoot, openRoots, type RootSigner } from './signers.ts'
import { sealKey } from './private-key.ts'

const DAY_MS = 86_400_000
export const CLIENT_DAYS = 90
export const LONGEST_DAYS = 397

export interface IssueWish extends Unlocked {
  readonly holder: Holder
  readonly days: number
  /** A kind of key to make, or the bytes of a certificate signing request. */
  readonly key: KeyChoice | Buffer
  readonly dns: readonly string[]
}

export interface Issued {
  readonly fact: IssuedFact
  /** PEM. */
  readonly certificate: string
  /** PEM; undefined where the key came with a request. */
  readonly key: string | undefined
  /** PEM of the root that signed it. */
  readonly root: string
  /** Certificates that were revoked by the same command. */
  readonly revoked: readonly Entry[]
  /** Days were cut, since no certificate outlives its root. */
  readonly cut: boolean
}

/** Issues a client certificate and writes NAME.pem and NAME.key into `out`; without `out` nothing but the record is written. */
export function issue(directory: string, wish: IssueWish, out: string | undefined): Promise<Issued> {
  checkHolder(wish.holder)
  checkNames(wish.dns)
  return changeAuthority(directory, async (authority) => {
    const made = await issueClient(authority, wish)
    save(authority, [indexChange(authority, [made.fact]), ...outputs(wish.holder, made, out)])
    return made
  })
}

export interface RenewWish extends Omit<IssueWish, 'key' | 'dns'> {
  /** Undefined for what the last certificate had. */
  readonly key: IssueWish['key'] | undefined
  readonly dns: readonly string[] | undefined
  readonly revokeOld: boolean
}

/** Issues a certificate for a holder that has had one. The old ones stay valid, unless the wish says otherwise. */
export function renew(directory: string, wish: RenewWish, out: string | undefined): Promise<Issued> {
  checkHolder(wish.holder)
  checkNames(wish.dns ?? [])
  return changeAuthority(directory, async (authority) => {
    const entries = entriesOf(authority.facts, wish.now)
    const last = entries.findLast((each) => each.use === 'client' && each.office === wish.holder.office && each.user === wish.holder.user)
    if (last === undefined) throw new OfficeFault(`${holderText(wish.holder)} has no certificate to renew: issue one`)
    if (last.key === 'request' && wish.key === undefined) throw new OfficeFault('the last key came with a request: renew with --csr or --key')
    const key = wish.key ?? (last.key === 'request' ? 'rsa2048' : last.key)
    const made = await issueClient(authority, { ...wish, key, dns: wish.dns ?? last.dns ?? [] })
    const old = wish.revokeOld ? validOf(entries, wish.holder) : []
    save(authority, [...await recordOf(authority, made.fact, old, wish), ...outputs(wish.holder, made, out)])
    return { ...made, revoked: old }
  })
}

async function recordOf(authority: Authority, fact: IssuedFact, old: readonly Entry[], { now, passphrase }: Unlocked): Promise<Change[]> {
  if (old.length === 0) return [indexChange(authority, [fact])]
  const facts = [fact, ...revokedFacts(old, 'superseded', now)]
  return listChanges(authority, facts, openRoots(authority, passphrase), { now, days: LIST_DAYS })
}

async function issueClient(authority: Authority, { holder, days, key, dns, passphrase, now }: IssueWish): Promise<Issued> {
  const root = currentRoot(authority)
  checkRootTime(root, now)
  // Before the passphrase costs time.
  const publicKey = typeof key === 'string' ? undefined : await readRequest(key)
  const privateKey = typeof key === 'string' ? makeKey(key) : undefined
  const signer = openRoot(root, passphrase)
  const { until, cut } = endOf(root, now, days)
  const made = await makeClient(holder, dns, publicKey ?? publicOf(privateKey), { now, until }, signer)
  const fact = factOf(made, { ...holder, use: 'client', key: typeof key === 'string' ? key : 'request', ...(dns.length === 0 ? {} : { dns }) }, signer, now)
  return issuedOf(made, fact, privateKey, root, cut)
}

export interface ConnectWish extends Unlocked {
  readonly office: string
  readonly hosts: readonly string[]
  readonly days: number
  readonly key: KeyChoice
  readonly own: OwnNames
}

/** Issues a server certificate for an office's `connect`; makes the connect root at its first use. */
export function issueConnect(directory: string, wish: ConnectWish, out: string | undefined): Promise<Issued> {
  checkHolder(wish)
  checkNames(wish.hosts)
  return changeAuthority(directory, async (authority) => {
    const { made, changes } = await connectIn(authority, wish)
    save(authority, [...changes, ...outputs(wish, made, out)])
    return made
  })
}

/** Returns a server certificate, and the changes of the folder that belong to it. */
export async function connectIn(authority: Authority, { office, hosts, days, key, own, passphrase, now }: ConnectWish): Promise<{ made: Issued; changes: Change[] }> {
  const fresh = authority.connectRoot === undefined ? await connectRootChanges(authority, own, { passphrase, now }) : undefined
  const root = fresh?.root ?? authority.connectRoot
  if (root === undefined) throw new OfficeFault('the connect root is missing')
  checkRootTime(root, now)
  const permitted = fresh === undefined ? permittedBy(root) : permittedNames(own)
  const outside = hosts.find((host) => !isPermitted(host, permitted) || !isPermitted(host, permittedNames(own)))
  if (outside !== undefined) throw new OfficeFault(outsideText(outside, permitted))
  const signer = openRoot(root, passphrase)
  const privateKey = makeKey(key)
  const { until, cut } = endOf(root, now, days)
  const made = await makeServer(office, hosts, publicOf(privateKey), { now, until }, signer)
  const fact = factOf(made, { office, use: 'connect', key, dns: hosts }, signer, now)
  return { made: issuedOf(made, fact, privateKey, root, cut), changes: [indexChange(authority, [...(fresh?.facts ?? []), fact]), ...(fresh?.changes ?? [])] }
}

function outsideText(host: string, permitted: readonly string[]): string {
  return `${host} is outside of what the connect root may sign (${permitted.join(', ')}); ` +
    'if it is one of the configuration\'s names, make a new connect root with tidegate office root --new --connect'
}

function publicOf(key: KeyObject | undefined): KeyObject {
  if (key === undefined) throw new OfficeFault('a key is missing')
  return createPublicKey(key)
}

/** No certificate outlives the root that signed it. */
function endOf({ certificate }: RootFile, now: number, days: number): { until: number; cut: boolean } {
  const wanted = now + days * DAY_MS
  const last = certificate.validToDate.getTime()
  return { until: Math.min(wanted, last), cut: last < wanted }
}

function factOf({ certificate }: Made, facts: Pick<IssuedFact, 'office' | 'user' | 'use' | 'key' | 'dns'>, signer: RootSigner, now: number): IssuedFact {
  return {
    fact: 'issued', at: new Date(now).toISOString(), ...facts, serial: certificate.serialNumber,
    from: certificate.validFromDate.toISOString(), until: certificate.validToDate.toISOString(),
    ...thumbprints(certificate), root: thumbprints(signer.certificate).sha256,
  }
}

function issuedOf(made: Made, fact: IssuedFact, key: KeyObject | undefined, root: RootFile, cut: boolean): Issued {
  return { fact, certificate: made.pem, key: key === undefined ? undefined : sealKey(key, undefined), root: root.pem, revoked: [], cut }
}

function outputs(holder: Holder, { certificate, key }: Issued, out: string | undefined): Change[] {
  if (out === undefined) return []
  const path = join(resolve(out), fileName(holder))
  return [...(key === undefined ? [] : [{ path: `${path}.key`, contents: key, mode: 0o600 }]), { path: `${path}.pem`, contents: certificate }]
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const HOST = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`, 'i')

function checkNames(names: readonly string[]): void {
  const wrong = names.find((name) => isIP(name) !== 0 || name.length > 253 || !HOST.test(name))
  if (wrong !== undefined) throw new OfficeFault(`${JSON.stringify(wrong.slice(0, 60))} is no DNS name`)
}
