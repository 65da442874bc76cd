#!/usr/bin/env node
// The command line: picks the command, sets the exit code.
import { checkCommand } from './check.ts'
import { inspectCommand } from './inspect.ts'
import { mintCommand } from './mint.ts'
import { serveCommand } from './serve.ts'

const COMMANDS: ReadonlyMap<string, { run(args: string[]): Promise<number | undefined>; says: string }> = new Map([
  ['serve', { run: serveCommand, says: 'run the gateway' }],
  ['check', { run: checkCommand, says: 'say every fault of a configuration' }],
  ['mint', { run: mintCommand, says: 'make a shared access signature, https only' }],
  ['inspect', { run: inspectCommand, says: 'say what a SAS URL is and what the gateway would do with it' }],
])

function help(): string {
  const lines = [...COMMANDS].map(([name, { says }]) => `  ${name.padEnd(8)} ${says}`)
  return `usage: tidegate COMMAND [OPTIONS]\n\n${lines.join('\n')}\n\ntidegate COMMAND --help says more\n`
}

const [name, ...args] = process.argv.slice(2)
const command = COMMANDS.get(name ?? '')
if (command !== undefined) process.exitCode = await command.run(args)
else if (name === '--help' || name === '-h' || name === 'help') process.stdout.write(help())
else {
  process.stderr.write(`tidegate: ${name === undefined ? 'a command is missing' : 'no such command'}\n${help()}`)
  process.exitCode = 2
}
