// The connect root: it signs the server certificates that `connect` shows to the tools of an office.
import { join } from 'node:path'
import { X509Certificate as Parsed } from '@peculiar/x509'
import { makeConnectRoot, makeKey, thumbprints } from './certificates.ts'
import type { Change } from './commit.ts'
import { permittedNames, readPermitted, type OwnNames } from './constraints.ts'
import { OfficeFault } from './fault.ts'
import { changeAuthority, save, type Authority, type RootFile } from './folder.ts'
import { indexChange, type Unlocked } from './revoke.ts'
import type { RootFact } from './record.ts'
import { sealKey } from './private-key.ts'
import { isEncrypted, openRoots } from './signers.ts'

const YEAR_MS = 365.25 * 86_400_000
const YEARS = 10
const NAME_CONSTRAINTS = '2.5.29.30'

/** Replaces the connect root. Returns it; programs that trust the old one do not trust what the new one signs. */
export function replaceConnectRoot(directory: string, own: OwnNames, unlocked: Unlocked): Promise<RootFile> {
  return changeAuthority(directory, async (authority) => {
    const { root, facts, changes } = await connectRootChanges(authority, own, unlocked)
    save(authority, [indexChange(authority, facts), ...changes])
    return root
  })
}

/** Returns a new connect root for the names of a configuration, and the changes that put it into the folder. */
export async function connectRootChanges(authority: Authority, own: OwnNames, { passphrase, now }: Unlocked): Promise<{ root: RootFile; facts: RootFact[]; changes: Change[] }> {
  const names = permittedNames(own)
  if (names.length === 0) throw new OfficeFault('the configuration has neither storage nor APIs: there is nothing that a connect root could be for')
  // All keys have one passphrase: the one that opens the roots.
  openRoots(authority, passphrase)
  const key = makeKey('rsa2048')
  const made = await makeConnectRoot('Tidegate connect', key, { now, until: now + YEARS * YEAR_MS }, names)
  const sealed = sealKey(key, isEncrypted(authority) ? passphrase : undefined)
  const root: RootFile = { name: 'connect-root', certificate: made.certificate, pem: made.pem, key: sealed }
  const fact: RootFact = { fact: 'root-added', at: new Date(now).toISOString(), name: root.name, sha256: thumbprints(made.certificate).sha256 }
  return {
    root, facts: [fact],
    changes: [
      { path: join(authority.folder, 'connect-root.key'), contents: sealed, mode: 0o600 },
      { path: join(authority.folder, 'connect-root.pem'), contents: made.pem },
    ],
  }
}

/** Returns the DNS names that a connect root is limited to. */
export function permittedBy({ certificate }: RootFile): string[] {
  const extension = new Parsed(certificate.raw).getExtension(NAME_CONSTRAINTS)
  return extension === null ? [] : readPermitted(Buffer.from(extension.value))
}
