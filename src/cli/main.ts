#!/usr/bin/env node
// The command line: picks the command, sets the exit code. Commands are loaded when they are asked for.
import { enableCompileCache } from 'node:module'
import { COMPILE_CACHE } from '../host/compile-cache.ts'
import { sealMemory } from '../host/seal.ts'

interface Command {
  readonly says: string
  /** Given the arguments after the command's name, returns the exit code, or nothing while the gateway runs. */
  readonly load: () => Promise<(args: string[]) => Promise<number | undefined>>
}

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['serve', { says: 'run the gateway', load: async () => (await import('./serve.ts')).serveCommand }],
  ['check', { says: 'say every fault of a configuration', load: async () => (await import('./check.ts')).checkCommand }],
  ['mint', { says: 'make a shared access signature, https only', load: async () => (await import('./mint.ts')).mintCommand }],
  ['inspect', { says: 'say what a shared access signature is and what the gateway would do with it', load: async () => (await import('./inspect.ts')).inspectCommand }],
  ['deny', { says: 'revoke single shared access signatures', load: async () => (await import('./deny.ts')).denyCommand }],
  ['network', { says: 'check the network plan, and write files for Azure and the sites', load: async () => (await import('./network.ts')).networkCommand }],
  ['office', { says: 'manage the certificates, keys and bundles of offices', load: async () => (await import('./office.ts')).officeCommand }],
])

function help(): string {
  const lines = [...COMMANDS].map(([name, { says }]) => `  ${name.padEnd(8)} ${says}`)
  return `usage: tidegate COMMAND [OPTIONS]\n\n${lines.join('\n')}\n\ntidegate COMMAND --help says more\n`
}

sealMemory()
enableCompileCache(COMPILE_CACHE)
const [name, ...args] = process.argv.slice(2)
const command = COMMANDS.get(name ?? '')
if (command !== undefined) process.exitCode = await (await command.load())(args)
else if (name === '--help' || name === '-h' || name === 'help') process.stdout.write(help())
else {
  process.stderr.write(`tidegate: ${name === undefined ? 'a command is missing' : 'no such command'}\n${help()}`)
  process.exitCode = 2
}
