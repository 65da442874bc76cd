// A copy of the checkout in which `npm start` runs beside a developer's own.
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

const ROOT = join(import.meta.dirname, '../..')

/** Returns its folder, with its own .dev/ and certs/; gone at the end of the test. */
export function checkout(t: Test): string {
  const folder = t.testdir({ test: { support: {} } })
  for (const name of ['scripts', 'test/support/authority.ts', 'package.json', 'package-lock.json']) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  for (const name of ['src', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name))
  return folder
}
