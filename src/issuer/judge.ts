// Judges certificates as the gateway would, and beyond: IKE does not look at the extended key usage (network.md 3).
import { X509Certificate } from 'node:crypto'
import { peerIdentity } from '../tls/peer.ts'
import { weakKey, weakSignature } from '../tls/credential.ts'
import type { Authority, RootFile } from './folder.ts'
import { readLists, serialsOf, isListOf, type ReadList } from './lists.ts'
import { officeIn } from './names.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
/** How long before its end a root is a finding: 30 days. */
const ROOT_NOTICE_MS = 30 * 86_400_000
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

export interface Verdict {
  /** Undefined where no URI names an office. */
  readonly office: string | undefined
  readonly serial: string
  readonly until: string
  /** One sentence each; empty for a certificate in order. */
  readonly findings: readonly string[]
}

/** Returns the certificates of a PEM text; undefined where there is none, or one cannot be read. */
export function readCertificates(text: string): X509Certificate[] | undefined {
  try {
    const blocks = text.match(CERTIFICATE) ?? []
    return blocks.length === 0 ? undefined : blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

/** Judges the first certificate of a chain. Without an authority, issuer and revocation are not judged. `now`: ms since the epoch. */
export async function judge(chain: readonly X509Certificate[], authority: Authority | undefined, now: number): Promise<Verdict | undefined> {
  const [leaf] = chain
  if (leaf === undefined) return undefined
  const office = officeIn(urisOf(leaf))
  const root = authority === undefined ? undefined : rootOf(chain, authority.roots)
  const trust = authority === undefined ? [] : root === undefined ? ['no root of the authority signed it'] : await trustFindings(leaf, root, authority, now)
  const findings = [...trust, ...timeFindings(leaf, now), ...ownFindings(leaf), ...(office === undefined ? ['no URI urn:tidegate:office:NAME'] : [])]
  return { office, serial: leaf.serialNumber, until: leaf.validToDate.toISOString(), findings }
}

const urisOf = (leaf: X509Certificate): string[] => peerIdentity(leaf).names.filter((name) => name.startsWith('URI:')).map((name) => name.slice(4))

/** The root that the chain leads to, by way of the certificates that stand beside the leaf. */
function rootOf(chain: readonly X509Certificate[], roots: readonly RootFile[]): RootFile | undefined {
  for (const [index, certificate] of chain.entries()) {
    const root = roots.find(({ certificate: own }) => certificate.checkIssued(own) && certificate.verify(own.publicKey))
    if (root !== undefined) return root
    const next = chain[index + 1]
    if (next === undefined || !certificate.checkIssued(next) || !certificate.verify(next.publicKey)) return undefined
  }
  return undefined
}

async function trustFindings(leaf: X509Certificate, root: RootFile, authority: Authority, now: number): Promise<string[]> {
  const expired = root.certificate.validToDate.getTime() <= now ? [`${root.name} has expired`] : []
  const list = await listOf(authority, root)
  if (list === undefined) return [...expired, `crl.pem has no list of ${root.name}`]
  const past = (list.list.nextUpdate?.getTime() ?? Infinity) <= now ? [`the revocation list of ${root.name} ended at ${list.list.nextUpdate?.toISOString() ?? ''}`] : []
  const revoked = serialsOf(list).some((serial) => BigInt(`0x${serial}`) === BigInt(`0x${leaf.serialNumber}`)) ? ['it is revoked'] : []
  return [...expired, ...past, ...revoked]
}

async function listOf({ lists }: Authority, { certificate }: RootFile): Promise<ReadList | undefined> {
  for (const list of readLists(lists) ?? []) if (await isListOf(list, certificate)) return list
  return undefined
}

function timeFindings({ validFromDate, validToDate }: X509Certificate, now: number): string[] {
  if (validToDate.getTime() <= now) return [`it expired at ${validToDate.toISOString()}`]
  return validFromDate.getTime() > now ? [`it is not valid before ${validFromDate.toISOString()}`] : []
}

function ownFindings(leaf: X509Certificate): string[] {
  const usages: readonly string[] = leaf.keyUsage ?? []
  const weak = [weakKey(leaf), weakSignature(leaf)].filter((found) => found !== undefined)
  return [
    ...(leaf.ca ? ['it is an authority\'s certificate'] : []),
    ...weak.map((found) => `it has or is ${found}`),
    ...(usages.includes(CLIENT_AUTH) ? [] : ['its extended key usage lacks clientAuth']),
    ...usages.filter((usage) => usage !== CLIENT_AUTH).map((usage) => `its extended key usage has ${usage} beside clientAuth`),
  ]
}

/** Judges the authority itself: roots and lists that have ended or are near their end, as the gateway would warn of them. */
export async function judgeAuthority(authority: Authority, now: number): Promise<string[]> {
  const roots = [...authority.roots, ...(authority.connectRoot === undefined ? [] : [authority.connectRoot])]
  const findings = roots.flatMap(({ name, certificate }) => endText(name, certificate.validToDate, now, ROOT_NOTICE_MS))
  for (const root of authority.roots) {
    const list = (await listOf(authority, root))?.list
    const lifetime = (list?.nextUpdate?.getTime() ?? 0) - (list?.thisUpdate.getTime() ?? 0)
    findings.push(...(list === undefined ? [`crl.pem has no list of ${root.name}`] : endText(`the revocation list of ${root.name}`, list.nextUpdate, now, lifetime / 5)))
  }
  return findings
}

function endText(name: string, end: Date | undefined, now: number, notice: number): string[] {
  if (end === undefined || end.getTime() > now + notice) return []
  return [`${name} ${end.getTime() <= now ? 'ended' : 'ends'} at ${end.toISOString()}`]
}
