// tidegate version: what runs.
import { readVersions } from '../admin/status.ts'
import { readArguments } from './arguments.ts'

const HELP = `usage: tidegate version [--json]
       tidegate --version

Prints the versions of Tidegate, Node and OpenSSL, one on a line.

  --json       the same as one JSON object
  -h, --help   this text

Exit code: 0; 2 for wrong usage.
`

const OPTIONS = { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } as const

/** Runs `version` with the arguments after it. Returns the exit code: 0, or 2 for wrong usage. */
export async function versionCommand(args: string[]): Promise<number> {
  const options = readArguments('version', { args, options: OPTIONS })?.values
  if (options === undefined) return Promise.resolve(2)
  const { tidegate, node, openssl } = readVersions()
  if (options.help) process.stdout.write(HELP)
  else if (options.json) process.stdout.write(`${JSON.stringify({ tidegate, node, openssl })}\n`)
  else process.stdout.write(`tidegate ${tidegate}\nnode ${node}\nopenssl ${openssl}\n`)
  return 0
}
