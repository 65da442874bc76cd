#!/usr/bin/env node
// The command line: picks the command, sets the exit code.
import { enableCompileCache } from 'node:module'
import { nearest } from '../config/fault.ts'
import { COMPILE_CACHE } from '../host/compile-cache.ts'
import { sealMemory } from '../host/seal.ts'
import { COMMANDS, overview } from './commands.ts'
import { sayError } from './voice.ts'

/** What people type at a program that they do not know yet, and the command that answers. */
const ALIASES: ReadonlyMap<string, string> = new Map([['--version', 'version'], ['-V', 'version']])
const HELP = new Set(['help', '--help', '-h'])
const USAGE = 2

/** Runs the command line. Returns the exit code, or nothing while the gateway runs. */
async function run([word = '', ...args]: string[]): Promise<number | undefined> {
  if (HELP.has(word)) return help(args)
  const name = ALIASES.get(word) ?? word
  const command = COMMANDS.get(name)
  return command === undefined ? unknown(word) : (await command.load())(args)
}

/** `help COMMAND` is `COMMAND --help`, and `help COMMAND SUBCOMMAND` that of the subcommand. */
async function help([name, ...rest]: string[]): Promise<number | undefined> {
  if (name === undefined || HELP.has(name)) {
    process.stdout.write(overview())
    return 0
  }
  const command = COMMANDS.get(name)
  return command === undefined ? unknown(name) : (await command.load())([...rest, '--help'])
}

/** The word itself is not repeated: it may be a token that was pasted in the wrong place. */
function unknown(word: string): number {
  const meant = nearest(word, [...COMMANDS.keys()])
  const wrong = word === '' ? 'a command is missing' : 'no such command'
  process.stderr.write(sayError(wrong, ...(meant === undefined || word === '' ? [] : [`did you mean ${meant}?`])) + overview())
  return USAGE
}

sealMemory()
enableCompileCache(COMPILE_CACHE)
process.exitCode = await run(process.argv.slice(2))
