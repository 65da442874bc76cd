// The documents that come with the program: what explain prints, and what the admin listener serves under /docs.
import { readdirSync, readFileSync } from 'node:fs'

/** Beside `src` in a checkout, and beside what was compiled from it in a package. */
const FOLDER = new URL('../../docs/', import.meta.url)
const NAME = /^[a-z0-9][a-z0-9-]*$/i
/** Of the folder itself and of these inside it. */
const FOLDERS = ['', 'clients/', 'decisions/']

/** Returns the Markdown of a document by its name without `.md`, such as `alerts` or `clients/curl`; undefined where there is none. */
export function readDocument(name: string): string | undefined {
  const [, folder = '', file = ''] = /^((?:[a-z]+\/)?)([^/]+)$/i.exec(name) ?? []
  if (!FOLDERS.includes(folder) || !NAME.test(file)) return undefined
  try {
    return readFileSync(new URL(`${folder}${file}.md`, FOLDER), 'utf8')
  } catch {
    return undefined
  }
}

/** Returns the names of all documents. */
export function documentNames(): string[] {
  return FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(new URL(folder, FOLDER)).filter((file) => file.endsWith('.md')).map((file) => `${folder}${file.slice(0, -3)}`)
    } catch {
      return []
    }
  }).toSorted()
}

/** Returns the section of a document under a heading of the second level, without the heading; undefined where there is none. */
export function sectionOf(markdown: string, heading: string): string | undefined {
  const section = markdown.split(/^## /m).slice(1).find((text) => text.slice(0, text.indexOf('\n')).trim() === heading)
  return section?.slice(section.indexOf('\n') + 1).trim()
}
