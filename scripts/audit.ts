// `npm run audit`: asks the registry for known faults of the packages that run in production. Fails where there are any; where
// the registry does not answer such questions, or none is reached, it says so and passes: no network is no fault of the code.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

interface Vulnerability {
  readonly name: string
  readonly severity: string
  readonly range: string
}

/** What `npm audit --json` prints (report version 2), or its error. */
interface AuditOutput {
  readonly vulnerabilities?: Readonly<Record<string, Vulnerability>>
  readonly message?: string
  readonly error?: { readonly summary?: string }
}

export interface AuditVerdict {
  readonly passed: boolean
  readonly lines: readonly string[]
}

/** Given the standard output of `npm audit --json`, returns whether that passes, and what is to be said. */
export function judgeAudit(output: string): AuditVerdict {
  const { vulnerabilities, message, error } = parse(output)
  if (vulnerabilities === undefined) return { passed: true, lines: [`the registry gave no audit: ${message ?? error?.summary ?? 'no answer'}`] }
  const lines = Object.values(vulnerabilities).map(({ name, severity, range }) => `${severity}: ${name} ${range}`)
  return lines.length === 0 ? { passed: true, lines: ['no known faults in what runs in production'] } : { passed: false, lines }
}

function parse(output: string): AuditOutput {
  try {
    return JSON.parse(output) as AuditOutput
  } catch {
    return {}
  }
}

if (import.meta.main) {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json', '--fetch-retries=0'], { cwd: ROOT, encoding: 'utf8', timeout: 60_000 })
  const { passed, lines } = judgeAudit(stdout ?? '')
  process.stdout.write(`${lines.map((line) => `audit: ${line}`).join('\n')}\n`)
  process.exitCode = passed ? 0 : 1
}
