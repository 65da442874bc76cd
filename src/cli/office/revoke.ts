// tidegate office revoke, crl: ends certificates before their time, and keeps the lists that say so current.
import { LIST_DAYS, renewLists, revoke } from '../../issuer/revoke.ts'
import { checkHolder } from '../../issuer/names.ts'
import { parseSerial, REASONS } from '../../issuer/record.ts'
import { LONGEST_DAYS } from '../../issuer/issue.ts'
import { say } from '../voice.ts'
import { needed, oneOf, onlyName, print, runOffice, TEXT, Usage, WITH_KEY, wholeNumber } from './run.ts'
import { unlock } from './unlock.ts'

const REVOKE_HELP = `usage: tidegate office revoke NAME [--user USER] --authority DIR [--reason R]
       tidegate office revoke --serial HEX --authority DIR [--reason R]

Revokes all certificates of the office or user that are still valid, not those of the office's users, and writes crl.pem.
Prints the SHA-1 thumbprints, one a line: Azure's VPN gateway takes those, since it reads no lists.

  --authority DIR          the authority's folder
  --user USER              the certificates of this user
  --serial HEX             one certificate
  --reason R               ${REASONS.slice(0, 3).join(', ')},
                           ${REASONS.slice(3).join(', ')}; unspecified unless given
  --passphrase-file FILE   the passphrase of the root's key; without it, it is asked for at the terminal
  --json                   what was revoked, as JSON
  --help                   this text

Exit code: 0; 2 for wrong usage, nothing to revoke or a folder in the wrong state; 1 for anything else.
`
const CRL_HELP = `usage: tidegate office crl --authority DIR [--days N]

Writes the revocation lists of the authority's own roots again. A gateway refuses all certificates of a root whose list has ended.

  --authority DIR          the authority's folder
  --days N                 how long the lists hold, 1 to ${LONGEST_DAYS}; ${LIST_DAYS} unless given
  --passphrase-file FILE   the passphrase of the root's key; without it, it is asked for at the terminal
  --json                   the end of the lists, as JSON
  --help                   this text

Exit code: 0; 2 for wrong usage or a folder in the wrong state; 1 for anything else.
`

/** Runs `tidegate office revoke` with the arguments after these words. Returns the exit code. */
export function revokeCommand(args: string[]): Promise<number> {
  const options = { ...WITH_KEY, user: TEXT, serial: TEXT, reason: TEXT } as const
  return runOffice({ name: 'office revoke', help: REVOKE_HELP, options }, args, async (values, positionals) => {
    const directory = needed(values.authority, '--authority DIR')
    const reason = oneOf(values.reason, '--reason', REASONS)
    const which = values.serial === undefined ? named(positionals, values.user) : numbered(values.serial, positionals, values.user)
    const revoked = await revoke(directory, { which, reason, ...await unlock(directory, values['passphrase-file']) })
    print(values.json, { revoked: revoked.map(({ serial, office, user, sha1, sha256 }) => ({ serial, office, user: user ?? null, sha1, sha256 })) }, revoked.map(({ sha1 }) => sha1))
    if (!values.json) process.stderr.write(say(...revoked.map(({ serial, office, user }) => `revoked ${serial} of ${user === undefined ? office : `${office}, ${user}`}`)))
  })
}

function named(positionals: string[], user: string | undefined): { office: string; user?: string } {
  const office = onlyName(positionals, 'the name of the office, or --serial HEX')
  const holder = user === undefined ? { office } : { office, user }
  checkHolder(holder)
  return holder
}

function numbered(text: string, positionals: string[], user: string | undefined): { serial: string } {
  if (positionals.length > 0 || user !== undefined) throw new Usage('--serial goes with neither a name nor --user')
  const serial = parseSerial(text)
  if (serial === undefined) throw new Usage('--serial takes a serial number in hexadecimal')
  return { serial }
}

/** Runs `tidegate office crl` with the arguments after these words. Returns the exit code. */
export function crlCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office crl', help: CRL_HELP, options: { ...WITH_KEY, days: TEXT } as const }, args, async (values, positionals) => {
    if (positionals.length > 0) throw new Usage('crl takes no arguments beside its options')
    const directory = needed(values.authority, '--authority DIR')
    const days = wholeNumber(values.days, '--days', [1, LONGEST_DAYS, LIST_DAYS])
    const until = new Date(await renewLists(directory, { days, ...await unlock(directory, values['passphrase-file']) })).toISOString()
    print(values.json, { until }, [`crl.pem holds until ${until}`])
  })
}
