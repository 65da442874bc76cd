// tidegate serve: runs the gateway until a signal ends it.
import { ConfigFaults, loadConfig, type Loaded } from '../config/load.ts'
import { serve } from '../process/serve.ts'
import { readArguments } from './arguments.ts'
import { helpHint, jsonFindings, sayError, sayFindings } from './voice.ts'

const HELP = `usage: tidegate serve --config FILE [--json]

Runs the gateway. Writes JSON lines to standard output; when every listener is bound, one with "msg":"listening".

  -c, --config FILE   the configuration
  --json              faults as JSON on standard output: {"faults": [...], "warnings": [...]}
  -h, --help          this text

SIGTERM and SIGINT drain; a second one ends at once.
Exit code: 0 after a clean stop; 2 for faults in the configuration, before any port is bound; 1 for anything else.
`

const OPTIONS = { config: { type: 'string', short: 'c' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } as const

/** Given the arguments after `serve`, returns an exit code for what ends at once; undefined while the gateway runs. */
export async function serveCommand(args: string[]): Promise<number | undefined> {
  const options = readArguments('serve', { args, options: OPTIONS })?.values
  if (options === undefined) return 2
  if (options.help) {
    process.stdout.write(HELP)
    return 0
  }
  if (options.config === undefined || options.config === '-') {
    process.stderr.write(sayError('serve needs the name of a configuration file', 'tidegate serve --config FILE', helpHint('serve')))
    return 2
  }
  const loaded = await load(options.config, options.json)
  return loaded === undefined ? 2 : run(loaded)
}

async function load(file: string, json: boolean): Promise<Loaded | undefined> {
  try {
    return await loadConfig(file, { environment: process.env, now: Date.now(), serves: true })
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error
    if (json) process.stdout.write(jsonFindings(error))
    else process.stderr.write(sayFindings(error, file))
    return undefined
  }
}

async function run(loaded: Loaded): Promise<number | undefined> {
  try {
    await serve(loaded)
    return undefined
  } catch (error) {
    process.stderr.write(sayError(startFault(error)))
    return process.exit(1)
  }
}

/** What kept the gateway from starting: a port in use is the usual one. */
function startFault(error: unknown): string {
  return error instanceof Error ? error.message : 'the gateway could not start'
}
