// Which root signs, and whether it still may.
import type { Signer } from './certificates.ts'
import type { Authority, RootFile } from './folder.ts'
import { OfficeFault } from './fault.ts'
import { isSealed, openKey } from './private-key.ts'

export interface RootSigner extends Signer {
  readonly file: RootFile
}

/** Tells whether a command that signs needs a passphrase. */
export function isEncrypted({ roots, connectRoot }: Authority): boolean {
  return [...roots, connectRoot].some((root) => root?.key !== undefined && isSealed(root.key))
}

/** Returns a root with its key. Throws an OfficeFault for a wrong passphrase and for a key that is not the root's. */
export function openRoot(file: RootFile, passphrase: Buffer | undefined): RootSigner {
  if (file.key === undefined) throw new OfficeFault(`${file.name} was imported: its key is not here`)
  const key = openKey(file.key, passphrase, `${file.name}.key`)
  if (!file.certificate.checkPrivateKey(key)) throw new OfficeFault(`${file.name}.key does not fit ${file.name}.pem`)
  return { file, certificate: file.certificate, key }
}

/** Returns every root that was made here, with its key; the newest is the last. */
export function openRoots({ roots }: Authority, passphrase: Buffer | undefined): RootSigner[] {
  return roots.filter(({ key }) => key !== undefined).map((root) => openRoot(root, passphrase))
}

/** Returns the root that signs new certificates: the newest that was made here. Throws an OfficeFault where none can. */
export function currentRoot(authority: Authority): RootFile {
  const root = authority.roots.findLast(({ key }) => key !== undefined)
  if (root === undefined) throw new OfficeFault('the authority has only imported roots, and cannot sign anything')
  return root
}

/** Throws an OfficeFault for a root that has expired. `now` is in ms since the epoch. */
export function checkRootTime({ name, certificate }: RootFile, now: number): void {
  const until = certificate.validToDate
  if (until.getTime() <= now) {
    const remedy = name === 'connect-root' ? 'office root --new --connect' : 'office root --new'
    throw new OfficeFault(`${name} expired at ${until.toISOString()}; make a new one with tidegate ${remedy}`)
  }
}
