// What the subcommands of `tidegate office` share: reading arguments, telling faults, the passphrase.
import type { ParseArgsConfig } from 'node:util'
import { OfficeFault } from '../../issuer/fault.ts'
import { helpHint, sayError } from '../voice.ts'
import { readArguments } from '../arguments.ts'

export const TEXT = { type: 'string' } as const
export const FLAG = { type: 'boolean', default: false } as const
/** `-h` is short for `--help` everywhere. */
export const COMMON = { authority: TEXT, json: FLAG, help: { ...FLAG, short: 'h' } } as const
/** For what needs a root's key. */
export const WITH_KEY = { ...COMMON, 'passphrase-file': TEXT } as const

/** Thrown for wrong usage; told with a hint. */
export class Usage extends OfficeFault {}

type Options = NonNullable<ParseArgsConfig['options']>
type Read<T extends Options> = NonNullable<ReturnType<typeof readArguments<{ args: string[]; options: T; allowPositionals: true; tokens: true }>>>

interface Subcommand<T extends Options> {
  /** As people write it: `office init`. */
  readonly name: string
  readonly help: string
  readonly options: T
}

/** Reads the arguments and does the work. Returns the exit code: 0, what the work returns, 2 for wrong usage and faults, 1 for anything else. */
export async function runOffice<T extends Options>(
  { name, help, options }: Subcommand<T>, args: string[], work: (values: Read<T>['values'], positionals: string[]) => Promise<number | void>,
): Promise<number> {
  const read = readArguments(name, { args, options, allowPositionals: true, tokens: true } as const)
  if (read === undefined) return 2
  if ((read.values as { help?: boolean }).help === true) {
    process.stdout.write(help)
    return 0
  }
  try {
    refuseTwice(read.tokens, options)
    return await work(read.values, read.positionals) ?? 0
  } catch (error) {
    return tell(error, name)
  }
}

interface Token { readonly kind: string; readonly name?: string }

/** An option that takes one value and is given twice is wrong usage (contract section 2). */
function refuseTwice(tokens: readonly Token[], options: Options): void {
  const names = tokens.flatMap(({ kind, name }) => (kind === 'option' && name !== undefined ? [name] : []))
  const twice = names.find((each, index) => names.indexOf(each) < index && options[each]?.multiple !== true && options[each]?.type === 'string')
  if (twice !== undefined) throw new Usage(`--${twice} is given twice`)
}

function tell(error: unknown, name: string): number {
  if (error instanceof OfficeFault) {
    process.stderr.write(sayError(error.message, ...(error instanceof Usage ? [helpHint(name)] : [])))
    return 2
  }
  process.stderr.write(sayError(systemText(error)))
  return 1
}

/** The system's own words; those of a library could hold anything. */
function systemText(error: unknown): string {
  if (error instanceof Error && 'code' in error && 'syscall' in error) {
    return `${String(error.code)}: ${'path' in error ? String(error.path) : String(error.syscall)}; nothing was changed`
  }
  return `unexpected: ${error instanceof Error ? `${error.name}: ${error.message}` : 'an unknown error'}`
}

/** Throws Usage unless exactly one argument beside the options is there. Returns it. */
export function onlyName(positionals: readonly string[], what: string): string {
  const [name] = positionals
  if (name === undefined || positionals.length > 1) throw new Usage(`${name === undefined ? 'missing' : 'too many arguments'}: ${what}`)
  return name
}

/** Throws Usage where a needed option is missing. Returns its value. */
export function needed(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new Usage(`${option} is needed`)
  return value
}

/** Returns a whole number within bounds, or the default where the option is missing. Throws Usage. */
export function wholeNumber(value: string | undefined, option: string, [least, most, otherwise]: readonly [number, number, number]): number {
  if (value === undefined) return otherwise
  const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN
  if (!(number >= least && number <= most)) throw new Usage(`${option} takes a whole number from ${least} to ${most}`)
  return number
}

/** Returns a value that is one of the choices, or the first one where the option is missing. Throws Usage. */
export function oneOf<T extends string>(value: string | undefined, option: string, choices: readonly [T, ...T[]]): T {
  if (value === undefined) return choices[0]
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new Usage(`${option} takes ${choices.join(', ')}`)
  return found
}

/** Writes JSON on a line, or lines of text, to standard output. */
export function print(json: boolean, value: object, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : lines.map((line) => `${line}\n`).join(''))
}
