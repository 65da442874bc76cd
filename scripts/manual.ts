// Prints the manual page tidegate(1) on standard output: `node scripts/manual.ts | man -l -`. Packages hold it as tidegate.1.
import { readVersions } from '../src/admin/status.ts'
import { everyHelp } from '../src/cli/help.ts'
import { manualPage } from '../src/cli/manual.ts'

/** Returns the page for this checkout. */
export async function manualText(): Promise<string> {
  return manualPage(await everyHelp(), readVersions().tidegate)
}

if (import.meta.main) process.stdout.write(await manualText())
