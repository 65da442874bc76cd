// tidegate office list: what an authority issued, and what became of it.
import { readAuthority } from '../../issuer/folder.ts'
import { entriesOf, type Entry } from '../../issuer/record.ts'
import { COMMON, needed, print, runOffice, TEXT, Usage, wholeNumber } from './run.ts'

const DAY_MS = 86_400_000
const HELP = `usage: tidegate office list --authority DIR [--expiring DAYS]

Lists the certificates in the order of issue: serial number, office, user, first and last day, state, use, SHA-1 and SHA-256.

  --authority DIR     the authority's folder
  --expiring DAYS     only valid ones that end within so many days
  --json              {"certificates": [...]}
  --help              this text

Exit code: 0; 2 for wrong usage or a folder in the wrong state; 1 for anything else.
`
const HEADS = ['SERIAL', 'OFFICE', 'USER', 'FROM', 'UNTIL', 'STATE', 'USE', 'SHA-1', 'SHA-256']

/** Runs `tidegate office list` with the arguments after these words. Returns the exit code. */
export function listCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office list', help: HELP, options: { ...COMMON, expiring: TEXT } as const }, args, async (values, positionals) => {
    if (positionals.length > 0) throw new Usage('list takes no arguments beside its options')
    const now = Date.now()
    const { facts } = await readAuthority(needed(values.authority, '--authority DIR'))
    const days = wholeNumber(values.expiring, '--expiring', [0, 36_500, -1])
    const entries = entriesOf(facts, now).filter((entry) => days < 0 || (entry.state === 'valid' && Date.parse(entry.until) <= now + days * DAY_MS))
    print(values.json, { certificates: entries.map(asJson) }, table(entries))
  })
}

function asJson({ serial, office, user, from, until, state, use, sha1, sha256, dns, revoked }: Entry): object {
  const end = revoked === undefined ? null : { at: revoked.at, reason: revoked.reason }
  return { serial, office, user: user ?? null, from, until, state, use, sha1, sha256, dns: dns ?? [], revoked: end }
}

function table(entries: readonly Entry[]): string[] {
  const rows = [HEADS, ...entries.map(({ serial, office, user, from, until, state, use, sha1, sha256 }) =>
    [serial, office, user ?? '-', from, until, state, use, sha1, sha256])]
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
}
