// The voice of the command line.
//
//   - What a command was asked for goes to standard output, everything else to standard error.
//   - Every line of the latter begins with "tidegate: ". No capital at the start, no full stop at the end.
//   - A hint says what to do next, on a line of its own, after what is wrong.
import { nearest, type Fault } from '../config/fault.ts'

const PREFIX = 'tidegate: '

export interface Findings {
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]
}

/** Given lines without prefix, returns the text for standard error. */
export function say(...lines: readonly string[]): string {
  return lines.map((line) => `${PREFIX}${line}\n`).join('')
}

/** Returns the text for one error: what is wrong, then what to do about it. */
export function sayError(error: string, ...hints: readonly string[]): string {
  return say(`error: ${error}`, ...hints.map((hint) => `hint: ${hint}`))
}

/** Given the findings of a configuration and its file, returns them as text for people, the warnings last. */
export function sayFindings({ faults, warnings }: Findings, file: string): string {
  return findingLines(faults, file, '', 'allowed') + findingLines(warnings, file, 'warning: ', 'better') + say(
    faults.length === 0 ? `${file} is in order` : `${count(faults.length, 'fault')} in ${file}`,
    ...(faults.length === 0 ? [] : ['hint: docs/configuration.md lists every key']),
  )
}

/** Returns lines of the form `FILE:LINE:COLUMN: PATH: …`, as editors and compilers have it, so that both can be clicked on. */
function findingLines(faults: readonly Fault[], file: string, kind: string, other: string): string {
  return faults.map(({ path, found, allowed, line, column }) => {
    const place = line === undefined ? '' : `${file}:${line}:${column ?? 1}: `
    // Of the file as a whole, the place says all.
    const about = line !== undefined && /^\/|:\d+:\d+$/.test(path) ? '' : `${path}: `
    return `${place === '' ? 'tidegate: error: ' : place}${about}${kind}${SAID.test(found) ? '' : 'found '}${found}; ${other}: ${allowed}\n`
  }).join('')
}

/** Whole phrases, which `found` in front of them would spoil. */
const SAID = /^(?:does not exist|permission denied|operation not permitted)|: (?:is|has) /

const plain = ({ path, found, allowed, line, column }: Fault): Fault => ({ path, found, allowed, ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) })

/** The same for programs, one line. */
export function jsonFindings({ faults, warnings }: Findings): string {
  return `${JSON.stringify({ faults: faults.map(plain), warnings: warnings.map(plain) })}\n`
}

/**
 * Returns the text for an error of node:util parseArgs about a command with these options; undefined for any other error. An
 * argument that does not belong there is not repeated: it may be a token that was pasted.
 */
export function sayUsage(error: unknown, command: string, options: readonly string[] = []): string | undefined {
  if (!(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))) return undefined
  if (error.code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return sayError('an argument that the command does not take', helpHint(command))
  const sentence = error.message.split(/\.(?:\s|$)/)[0] ?? ''
  const [, unknown] = /^Unknown option '--([^'=]+)'/.exec(sentence) ?? []
  const meant = unknown === undefined ? undefined : nearest(unknown, options)
  return sayError(sentence.charAt(0).toLowerCase() + sentence.slice(1), ...(meant === undefined ? [] : [`did you mean --${meant}?`]), helpHint(command))
}

/** Returns the text for an option that was given twice. */
export function sayTwice(option: string, command: string): string {
  return sayError(`--${option} is given twice`, helpHint(command))
}

export const helpHint = (command: string): string => `tidegate ${command} --help shows how it is used`

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
