// tidegate office init: makes an authority.
import { init } from '../../issuer/roots.ts'
import { thumbprints } from '../../issuer/certificates.ts'
import { OfficeFault } from '../../issuer/fault.ts'
import { readPassphrase } from './files.ts'
import { FLAG, needed, oneOf, print, runOffice, TEXT, Usage, WITH_KEY, wholeNumber } from './run.ts'

const HELP = `usage: tidegate office init --authority DIR [--name TEXT] [--key rsa2048|rsa3072] [--years N] [--no-passphrase]

Makes an authority for the certificates of offices: a root, its key and an empty revocation list, in an empty folder.
Keep the folder away from the gateway. The gateway needs only ca.pem and crl.pem of it.

  --authority DIR          the folder; it is made where it is missing
  --name TEXT              the root's name; "Tidegate offices" unless given
  --key rsa2048|rsa3072    the root's key; rsa2048 unless given
  --years N                how long the root is valid, 1 to 10; 10 unless given
  --passphrase-file FILE   the passphrase for the root's key; without it, it is asked for at the terminal
  --no-passphrase          leave the key unencrypted
  --json                   the root as JSON
  --help                   this text

Exit code: 0; 2 for wrong usage and a folder that is not empty; 1 for anything else.
`
const OPTIONS = { ...WITH_KEY, 'name': TEXT, 'key': TEXT, 'years': TEXT, 'no-passphrase': FLAG } as const

/** Runs `tidegate office init` with the arguments after these words. Returns the exit code. */
export function initCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office init', help: HELP, options: OPTIONS }, args, async (values, positionals) => {
    if (positionals.length > 0) throw new Usage('init takes no arguments beside its options')
    const directory = needed(values.authority, '--authority DIR')
    if (values['no-passphrase'] && values['passphrase-file'] !== undefined) throw new Usage('--no-passphrase and --passphrase-file exclude each other')
    const name = checkName(values.name ?? 'Tidegate offices')
    const key = oneOf(values.key, '--key', ['rsa2048', 'rsa3072'])
    const years = wholeNumber(values.years, '--years', [1, 10, 10])
    const passphrase = values['no-passphrase'] ? undefined : await readPassphrase(values['passphrase-file'], { twice: true })
    const { certificate, pem } = await init(directory, { name, key, years, passphrase, now: Date.now() })
    const { sha1, sha256 } = thumbprints(certificate)
    const until = certificate.validToDate.toISOString()
    print(values.json, { name, until, sha1, sha256, pem }, [`${directory} holds an authority: root-1, valid until ${until}, SHA-256 ${sha256}`])
  })
}

/** Returns the name of a root. It becomes a common name, which holds 64 characters (RFC 5280 appendix A.1). */
export function checkName(name: string): string {
  if (!/^[\p{L}\p{N}][\p{L}\p{N} .'()-]{0,59}$/u.test(name)) throw new OfficeFault('--name takes up to 60 letters, digits, blanks and .\'()-')
  return name
}
