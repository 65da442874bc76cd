// The passphrase of an authority's keys, asked for before the folder is locked: typing takes longer than others wait.
import { readAuthority } from '../../issuer/folder.ts'
import { isEncrypted } from '../../issuer/signers.ts'
import type { Unlocked } from '../../issuer/revoke.ts'
import { readPassphrase } from './files.ts'

/** Returns the passphrase where the keys are encrypted, and the time. Throws an OfficeFault for a folder that is no authority. */
export async function unlock(directory: string, passphraseFile: string | undefined): Promise<Unlocked> {
  const authority = await readAuthority(directory)
  const passphrase = isEncrypted(authority) || passphraseFile !== undefined ? await readPassphrase(passphraseFile) : undefined
  return { passphrase, now: Date.now() }
}
