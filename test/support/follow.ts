// Follows a page of docs/: what it says to type is typed, and what it says to see is there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { missingLine, readPage, readRun, scriptOf, type Block, type Page } from './page.ts'
import type { Terminal } from './terminal.ts'

export const DOCS = join(import.meta.dirname, '../../docs')

/** `path` is that of a page below docs/. */
export const pageOf = (path: string): Page => readPage(readFileSync(join(DOCS, path), 'utf8'))

/** The names by which the pages reach a gateway on this machine. */
export const NAMES = ['localhost', 'tide.localhost'].flatMap((domain) => [`api.${domain}`, ...['blob', 'dfs', 'file', 'queue', 'table'].map((service) => `tideoffice.${service}.${domain}`)])

/** Runs the blocks, after a script of which nothing is expected, and says of each whether it did what the page says. */
export async function follow(test: Test, terminal: Terminal, blocks: readonly Block[], before = ''): Promise<void> {
  const ran = readRun(await terminal.run(`${before}\n${scriptOf(blocks)}`))
  for (const [at, { line, does, shows }] of blocks.entries()) {
    const { exit, output } = ran[at] ?? { exit: undefined, output: 'it did not come to this' }
    const said = { output: output.split('\n') }
    test.equal(exit, does.kind === 'run' ? does.exit : 0, `line ${line}: the exit code`, said)
    test.equal(missingLine(shows, output), undefined, `line ${line}: what it shows`, said)
  }
}
