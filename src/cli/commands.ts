// The commands of the command line, one row each. Each is loaded when it is asked for.

/** A command; `load` returns the function that takes the arguments after its name. */
export interface Command {
  /** In a few words, for the overview. */
  readonly says: string
  /** Given the arguments after the command's name, returns the exit code, or nothing while the gateway runs. */
  readonly load: () => Promise<(args: string[]) => Promise<number | undefined>>
}

export const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['serve', { says: 'run the gateway', load: async () => (await import('./serve.ts')).serveCommand }],
  ['check', { says: 'say every fault of a configuration', load: async () => (await import('./check.ts')).checkCommand }],
  ['mint', { says: 'make a shared access signature, https only', load: async () => (await import('./mint.ts')).mintCommand }],
  ['inspect', { says: 'say what a shared access signature is and what the gateway would do with it', load: async () => (await import('./inspect.ts')).inspectCommand }],
  ['deny', { says: 'revoke single shared access signatures', load: async () => (await import('./deny.ts')).denyCommand }],
  ['office', { says: 'manage the certificates, keys and bundles of offices', load: async () => (await import('./office.ts')).officeCommand }],
  ['network', { says: 'check the network plan, and write files for Azure and the sites', load: async () => (await import('./network.ts')).networkCommand }],
  ['explain', { says: 'print what a reason for a refusal means and what to do about it', load: async () => (await import('./explain.ts')).explainCommand }],
  ['completion', { says: 'print a completion script for bash, zsh or fish', load: async () => (await import('./completion.ts')).completionCommand }],
  ['version', { says: 'print the versions of Tidegate, Node and OpenSSL', load: async () => (await import('./version.ts')).versionCommand }],
])

/** Returns the text of `tidegate --help`. */
export function overview(): string {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length))
  const lines = [...COMMANDS].map(([name, { says }]) => `  ${name.padEnd(width)}  ${says}`)
  return `usage: tidegate COMMAND [OPTIONS]\n\n${lines.join('\n')}\n\ntidegate help COMMAND says more about one of them.\n`
}
