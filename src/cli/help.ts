// What commands print for --help, for whatever else is made of it: completion scripts and the manual page.
import { COMMANDS } from './commands.ts'

/** The help of one command or subcommand. */
export interface CommandHelp {
  /** `check`, or `office init`. */
  readonly name: string
  readonly says: string
  readonly text: string
}

/** Returns the help of every command and subcommand, in the order of the table. */
export async function everyHelp(): Promise<CommandHelp[]> {
  const all: CommandHelp[] = []
  for (const [name, { says }] of COMMANDS) {
    const text = await helpOf(name, [])
    const verbs = /^usage: tidegate \w+ SUBCOMMAND/.test(text) ? listed(text) : []
    all.push({ name, says, text })
    for (const { verb, says: saysVerb } of verbs) all.push({ name: `${name} ${verb}`, says: saysVerb, text: await helpOf(name, [verb]) })
  }
  return all
}

/** Runs a command with --help, and catches what it writes to standard output. */
async function helpOf(name: string, args: readonly string[]): Promise<string> {
  const command = COMMANDS.get(name)
  if (command === undefined) return ''
  const run = await command.load()
  const { stdout } = process
  const write = Reflect.get(stdout, 'write') as unknown
  let text = ''
  stdout.write = (chunk: string | Uint8Array) => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    return true
  }
  try {
    await run([...args, '--help'])
  } finally {
    Reflect.set(stdout, 'write', write)
  }
  return text
}

/** The rows of an overview: two blanks, the word, and what it says. */
function listed(text: string): { verb: string; says: string }[] {
  return [...text.matchAll(/^ {2}([a-z][a-z-]*) {1,}(\S.*)$/gm)].map(([, verb = '', says = '']) => ({ verb, says }))
}
