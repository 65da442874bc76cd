// tidegate deny: revokes single tokens, by adding rules to the file of storage.sas.deny. No signature ever comes out of it.
import { dirname, resolve } from 'node:path'
import { rewriteFile, NotWritten } from '../config/append.ts'
import { foundFile, readBounded, systemWords, LARGEST } from '../config/disk.ts'
import type { Fault } from '../config/fault.ts'
import { denyFileIn } from '../config/parse.ts'
import { DENIED_ALLOWED, holdsRule, parseDenied, parseRule, ruleText, signatureDigest, type DeniedTokens, type DenyRule } from '../sas/denied.ts'
import { readQuery } from '../sas/query.ts'
import { isSignature } from '../sas/signature.ts'
import { readArguments } from './arguments.ts'
import { readStandardInput } from './input.ts'
import { helpHint, jsonFindings, say, sayError, sayFindings } from './voice.ts'

const HELP = `usage: tidegate deny --config FILE -
       tidegate deny --config FILE --identifier ACCOUNT/NAME
       tidegate deny --config FILE --delegation-key OID/START

Revokes shared access signatures: adds rules to the file that storage.sas.deny names. A running gateway applies them
within two seconds, and answers the tokens with 403 (sas-denied). It makes the file if it is missing.

  -                             the tokens of URLs on standard input, one on a line
  --identifier ACCOUNT/NAME     all tokens of a stored access policy
  --delegation-key OID/START    all tokens of a user delegation key: its signed object id and its start
  -c, --config FILE             the configuration; only storage.sas.deny of it is used
  --json                        {"file", "added": [...], "present": [...]} on standard output, or {"faults": [...]}
  -h, --help                    this text

A token that was revoked here still works at the storage account itself until it expires. To end that, change the stored
access policy, revoke the user delegation keys, or roll the account's key.

Exit code: 0; 2 for wrong usage, or a file that cannot be read or written. Then nothing was revoked.
`

const OPTIONS = {
  'config': { type: 'string', short: 'c' }, 'identifier': { type: 'string' }, 'delegation-key': { type: 'string' },
  'json': { type: 'boolean', default: false }, 'help': { type: 'boolean', short: 'h', default: false },
} as const
const USAGE = 2
const MODE = 0o640

type Outcome = { readonly file: string; readonly added: readonly string[]; readonly present: readonly string[] }
interface Options { readonly config?: string; readonly identifier?: string; readonly 'delegation-key'?: string; readonly json: boolean; readonly help: boolean }

/** Throws nothing else for what the user has to change. */
class Faults extends Error {
  readonly faults: readonly Fault[]
  constructor(...faults: readonly Fault[]) {
    super('faults')
    this.faults = faults
  }
}

/** Runs `deny` with the arguments after it. Returns the exit code: 0, or 2 where nothing was revoked. */
export async function denyCommand(args: string[]): Promise<number> {
  const read = readArguments('deny', { args, options: OPTIONS, allowPositionals: true })
  if (read === undefined) return USAGE
  const { values, positionals } = read
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const wrong = misuse(values, positionals)
  if (wrong !== undefined) {
    process.stderr.write(sayError(wrong, helpHint('deny')))
    return USAGE
  }
  try {
    tell(await deny(values, positionals), values.json)
    return 0
  } catch (error) {
    if (!(error instanceof Faults)) throw error
    const findings = { faults: error.faults, warnings: [] }
    if (values.json) process.stdout.write(jsonFindings(findings))
    else process.stderr.write(sayFindings(findings, values.config ?? ''))
    return USAGE
  }
}

/** In words what is wrong with the arguments; never an argument's own text, since people paste tokens. */
function misuse(values: Options, positionals: readonly string[]): string | undefined {
  if (values.config === undefined || values.config === '-') return 'deny needs a configuration: --config FILE'
  if (positionals.some((word) => word !== '-')) return 'deny takes tokens from standard input only: tidegate deny --config FILE -'
  const ways = [...positionals, values.identifier, values['delegation-key']].filter((way) => way !== undefined)
  return ways.length === 1 ? undefined : 'deny needs exactly one of -, --identifier and --delegation-key'
}

async function deny(values: Options, positionals: readonly string[]): Promise<Outcome> {
  const { config = '' } = values
  const rules = positionals.length > 0 ? await rulesFromInput() : [ruleOf(values)]
  const file = await denyFile(config)
  const outcome = { file, added: [] as string[], present: [] as string[] }
  try {
    await rewriteFile(file, MODE, (text) => added(text, rules, outcome))
  } catch (error) {
    if (error instanceof Faults) throw error
    throw new Faults({ path: 'storage.sas.deny', found: error instanceof NotWritten ? error.message : foundFile(file, systemWords(error)), allowed: 'a file that can be read and written' })
  }
  return outcome
}

async function denyFile(config: string): Promise<string> {
  const name = resolve(config)
  const read = await readBounded(name)
  if (typeof read === 'string') throw new Faults({ path: config, found: read, allowed: 'a file that can be read' })
  const found = denyFileIn(read.bytes.toString('utf8'), { file: name, directory: dirname(name), environment: process.env })
  if ('faults' in found) throw new Faults(...found.faults)
  return found.file
}

/** The new text of the file; undefined where nothing is added but the file is there. */
function added(text: string | undefined, rules: readonly DenyRule[], outcome: { added: string[]; present: string[] }): string | undefined {
  const known = parseDenied(Buffer.from(text ?? ''))
  // A rule behind a faulty line would never come into force, since the gateway refuses the whole file.
  if (typeof known === 'string') throw new Faults({ path: 'storage.sas.deny', found: known, allowed: DENIED_ALLOWED })
  for (const rule of rules) sort(rule, known, outcome)
  const lines = outcome.added.map((line) => `${line}\n`).join('')
  if (text !== undefined && lines === '') return undefined
  const after = `${text ?? ''}${text === undefined || text === '' || text.endsWith('\n') ? '' : '\n'}${lines}`
  if (Buffer.byteLength(after) > LARGEST) throw new Faults({ path: 'storage.sas.deny', found: `more than ${LARGEST} bytes with these rules`, allowed: 'a smaller file: remove the rules of tokens that have expired' })
  return after
}

function sort(rule: DenyRule, known: DeniedTokens, outcome: { added: string[]; present: string[] }): void {
  const line = ruleText(rule)
  const into = holdsRule(known, rule) ? outcome.present : outcome.added
  if (!into.includes(line)) into.push(line)
}

function ruleOf({ identifier, 'delegation-key': delegationKey }: Options): DenyRule {
  const [word, option, text = ''] = identifier === undefined ? ['udk', '--delegation-key', delegationKey] as const : ['si', '--identifier', identifier] as const
  const slash = text.indexOf('/')
  const line = `${word} ${text.slice(0, slash)} ${text.slice(slash + 1)}`
  const rule = slash < 1 || text.slice(slash + 1).trim() !== text.slice(slash + 1) ? undefined : parseRule(line)
  // What the file would read back is what is revoked: a name that a comment would cut is none.
  if (rule === undefined || ruleText(rule) !== line || typeof parseDenied(Buffer.from(line)) === 'string' || !holdsRule(parseDenied(Buffer.from(line)) as DeniedTokens, rule)) {
    throw new Faults({ path: option, found: 'something else', allowed: identifier === undefined ? 'OID/START, such as 11111111-2222-3333-4444-555555555555/2026-11-24T06:00:00Z' : 'ACCOUNT/NAME; a name with control characters or " #" can only be revoked token by token' })
  }
  return rule
}

async function rulesFromInput(): Promise<DenyRule[]> {
  const lines = (await readStandardInput()).split('\n').map((line) => line.trim())
  const rules = lines.flatMap((line, index) => (line === '' ? [] : [ruleFor(line, index + 1)]))
  if (rules.length === 0) throw new Faults({ path: 'standard input', found: 'no URL', allowed: 'URLs with a shared access signature, one on a line' })
  return rules
}

/** By its line, never by its text. */
function ruleFor(line: string, number: number): DenyRule {
  const sig = signatureIn(line)
  if (sig === undefined) throw new Faults({ path: `standard input, line ${number}`, found: 'no shared access signature', allowed: 'a URL with one' })
  return { kind: 'sig', digest: signatureDigest(sig) }
}

function signatureIn(line: string): string | undefined {
  try {
    const { values: { sig = '' } } = readQuery(line.replace(/^[^?]*\?/, '').replace(/#.*$/, ''))
    return isSignature(sig) ? sig : undefined
  } catch {
    return undefined
  }
}

function tell(outcome: Outcome, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(outcome)}\n`)
    return
  }
  const { file, added: lines, present } = outcome
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
  process.stderr.write(say(
    `${lines.length} added to ${file}${present.length === 0 ? '' : `, ${present.length} there already`}`,
    ...(lines.length === 0 ? [] : ['hint: a running gateway applies it within two seconds; tidegate_config_last_reload_successful says so']),
  ))
}
