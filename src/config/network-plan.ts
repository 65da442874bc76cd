// From the configuration to the network plan that the room `network` judges and writes.
import type { Plan, Site } from '../network/plan.ts'
import { foundFile, type FileRead } from './disk.ts'
import type { Config } from './schema.ts'

/** Reads a file by its absolute path; in words why it cannot be read. */
export type ReadKey = (file: string) => Promise<FileRead | string>

/** Returns the plan of a configuration, with the shared keys that its sites name; undefined where it has no `network`. */
export async function planOf(config: Config, readKey: ReadKey): Promise<Plan | undefined> {
  const { network, storage } = config
  if (network === undefined) return undefined
  const { egress, audit: _, ...rest } = network
  const offices = officesOf(config)
  return {
    ...rest,
    egress: egress ?? (storage?.sas.egress === undefined ? [] : [storage.sas.egress]),
    sites: await Promise.all(offices.flatMap(({ name, site }, index) => site === undefined ? [] : [siteOf(name, site, `offices[${index}].site`, readKey)])),
    withoutSite: offices.filter(({ site }) => site === undefined).map(({ name }) => name),
  }
}

interface SiteConfig {
  readonly address: string
  readonly networks: readonly string[]
  readonly key: string
}

interface OfficeConfig {
  readonly name: string
  readonly site?: SiteConfig | undefined
}

function officesOf({ offices }: Config): readonly OfficeConfig[] {
  return Array.isArray(offices) ? offices as readonly OfficeConfig[] : []
}

async function siteOf(office: string, { address, networks, key }: SiteConfig, path: string, readKey: ReadKey): Promise<Site> {
  const read = await readKey(key)
  return { path, office, address, networks, key: typeof read === 'string' ? { fault: foundFile(key, read) } : { text: read.bytes.toString('utf8').replace(/\r?\n$/, '') } }
}
