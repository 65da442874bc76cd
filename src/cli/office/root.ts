// tidegate office root, import: the roots that gateways trust.
import { thumbprints } from '../../issuer/certificates.ts'
import { replaceConnectRoot } from '../../issuer/connect-root.ts'
import { OfficeFault } from '../../issuer/fault.ts'
import { readAuthority, type Authority, type RootFile } from '../../issuer/folder.ts'
import { addNewRoot, dropRoot, importRoot } from '../../issuer/roots.ts'
import { say } from '../voice.ts'
import { namesOf, readConfiguration, readInput } from './files.ts'
import { checkName } from './init.ts'
import { COMMON, FLAG, needed, oneOf, onlyName, print, runOffice, TEXT, Usage, WITH_KEY, wholeNumber } from './run.ts'
import { unlock } from './unlock.ts'

const ROOT_HELP = `usage: tidegate office root --authority DIR [--azure]
       tidegate office root --authority DIR --new [--name TEXT] [--key rsa2048|rsa3072] [--years N]
       tidegate office root --authority DIR --new --connect --config FILE
       tidegate office root --authority DIR --drop SHA256

Prints the root that signs, as PEM; adds a root while the old one is still trusted; drops one.
To replace a root: --new, copy ca.pem and crl.pem to the gateways, renew all certificates, then --drop the old one.

  --authority DIR          the authority's folder
  --azure                  print it as one line of base64 for Azure's VPN gateway (publicCertData)
  --new                    add a root; from then on it signs
  --connect                with --new: replace the connect root, for the names of the configuration
  --config FILE            the gateway's configuration, with --connect
  --drop SHA256            drop the root with this SHA-256, whole or its first digits
  --name, --key, --years   as for office init
  --passphrase-file FILE   the passphrase of the root's key; without it, it is asked for at the terminal
  --json                   all roots as JSON
  --help                   this text

Exit code: 0; 2 for wrong usage, a request that is not allowed or a folder in the wrong state; 1 for anything else.
`
const IMPORT_HELP = `usage: tidegate office import ROOT --crl FILE --authority DIR

Trusts a root that exists already, with its revocation list, beside the authority's own roots or instead of them.
Run it again whenever the root has signed a new list.

  ROOT               the root's certificate, PEM
  --crl FILE         its revocation list, PEM
  --authority DIR    the authority's folder; it is made where it is missing
  --json             the root as JSON
  --help             this text

Exit code: 0; 2 for wrong usage, a root or list that cannot be trusted, or a folder in the wrong state; 1 for anything else.
`
const OPTIONS = { ...WITH_KEY, azure: FLAG, new: FLAG, connect: FLAG, config: { ...TEXT, short: 'c' }, drop: TEXT, name: TEXT, key: TEXT, years: TEXT } as const

/** Runs `tidegate office root` with the arguments after these words. Returns the exit code. */
export function rootCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office root', help: ROOT_HELP, options: OPTIONS }, args, async (values, positionals) => {
    if (positionals.length > 0) throw new Usage('root takes no arguments beside its options')
    const directory = needed(values.authority, '--authority DIR')
    if ([values.azure, values.new, values.drop !== undefined].filter(Boolean).length > 1) throw new Usage('--azure, --new and --drop exclude each other')
    if (values.connect && !values.new) throw new Usage('--connect goes with --new only')
    if (values.drop !== undefined) await drop(directory, values.drop, values.json)
    else if (values.new) printRoot(await makeNew(directory, values), values.json)
    else printCurrent(await readAuthority(directory), values)
  })
}

type NewValues = Readonly<Partial<Record<'config' | 'name' | 'key' | 'years' | 'passphrase-file', string>>> & { readonly connect: boolean }

async function makeNew(directory: string, values: NewValues): Promise<RootFile> {
  if (values.connect) {
    const own = namesOf(await readConfiguration(needed(values.config, '--config FILE')))
    return replaceConnectRoot(directory, own, await unlock(directory, values['passphrase-file']))
  }
  const name = values.name === undefined ? undefined : checkName(values.name)
  const key = oneOf(values.key, '--key', ['rsa2048', 'rsa3072'])
  const years = wholeNumber(values.years, '--years', [1, 10, 10])
  return addNewRoot(directory, { name, key, years, ...await unlock(directory, values['passphrase-file']) })
}

async function drop(directory: string, sha256: string, json: boolean): Promise<void> {
  const { root, offices } = await dropRoot(directory, sha256, Date.now())
  print(json, { dropped: thumbprints(root.certificate).sha256, offices }, [`dropped ${root.name}`])
  if (!json && offices.length > 0) process.stderr.write(say(`warning: valid certificates of ${offices.join(', ')} are trusted no longer`))
}

function printRoot({ name, certificate, pem }: RootFile, json: boolean): void {
  const { sha1, sha256 } = thumbprints(certificate)
  print(json, { file: `${name}.pem`, until: certificate.validToDate.toISOString(), sha1, sha256, pem }, [`${name}, valid until ${certificate.validToDate.toISOString()}, SHA-256 ${sha256}`])
}

function printCurrent({ roots }: Authority, { azure, json }: { azure: boolean; json: boolean }): void {
  const current = roots.findLast(({ key }) => key !== undefined) ?? roots.at(-1)
  if (current === undefined) throw new OfficeFault('the authority has no root')
  const all = roots.map((root) => ({ ...asJson(root), signs: root === current && root.key !== undefined }))
  if (json) print(true, { roots: all }, [])
  else process.stdout.write(azure ? `${base64Of(current)}\n` : current.pem)
}

const base64Of = ({ certificate }: RootFile): string => certificate.raw.toString('base64')

function asJson(root: RootFile): object {
  const { name, certificate, pem, key } = root
  const times = { from: certificate.validFromDate.toISOString(), until: certificate.validToDate.toISOString() }
  return { file: `${name}.pem`, ...times, ...thumbprints(certificate), imported: key === undefined, azure: base64Of(root), pem }
}

/** Runs `tidegate office import` with the arguments after these words. Returns the exit code. */
export function importCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office import', help: IMPORT_HELP, options: { ...COMMON, crl: TEXT } as const }, args, async (values, positionals) => {
    const directory = needed(values.authority, '--authority DIR')
    const root = readInput(onlyName(positionals, 'the certificate of the root'), 'the root')
    const list = readInput(needed(values.crl, '--crl FILE'), 'the revocation list')
    printRoot(await importRoot(directory, root, list, Date.now()), values.json)
  })
}
