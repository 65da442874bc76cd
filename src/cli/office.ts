// tidegate office: the table of its subcommands. Each is loaded when it is asked for, and with it what it needs.
import { helpHint, say } from './voice.ts'

interface Subcommand {
  readonly says: string
  /** Loads the function that takes the arguments after the subcommand's name and returns the exit code. */
  readonly load: () => Promise<(args: string[]) => Promise<number>>
}

const SUBCOMMANDS: ReadonlyMap<string, Subcommand> = new Map([
  ['init', { says: 'make an authority', load: async () => (await import('./office/init.ts')).initCommand }],
  ['issue', { says: 'issue a certificate for an office, a user or connect', load: async () => (await import('./office/issue.ts')).issueCommand }],
  ['renew', { says: 'issue the next certificate of an office or user', load: async () => (await import('./office/issue.ts')).renewCommand }],
  ['revoke', { says: 'revoke certificates', load: async () => (await import('./office/revoke.ts')).revokeCommand }],
  ['crl', { says: 'write the revocation lists again', load: async () => (await import('./office/revoke.ts')).crlCommand }],
  ['list', { says: 'list what was issued', load: async () => (await import('./office/list.ts')).listCommand }],
  ['root', { says: 'print, add or drop a root', load: async () => (await import('./office/root.ts')).rootCommand }],
  ['import', { says: 'trust a root that exists already', load: async () => (await import('./office/root.ts')).importCommand }],
  ['check', { says: 'judge certificates', load: async () => (await import('./office/check.ts')).officeCheckCommand }],
])

function help(): string {
  const lines = [...SUBCOMMANDS].map(([name, { says }]) => `  ${name.padEnd(8)} ${says}`)
  return `usage: tidegate office SUBCOMMAND [OPTIONS]\n\nManages the certificates, keys and bundles of offices.\n\n${lines.join('\n')}\n
tidegate office SUBCOMMAND --help says more

Exit code: 0; 2 for wrong usage, a request that is not allowed or a folder in the wrong state; 1 for anything else.
`
}

/** Runs `tidegate office` with the arguments after these words. Returns the exit code. */
export async function officeCommand(args: string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === '--help' || name === '-h' || name === 'help') {
    const other = SUBCOMMANDS.get(rest[0] ?? '')
    if (other !== undefined) return await (await other.load())(['--help'])
    process.stdout.write(help())
    return 0
  }
  const subcommand = SUBCOMMANDS.get(name ?? '')
  if (subcommand !== undefined) return await (await subcommand.load())(rest)
  process.stderr.write(say(`error: ${name === undefined ? 'office needs a subcommand' : 'no such subcommand of office'}`, `hint: ${helpHint('office')}`))
  return 2
}
