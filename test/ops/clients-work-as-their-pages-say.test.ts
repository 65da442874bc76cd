// The client programs of docs/clients/, as real programs through a real gateway: each page that has something to run.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { checkout } from '../support/checkout.ts'
import { DOCS, follow, NAMES, pageOf } from '../support/follow.ts'
import { missingTerminal, openTerminal } from '../support/terminal.ts'

const PAGES = globSync('clients/*.md', { cwd: DOCS }).toSorted().filter((path) => path !== 'clients/README.md')

// Go compiles its standard library first: half a minute on two idle cores.
t.setTimeout(600_000)

/** Programs that a page names as needed, and how to ask for them where the name alone is no program. */
const ASK: Readonly<Record<string, readonly string[]>> = {
  'python3-azure-storage': ['/usr/bin/python3', '-c', 'import azure.storage.blob'],
  'golang-github-azure-azure-storage-blob-go-dev': ['sh', '-c', 'command -v go && test -d /usr/share/gocode/src/github.com/Azure/azure-storage-blob-go'],
  'azcopy-linux': ['test', '-f', join(DOCS, '../node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64')],
}

function missing(needs: readonly string[]): string | undefined {
  return needs.find((name) => {
    const [command = '', ...args] = ASK[name] ?? ['sh', '-c', `command -v ${name}`]
    return spawnSync(command, args).status !== 0
  })
}

void t.test('docs/clients', { skip: missingTerminal ?? false }, async (test) => {
  const terminal = await openTerminal(test, checkout(test), NAMES)
  const { blocks: overview } = pageOf('clients/README.md')
  await follow(test, terminal, overview)
  // What each terminal needs is said last.
  const setup = overview.at(-1)?.text
  for (const path of PAGES) {
    const { needs, blocks } = pageOf(path)
    const lacks = missing(needs)
    if (blocks.length > 0) await test.test(basename(path), { skip: lacks !== undefined && `${lacks} is missing` }, (inner) => follow(inner, terminal, blocks, setup))
  }
})
