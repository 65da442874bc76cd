// tidegate office issue, renew: certificates for offices, their users and their connect.
import { join } from 'node:path'
import { CLIENT_DAYS, issue, issueConnect, LONGEST_DAYS, renew, type Issued } from '../../issuer/issue.ts'
import { fileName, holderText, type Holder } from '../../issuer/names.ts'
import { KEY_CHOICES, type KeyChoice } from '../../issuer/record.ts'
import { say } from '../voice.ts'
import { namesOf, readConfiguration, readInput } from './files.ts'
import { FLAG, needed, oneOf, onlyName, print, runOffice, TEXT, Usage, WITH_KEY, wholeNumber } from './run.ts'
import { unlock } from './unlock.ts'

const HOW = `  --authority DIR          the authority's folder
  --user USER              a certificate for a user of the office
  --csr FILE               use the public key of a certificate signing request; its names are ignored
  --key rsa2048|p256       the key to make; rsa2048 unless given. Azure's VPN gateway needs rsa2048
  --days N                 how long it is valid, 1 to ${LONGEST_DAYS}; ${CLIENT_DAYS} unless given
  --dns HOST               a DNS name in the certificate; may be given several times
  --out DIR                where NAME.pem and NAME.key are written; the current folder unless given
  --passphrase-file FILE   the passphrase of the root's key; without it, it is asked for at the terminal
  --json                   the certificate as JSON, and where its files are
  --help                   this text

Exit code: 0; 2 for wrong usage, a request that is not allowed or a folder in the wrong state; 1 for anything else.
`
const ISSUE_HELP = `usage: tidegate office issue NAME --authority DIR [--user USER] [--csr FILE] [--key rsa2048|p256] [--days N] [--dns HOST] [--out DIR]
       tidegate office issue NAME --authority DIR --config FILE --connect HOST... [--out DIR]

Issues a client certificate for the office NAME, or, with --connect, a server certificate for its tidegate connect.

  --config FILE            the gateway's configuration: the connect root is limited to its names
  --connect HOST           a name that connect shows to the office's tools; may be given several times
${HOW}`
const RENEW_HELP = `usage: tidegate office renew NAME --authority DIR [--user USER] [--csr FILE] [--key rsa2048|p256] [--days N] [--dns HOST]
                             [--out DIR] [--revoke-old]

Issues the next certificate of an office or user: a new key and a new serial number. Key and DNS names are of the same kind as
those of the last certificate, unless the options say otherwise.

  --revoke-old             revoke the certificates that it had; without it they stay valid to their end
${HOW}`

const SHARED = { ...WITH_KEY, user: TEXT, csr: TEXT, key: TEXT, days: TEXT, dns: { ...TEXT, multiple: true }, out: TEXT } as const
const ISSUE_OPTIONS = { ...SHARED, config: { ...TEXT, short: 'c' }, connect: { ...TEXT, multiple: true } } as const
const RENEW_OPTIONS = { ...SHARED, 'revoke-old': FLAG } as const

/** Runs `tidegate office issue` with the arguments after these words. Returns the exit code. */
export function issueCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office issue', help: ISSUE_HELP, options: ISSUE_OPTIONS }, args, async (values, positionals) => {
    const directory = needed(values.authority, '--authority DIR')
    const out = values.out ?? '.'
    const days = wholeNumber(values.days, '--days', [1, LONGEST_DAYS, CLIENT_DAYS])
    if (values.connect !== undefined) {
      const [office = '', ...hosts] = positionals
      refuse({ user: values.user, csr: values.csr, dns: values.dns }, '--connect')
      const own = namesOf(await readConfiguration(needed(values.config, '--config FILE')))
      const wish = { office: needed(office, 'the name of the office'), hosts: [...values.connect, ...hosts], days, key: keyChoice(values.key), own }
      tellIssued(await issueConnect(directory, { ...wish, ...await unlock(directory, values['passphrase-file']) }, out), { office }, out, values.json)
      return
    }
    refuse({ config: values.config }, 'a certificate without --connect')
    const holder = holderOf(onlyName(positionals, 'the name of the office'), values.user)
    const wish = { holder, days, key: keyOf(values) ?? 'rsa2048', dns: values.dns ?? [] }
    tellIssued(await issue(directory, { ...wish, ...await unlock(directory, values['passphrase-file']) }, out), holder, out, values.json)
  })
}

/** Runs `tidegate office renew` with the arguments after these words. Returns the exit code. */
export function renewCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office renew', help: RENEW_HELP, options: RENEW_OPTIONS }, args, async (values, positionals) => {
    const directory = needed(values.authority, '--authority DIR')
    const holder = holderOf(onlyName(positionals, 'the name of the office'), values.user)
    const out = values.out ?? '.'
    const days = wholeNumber(values.days, '--days', [1, LONGEST_DAYS, CLIENT_DAYS])
    const wish = { holder, days, key: keyOf(values), dns: values.dns, revokeOld: values['revoke-old'] }
    tellIssued(await renew(directory, { ...wish, ...await unlock(directory, values['passphrase-file']) }, out), holder, out, values.json)
  })
}

const holderOf = (office: string, user: string | undefined): Holder => (user === undefined ? { office } : { office, user })

const keyChoice = (value: string | undefined): KeyChoice => oneOf(value, '--key', KEY_CHOICES)

function keyOf({ csr, key }: { csr?: string | undefined; key?: string | undefined }): KeyChoice | Buffer | undefined {
  if (csr !== undefined && key !== undefined) throw new Usage('--csr and --key exclude each other: the key comes with the request')
  if (csr !== undefined) return readInput(csr, 'the request')
  return key === undefined ? undefined : keyChoice(key)
}

function refuse(values: Readonly<Record<string, unknown>>, other: string): void {
  const given = Object.entries(values).find(([, value]) => value !== undefined)
  if (given !== undefined) throw new Usage(`--${given[0]} does not go with ${other}`)
}

function tellIssued({ fact, key, root, revoked, cut }: Issued, holder: Holder, out: string, json: boolean): void {
  const cert = join(out, `${fileName(holder)}.pem`)
  const keyFile = key === undefined ? undefined : join(out, `${fileName(holder)}.key`)
  const { serial, from, until, sha1, sha256 } = fact
  const files = [cert, ...(keyFile === undefined ? [] : [keyFile])]
  const thumbs = revoked.map((entry) => entry.sha1)
  print(json, { ...holder, serial, from, until, sha1, sha256, dns: fact.dns ?? [], cert, key: keyFile ?? null, root, revoked: revoked.map(({ serial: old, sha1: thumb }) => ({ serial: old, sha1: thumb })) },
    [`${files.join(' and ')}: ${holderText(holder)}, serial ${serial}, valid until ${until}`, ...thumbs.map((thumb) => `revoked: SHA-1 ${thumb}`)])
  if (cut) process.stderr.write(say(`note: the certificate ends with its root, at ${until}`))
}
