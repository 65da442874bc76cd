// A short run of scripts/fuzz-sas.ts with a fixed seed; the long one is told in docs/sas.md.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const SCRIPT = join(import.meta.dirname, '../../scripts/fuzz-sas.ts')
const run = promisify(execFile)

void t.test('twenty thousand queries: no error, no wrong verdict, every outcome', async (test) => {
  const { stdout } = await run(process.execPath, [SCRIPT, '20000', '3'])
  const report = JSON.parse(stdout) as { queries: number; outcomes: Record<string, number> }
  test.equal(report.queries, 20_000)
  test.equal(Object.values(report.outcomes).reduce((sum, count) => sum + count, 0), 20_000)
  for (const outcome of ['no SAS', 'tightened', 'unchanged', 'passed-unverified', 'sas-duplicate', 'sas-expired', 'sas-malformed', 'sas-mixed', 'sas-no-key', 'sas-protocol-value', 'sas-resource', 'sas-signature', 'sas-source-ip', 'sas-version']) {
    test.ok((report.outcomes[outcome] ?? 0) > 0, outcome)
  }
})
