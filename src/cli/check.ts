// tidegate check: everything that serve does with a configuration before it binds a port.
import { ConfigFaults } from '../config/load.ts'
import { readArguments } from './arguments.ts'
import { loadGiven, shownFile } from './given.ts'
import { helpHint, jsonFindings, sayError, sayFindings, type Findings } from './voice.ts'

const HELP = `usage: tidegate check --config FILE [--json]

Reads a configuration and every file that it names, and checks that they fit.

  -c, --config FILE   the configuration, or - for standard input; relative paths are then relative to the working directory
  --json              findings as JSON on standard output: {"faults": [...], "warnings": [...]}
  -h, --help          this text

Exit code: 0 in order, perhaps with warnings; 2 with faults, all of them listed.
`

const OPTIONS = { config: { type: 'string', short: 'c' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } as const

/** Given the arguments after `check`, returns the exit code: 0, or 2 for faults and for wrong usage. */
export async function checkCommand(args: string[]): Promise<number> {
  const options = readArguments('check', { args, options: OPTIONS })?.values
  if (options === undefined) return 2
  if (options.help) {
    process.stdout.write(HELP)
    return 0
  }
  if (options.config === undefined) {
    process.stderr.write(sayError('check needs a configuration', 'tidegate check --config FILE', helpHint('check')))
    return 2
  }
  const findings = await findIn(options.config)
  if (options.json) process.stdout.write(jsonFindings(findings))
  else process.stderr.write(sayFindings(findings, shownFile(options.config)))
  return findings.faults.length === 0 ? 0 : 2
}

async function findIn(file: string): Promise<Findings> {
  try {
    const { warnings } = await loadGiven(file, Date.now(), true)
    return { faults: [], warnings }
  } catch (error) {
    if (error instanceof ConfigFaults) return error
    throw error
  }
}
