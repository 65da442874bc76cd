// tidegate network: judges the network plan of a configuration, and writes files for Azure and the sites.
import { readBounded } from '../config/disk.ts'
import { readForm } from '../config/form.ts'
import { planOf } from '../config/network-plan.ts'
import type { Config } from '../config/schema.ts'
import { planFaults, planWarnings } from '../network/check.ts'
import { isWhole, type Plan, type PlanFault } from '../network/plan.ts'
import { readArguments } from './arguments.ts'
import { readStandardInput } from './input.ts'
import { writeNetwork } from './network-write.ts'
import { helpHint, jsonFindings, say, sayError, sayFindings, type Findings } from './voice.ts'

export const HELP = `usage: tidegate network check --config FILE [--json]
       tidegate network write --config FILE --out DIR [--authority DIR]

check reports every fault of the network plan: overlaps, subnets, the IPsec policy, shared keys, the size.
write does the same, and then writes files for Azure and for each office's VPN device. It changes nothing in Azure.

  --config, -c FILE   the configuration; for check, - reads it from standard input
  --json              findings as JSON on standard output: {"faults": [...], "warnings": [...]}
  --out DIR           an empty folder, or one that holds only what this command wrote
  --authority DIR     the folder of tidegate office: its roots and revoked certificates go into the files
  --help, -h          this text

Exit code: 0; 2 with every fault, for wrong usage, or for a folder that holds anything else. Then nothing is written.
`

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  out: { type: 'string' },
  authority: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const USAGE = 2

/** Given the arguments after `network`, returns the exit code: 0, or 2 for faults and for wrong usage. */
export async function networkCommand(args: string[]): Promise<number> {
  const read = readArguments('network', { args, options: OPTIONS, allowPositionals: true })
  if (read === undefined) return USAGE
  const { values, positionals: [verb, ...rest] } = read
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  if ((verb !== 'check' && verb !== 'write') || rest.length > 0) return wrong('network needs one of check and write')
  if (values.config === undefined) return wrong(`network ${verb} needs a configuration`, `tidegate network ${verb} --config FILE`)
  if (verb === 'check' && (values.out ?? values.authority) !== undefined) return wrong('network check writes nothing: --out and --authority belong to network write')
  if (verb === 'check') return check(values.config, values.json)
  if (values.config === '-') return wrong('network write does not read standard input: the files that it writes belong to a configuration that stays')
  return values.out === undefined ? wrong('network write needs a folder', 'tidegate network write --config FILE --out DIR') : write(values.config, { ...values, out: values.out })
}

function wrong(what: string, ...hints: string[]): number {
  process.stderr.write(sayError(what, ...hints, helpHint('network')))
  return USAGE
}

interface Judged extends Findings {
  readonly config?: Config
  readonly plan?: Plan
}

async function check(file: string, json: boolean): Promise<number> {
  const judged = await judge(file)
  if (json) process.stdout.write(jsonFindings(judged))
  else process.stderr.write(sayFindings(judged, file))
  return judged.faults.length === 0 ? 0 : USAGE
}

interface WriteOptions {
  readonly out: string
  readonly authority?: string | undefined
  readonly json: boolean
}

async function write(file: string, { out, authority, json }: WriteOptions): Promise<number> {
  const { faults, warnings, config, plan } = await judge(file)
  const written = faults.length > 0 || config === undefined || plan === undefined || !isWhole(plan) ? { faults } : await writeNetwork({ config, plan, out, authority })
  const outcome = 'faults' in written ? written.faults : []
  if (json) process.stdout.write(jsonFindings({ faults: outcome, warnings }))
  else if (faults.length > 0) process.stderr.write(sayFindings({ faults, warnings }, file))
  else if ('faults' in written) process.stderr.write(outcome.map(({ path, found, allowed }) => sayError(`${path}: found ${found}; allowed: ${allowed}`)).join('') + say('nothing was written'))
  else process.stderr.write(say(...warnings.map(({ path, found, allowed }) => `warning: ${path}: found ${found}; better: ${allowed}`), ...written.map((name) => `wrote ${name}`), 'STEPS.md in that folder says what to do with each'))
  return outcome.length === 0 ? 0 : USAGE
}

const NO_PLAN: PlanFault = { path: 'network', found: 'nothing', allowed: 'a network plan: docs/network.md' }

/** The form of the whole file first: a plan in a file that cannot be read is none. */
async function judge(file: string): Promise<Judged> {
  const parsed = await readForm(file, { environment: process.env, standardInput: readStandardInput })
  if (parsed.faults !== undefined) return { faults: parsed.faults, warnings: [] }
  const plan = await planOf(parsed.config, readBounded)
  if (plan === undefined) return { faults: [NO_PLAN], warnings: [] }
  return { faults: planFaults(plan), warnings: planWarnings(plan), config: parsed.config, plan }
}
