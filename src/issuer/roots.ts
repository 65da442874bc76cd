// Roots of an authority: the first one, another one while one is replaced, roots of others, and their end.
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { weakPublicKey } from '../tls/credential.ts'
import { makeKey, makeRoot, thumbprints } from './certificates.ts'
import type { Change } from './commit.ts'
import { OfficeFault } from './fault.ts'
import { changeAuthority, save, startAuthority, type Authority, type RootFile } from './folder.ts'
import { isListOf, readLists, type ReadList } from './lists.ts'
import { sealKey } from './private-key.ts'
import { entriesOf, type RootFact } from './record.ts'
import { indexChange, listChanges, LIST_DAYS, type Unlocked } from './revoke.ts'
import { isEncrypted, openRoot, openRoots } from './signers.ts'

const YEAR_MS = 365.25 * 86_400_000

export interface RootWish extends Unlocked {
  readonly name: string
  readonly key: 'rsa2048' | 'rsa3072'
  readonly years: number
}

/** Makes an authority in a folder that is missing or empty. Returns its root. */
export function init(directory: string, wish: RootWish): Promise<RootFile> {
  return startAuthority(directory, false, (authority) => addRoot(authority, wish, wish.passphrase))
}

/** Adds a root beside the others; from now on it signs. Returns it. */
export function addNewRoot(directory: string, wish: Omit<RootWish, 'name'> & { readonly name: string | undefined }): Promise<RootFile> {
  return changeAuthority(directory, (authority) => {
    const last = authority.roots.findLast(({ key }) => key !== undefined)
    if (last !== undefined) openRoot(last, wish.passphrase)
    const sealed = last === undefined || isEncrypted(authority)
    const name = wish.name ?? (last === undefined ? 'Tidegate offices' : commonName(last.certificate).replace(/ \d+$/, ''))
    return addRoot(authority, { ...wish, name: `${name} ${nextNumber(authority)}` }, sealed ? wish.passphrase : undefined)
  })
}

async function addRoot(authority: Authority, { name, key, years, now, passphrase }: RootWish, sealWith: Buffer | undefined): Promise<RootFile> {
  if (authority.roots.some(({ certificate }) => commonName(certificate) === name)) throw new OfficeFault('another root has this name')
  const privateKey = makeKey(key)
  const made = await makeRoot(name, privateKey, { now, until: now + years * YEAR_MS })
  const file = `root-${nextNumber(authority)}`
  const root: RootFile = { name: file, certificate: made.certificate, pem: made.pem, key: sealKey(privateKey, sealWith) }
  const roots = [...authority.roots, root]
  const signers = [...openRoots(authority, passphrase), { file: root, certificate: root.certificate, key: privateKey }]
  const changes = await listChanges({ ...authority, roots }, [rootFact('root-added', root, now)], signers, { now, days: LIST_DAYS })
  save(authority, [
    { path: join(authority.folder, `${file}.key`), contents: root.key, mode: 0o600 },
    { path: join(authority.folder, `${file}.pem`), contents: root.pem },
    ...changes, trustChange(authority, roots),
  ])
  return root
}

export interface Dropped {
  readonly root: RootFile
  /** Offices whose valid certificates nobody trusts from now on. */
  readonly offices: readonly string[]
}

/** Removes a root from ca.pem, its list from crl.pem, and its key. `sha256` may be a beginning of 8 digits or more. */
export function dropRoot(directory: string, sha256: string, now: number): Promise<Dropped> {
  return changeAuthority(directory, async (authority) => {
    const wanted = sha256.replaceAll(/[:\s]/g, '').toUpperCase()
    const found = authority.roots.filter(({ certificate }) => wanted.length >= 8 && thumbprints(certificate).sha256.startsWith(wanted))
    const [root] = found
    if (root === undefined || found.length > 1) throw new OfficeFault('no root of the authority has this SHA-256: tidegate office root --json lists them')
    const roots = authority.roots.filter((other) => other !== root)
    if (roots.length === 0) throw new OfficeFault(`${root.name} is the only root: add another one first`)
    const lists = await listsWithout(authority, root)
    save(authority, [
      indexChange(authority, [rootFact('root-dropped', root, now)]), trustChange(authority, roots),
      { path: join(authority.folder, 'crl.pem'), contents: lists },
      ...['pem', 'key'].map((end) => ({ path: join(authority.folder, `${root.name}.${end}`), contents: undefined })),
    ])
    const left = entriesOf(authority.facts, now).filter(({ state, root: by }) => state === 'valid' && by === thumbprints(root.certificate).sha256)
    return { root, offices: [...new Set(left.map(({ office }) => office))] }
  })
}

async function listsWithout({ lists }: Authority, { certificate }: RootFile): Promise<string> {
  const kept: string[] = []
  for (const list of readLists(lists) ?? []) if (!await isListOf(list, certificate)) kept.push(list.pem)
  return kept.join('')
}

/** Trusts a root that was made elsewhere, or takes a newer list of one that is trusted already. Returns it. */
export function importRoot(directory: string, rootPem: Buffer, listPem: Buffer, now: number): Promise<RootFile> {
  const certificate = readRoot(rootPem, now)
  return startAuthority(directory, true, async (authority) => {
    const lists = await currentLists(listPem, certificate, now)
    const known = authority.roots.find((root) => root.certificate.raw.equals(certificate.raw))
    if (known?.key !== undefined) throw new OfficeFault(`${known.name} was made here: write its list with tidegate office crl`)
    const root: RootFile = known ?? { name: `root-${nextNumber(authority)}`, certificate, pem: certificate.toString(), key: undefined }
    const roots = known === undefined ? [...authority.roots, root] : authority.roots
    const others = await listsWithout(authority, root)
    save(authority, [
      { path: join(authority.folder, `${root.name}.pem`), contents: root.pem },
      indexChange(authority, [rootFact('root-imported', root, now)]), trustChange(authority, roots),
      { path: join(authority.folder, 'crl.pem'), contents: others + lists.map(({ pem }) => pem).join('') },
    ])
    return root
  })
}

function readRoot(pem: Buffer, now: number): X509Certificate {
  const certificate = parse(pem)
  if (!certificate.ca || !certificate.checkIssued(certificate) || !certificate.verify(certificate.publicKey)) {
    throw new OfficeFault('the certificate to import is no self-signed root')
  }
  if (certificate.validToDate.getTime() <= now) throw new OfficeFault(`the root to import expired at ${certificate.validToDate.toISOString()}`)
  const weak = weakPublicKey(certificate.publicKey)
  if (weak !== undefined) throw new OfficeFault(`the root to import has ${weak}`)
  return certificate
}

function parse(pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new OfficeFault('the file to import holds no certificate that can be read')
  }
}

/** Without a current list the gateway would refuse everyone whom this root knows. */
async function currentLists(pem: Buffer, root: X509Certificate, now: number): Promise<ReadList[]> {
  const lists = readLists(pem.toString('latin1')) ?? []
  const own: ReadList[] = []
  for (const list of lists) if (await isListOf(list, root)) own.push(list)
  if (own.length === 0) throw new OfficeFault('the file given by --crl holds no revocation list that this root signed')
  const ended = own.find(({ list }) => (list.nextUpdate?.getTime() ?? Infinity) <= now)
  if (ended !== undefined) throw new OfficeFault(`the revocation list ended at ${ended.list.nextUpdate?.toISOString() ?? ''}`)
  return own
}

const trustChange = ({ folder }: Authority, roots: readonly RootFile[]): Change => ({ path: join(folder, 'ca.pem'), contents: roots.map(({ pem }) => pem).join('') })

function rootFact(fact: RootFact['fact'], { name, certificate }: RootFile, now: number): RootFact {
  return { fact, at: new Date(now).toISOString(), name, sha256: thumbprints(certificate).sha256 }
}

/** Numbers are never used again: a file name stands for one root in the record. */
function nextNumber({ facts, roots }: Authority): number {
  const names = [...facts.flatMap((fact) => ('name' in fact ? [fact.name] : [])), ...roots.map(({ name }) => name)]
  return 1 + Math.max(0, ...names.map((name) => Number(/^root-(\d+)$/.exec(name)?.[1] ?? 0)))
}

const commonName = ({ subject }: X509Certificate): string => /^CN=(.*)$/m.exec(subject)?.[1] ?? subject
