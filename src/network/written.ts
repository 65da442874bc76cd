// All files that `network write` writes, and the rule that nothing is overwritten but what it wrote itself.
import { createHash } from 'node:crypto'
import { armTemplate } from './arm.ts'
import { azCommands } from './commands.ts'
import type { Ground } from './ground.ts'
import { stepsText } from './steps.ts'
import { siteSwanctl } from './swanctl.ts'

/** The list of what was written, in the folder itself. */
export const LIST = '.written.json'

/** Returns every file by its path in the folder, without the list. */
export function networkFiles(ground: Ground): ReadonlyMap<string, string> {
  const { plan, names } = ground
  return new Map([
    ['azure/network.json', armTemplate(ground)],
    ['azure/commands.sh', azCommands(ground)],
    ...plan.sites.map((site) => [`sites/${site.office}/swanctl.conf`, siteSwanctl(site, plan)] as const),
    ['dns.txt', names.map((name) => `${plan.gate} ${name}\n`).join('')],
    ['STEPS.md', stepsText(ground)],
  ])
}

/** Returns the list as text: each file with its SHA-256. */
export function listText(files: ReadonlyMap<string, string | Buffer>): string {
  return `${JSON.stringify({ files: [...files].map(([name, content]) => ({ name, sha256: digest(content) })) }, null, 2)}\n`
}

/** Returns the files of a list with their SHA-256; undefined where the text is no list. */
export function readList(text: string): ReadonlyMap<string, string> | undefined {
  try {
    const { files } = JSON.parse(text) as { files?: unknown }
    return Array.isArray(files) ? new Map(files.map((file: { name?: unknown; sha256?: unknown }) => [String(file.name), String(file.sha256)])) : undefined
  } catch {
    return undefined
  }
}

/** The administrator writes this one beside a site's file. */
const SECRETS = /^sites\/[^/]+\/secrets\.conf$/

export interface Foreign {
  readonly name: string
  readonly found: 'foreign' | 'changed'
}

/**
 * Returns the files of the folder that keep `network write` from writing: what it did not write, and what was changed since.
 * A file that already is as it would be written is neither.
 */
export function foreignFiles(held: ReadonlyMap<string, Buffer | undefined>, list: ReadonlyMap<string, string>, files: ReadonlyMap<string, string>): Foreign[] {
  return [...held].filter(([name]) => name !== LIST && !SECRETS.test(name)).flatMap(([name, content]): Foreign[] => {
    const now = content === undefined ? undefined : digest(content)
    const next = files.get(name)
    if (now !== undefined && (now === list.get(name) || (next !== undefined && now === digest(next)))) return []
    return [{ name, found: list.has(name) ? 'changed' : 'foreign' }]
  }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')
