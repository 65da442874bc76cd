// tidegate network write: from a plan without fault to files for Azure and the sites.
import { join, resolve } from 'node:path'
import { foundFile, readBounded, systemWords } from '../config/disk.ts'
import { azureAccounts, clientNames } from '../config/network-ground.ts'
import type { Config } from '../config/schema.ts'
import { revokedIn, rootsIn } from '../network/authority.ts'
import type { Ground } from '../network/ground.ts'
import type { PlanFault, WholePlan } from '../network/plan.ts'
import { networkFiles } from '../network/written.ts'
import { writeFolder } from './network-folder.ts'

export interface WriteWish {
  readonly config: Config
  readonly plan: WholePlan
  readonly out: string
  /** The authority's folder. */
  readonly authority: string | undefined
}

/** Returns the names of the files that were written, or the faults for which nothing was. */
export async function writeNetwork({ config, plan, out, authority }: WriteWish): Promise<readonly string[] | { readonly faults: readonly PlanFault[] }> {
  const known = authority === undefined ? await fromConfig(config) : await fromAuthority(authority)
  if ('faults' in known) return known
  const ground: Ground = { plan, accounts: azureAccounts(config), names: clientNames(config), ...known }
  const files = networkFiles(ground)
  const folder = resolve(out)
  try {
    const foreign = await writeFolder(folder, files)
    if (foreign.length === 0) return [...files.keys()]
    return { faults: foreign.map(({ name, found }) => ({ path: join(out, name), found: found === 'changed' ? 'a file that was changed since it was written' : 'a file that network write did not write', allowed: 'an empty folder, or one that holds only what network write wrote' })) }
  } catch (error) {
    return { faults: [{ path: '--out', found: foundFile(out, systemWords(error)), allowed: 'a folder that can be written' }] }
  }
}

type Known = Pick<Ground, 'roots' | 'revoked'>
type Faults = { readonly faults: readonly PlanFault[] }

/** The roots that the gateway trusts are the offices' own; which certificates are revoked only the authority can say by thumbprint. */
async function fromConfig({ tls }: Config): Promise<Known> {
  const ca = tls.clients.ca === undefined ? 'nothing' : await readBounded(tls.clients.ca)
  return { roots: typeof ca === 'string' ? [] : settle(() => rootsIn(ca.bytes.toString('utf8'))) ?? [], revoked: undefined }
}

async function fromAuthority(folder: string): Promise<Known | Faults> {
  const [roots, revoked] = [await partOf(folder, 'ca.pem', rootsIn), await partOf(folder, 'index.jsonl', revokedIn)]
  const faults = [roots, revoked].filter((part) => 'path' in part)
  return 'path' in roots || 'path' in revoked ? { faults } : { roots, revoked }
}

async function partOf(folder: string, name: string, read: (text: string) => string[]): Promise<string[] | PlanFault> {
  const file = resolve(folder, name)
  const held = await readBounded(file)
  const part = typeof held === 'string' ? undefined : settle(() => read(held.bytes.toString('utf8')))
  return part ?? { path: '--authority', found: typeof held === 'string' ? foundFile(file, held) : `${file}, which cannot be read as one`, allowed: 'the folder of an authority that tidegate office init made' }
}

function settle<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
