// tidegate mint: makes a shared access signature, https only, on the gateway's own name.
import { SERVICE_NAMES, type ServiceName } from '../azure/services.ts'
import { readBounded } from '../config/disk.ts'
import { ConfigFaults, type Loaded } from '../config/load.ts'
import { KEY_FILE_ALLOWED, keyInFile } from '../sas/delegation-key.ts'
import { type MintGround, type Minted, mintSas } from '../sas/mint/mint.ts'
import { WISH_FLAGS, WISH_OPTIONS, type Wish, type WishFault, WishFaults, type WishFlag, type WishOption, shown } from '../sas/mint/wish.ts'
import type { UserDelegationKey } from '../sas/signing-keys.ts'
import { readArguments } from './arguments.ts'
import { loadGiven, shownFile } from './given.ts'
import { jsonFindings, say, sayFindings } from './voice.ts'

const HELP = `usage: tidegate mint --config FILE --account NAME --service SERVICE [NAMES] --expires WHEN [OPTIONS]
       tidegate mint --config FILE --account NAME --account-sas --services bq --types co --expires WHEN [OPTIONS]

Makes a shared access signature that works over https only, and prints the URL on the gateway's own name.

  -c, --config FILE            the configuration, or - for standard input: keys, names and storage.sas.maxLifetime come from it
  --account NAME               one of its accounts

What it is for:
  --service blob|dfs           --container C [--blob B [--snapshot T | --version V] | --directory D]
  --service file               --share S [--file F]
  --service queue              --queue Q
  --service table              --table T [--start-partition P [--start-row R]] [--end-partition P [--end-row R]]
  --account-sas                the whole account: --services (letters of btqf) --types (letters of sco: service, container, object)
  --allow-broad                with --account-sas: all three types and permissions to write together

What it allows:
  --permissions LETTERS        r unless given; see docs/minting.md
  --expires WHEN               a duration from now (90s, 30m, 24h) or a UTC time (2026-11-25T06:00:00Z)
  --starts WHEN                the same; back in time with --starts=-10m
  --ip A[-B]                   one IPv4 address, or a range
  --identifier NAME            a stored access policy; what it holds is left out here
  --cache-control, --content-disposition, --content-encoding, --content-language, --content-type TEXT
                               what replies say instead of what is stored (blob, dfs, file)
  --encryption-scope NAME      blob, dfs and account
  --signed-version DATE        2020-12-06 unless given or something newer is needed

How:
  --user-delegation-key FILE   sign with this key instead of the account's; JSON with the SDKs' field names
  --show-string-to-sign        say it on standard error, as JSON text
  --json                       {"url", "token", "expires"} on standard output, or {"faults": [...]}
  --help                       this text

Exit code: 0; 2 for a wish that is not allowed, with every fault, and for wrong usage.
`

const TEXT = { type: 'string' } as const
const FLAG = { type: 'boolean' } as const
// Made from the list, so each name of it is there.
const OF_WISH = Object.fromEntries([...WISH_OPTIONS.map((name) => [name, TEXT]), ...WISH_FLAGS.map((name) => [name, FLAG])]) as Record<WishOption, typeof TEXT> & Record<WishFlag, typeof FLAG>
const OPTIONS = { 'config': { type: 'string', short: 'c' }, 'account': TEXT, 'user-delegation-key': TEXT, 'show-string-to-sign': FLAG, 'json': FLAG, 'help': { type: 'boolean', short: 'h' }, ...OF_WISH } as const

interface Options {
  readonly wish: Wish
  readonly config: string | undefined
  readonly account: string | undefined
  readonly keyFile: string | undefined
  readonly text: boolean
  readonly json: boolean
  readonly help: boolean
}

/** Given the arguments after `mint`, returns the exit code: 0, or 2 for a wish that is not allowed and for wrong usage. */
export async function mintCommand(args: string[]): Promise<number> {
  const options = readOptions(args)
  if (options === undefined) return 2
  if (options.help) {
    process.stdout.write(HELP)
    return 0
  }
  try {
    const minted = mintSas(options.wish, await groundFor(options, Date.now()))
    process.stdout.write(options.json ? jsonMinted(minted, options.text) : `${minted.url}\n`)
    if (options.text && !options.json) process.stderr.write(say(`string to sign: ${JSON.stringify(minted.stringToSign)}`))
    return 0
  } catch (error) {
    tellFaults(error, options)
    return 2
  }
}

function readOptions(args: string[]): Options | undefined {
  const read = readArguments('mint', { args, options: OPTIONS })
  if (read === undefined) return undefined
  const { config, account, 'user-delegation-key': keyFile, 'show-string-to-sign': text, json, help, ...wish } = read.values
  return { wish, config, account, keyFile, text: text === true, json: json === true, help: help === true }
}

/** Throws ConfigFaults or WishFaults. `now` is ms since the epoch. */
async function groundFor({ config, account, keyFile }: Options, now: number): Promise<MintGround> {
  const missing = [['--config', config, 'the name of a file'], ['--account', account, 'the name of an account']] as const
  const faults = missing.flatMap(([path, value, allowed]) => value === undefined || value === '' ? [{ path, found: 'nothing', allowed }] : [])
  if (config === undefined || account === undefined || faults.length > 0) throw new WishFaults(faults)
  const loaded = await loadGiven(config, now)
  const { storage } = loaded.config
  const own = storage?.accounts.find(({ name }) => name === account)
  if (storage === undefined || own === undefined) {
    const names = storage?.accounts.map(({ name }) => name).join(', ') ?? ''
    throw new WishFaults([{ path: '--account', found: shown(account), allowed: names === '' ? 'none: the configuration has no storage' : `one of ${names}` }])
  }
  const delegationKey = keyFile === undefined ? undefined : await readDelegationKey(keyFile)
  return { account, bases: basesOf(loaded, account), key: loaded.accountKeys.get(account)?.[0], delegationKey, maxLifetime: storage.sas.maxLifetime, now }
}

/** The name of the file is not shown: people paste secrets where a file belongs. */
async function readDelegationKey(file: string): Promise<UserDelegationKey> {
  const read = await readBounded(file)
  const key = typeof read === 'string' ? read : keyInFile(read.bytes)
  if (typeof key === 'string') throw new WishFaults([{ path: '--user-delegation-key', found: key, allowed: KEY_FILE_ALLOWED }])
  return key
}

/** The URLs of the account's services on the gateway's own names. */
function basesOf({ config: { storage, listen } }: Loaded, account: string): MintGround['bases'] {
  const port = storage?.port ?? listen.tls.port
  if (port === 0) throw new WishFaults([{ path: 'storage.port', found: 'nothing, and port 0 at listen.tls', allowed: 'the port that clients use' }])
  const own = storage?.accounts.find(({ name }) => name === account)
  const base = (service: ServiceName): string => `https://${account}.${service}.${storage?.domain}${port === 443 ? '' : `:${port}`}`
  return Object.fromEntries(SERVICE_NAMES.filter((service) => own?.[service] !== undefined).map((service) => [service, base(service)]))
}

function jsonMinted({ url, token, expires, stringToSign }: Minted, text: boolean): string {
  return `${JSON.stringify({ url, token, expires, ...(text ? { stringToSign } : {}) })}\n`
}

function tellFaults(error: unknown, { json, config = '' }: Options): void {
  if (error instanceof ConfigFaults) {
    if (json) process.stdout.write(jsonFindings(error))
    else process.stderr.write(sayFindings(error, shownFile(config)))
    return
  }
  if (!(error instanceof WishFaults)) throw error
  if (json) process.stdout.write(jsonFindings({ faults: error.faults, warnings: [] }))
  else process.stderr.write(sayWish(error.faults))
}

function sayWish(faults: readonly WishFault[]): string {
  return say(...faults.map(({ path, found, allowed }) => `error: ${path}: found ${found}; allowed: ${allowed}`), 'hint: tidegate mint --help and docs/minting.md say what can be wished')
}
