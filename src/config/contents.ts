// What the files of a configuration hold: each is parsed by what it is for, or is a fault at the path that names it.
import type { KeyObject } from 'node:crypto'
import { KEY_FILE_ALLOWED, keyInFile } from '../sas/delegation-key.ts'
import { DENIED_ALLOWED, parseDenied, type DeniedTokens } from '../sas/denied.ts'
import type { UserDelegationKey } from '../sas/signing-keys.ts'
import { CredentialFault, parseCredential, parseTrustBundle, type Credential, type TrustBundle } from '../tls/credential.ts'
import { parseRevocationLists, type RevocationList } from '../tls/crl.ts'
import { TICKET_SECRET_ALLOWED, parseTicketSecret } from '../tls/ticket-keys.ts'
import { ACCOUNT_KEY_ALLOWED, parseAccountKey } from './account-key.ts'
import { foundFile, type FileRead } from './disk.ts'
import type { Fault } from './fault.ts'
import { OTLP_HEADERS_ALLOWED, parseOtlpHeaders } from './otlp-headers.ts'
import type { NamedFile } from './read.ts'

/** By the path in the configuration that names the file, but for `trust`: by the file's own absolute path. */
export interface Contents {
  readonly credentials: Map<string, Credential>
  readonly keys: Map<string, KeyObject>
  readonly delegationKeys: Map<string, UserDelegationKey>
  readonly ticketSecrets: Buffer[]
  readonly traceHeaders: Readonly<Record<string, string>>[]
  readonly denied: DeniedTokens[]
  readonly clientCas: TrustBundle[]
  readonly lists: RevocationList[]
  readonly trust: Map<string, TrustBundle>
  readonly faults: Fault[]
  readonly warnings: Fault[]
}

/** A file's bytes, under the path in the configuration that names it. */
interface Held {
  readonly path: string
  readonly file: string
  readonly bytes: Buffer
}

/** Parses the files that the configuration names. `now` in ms since the epoch. */
export function readContents(named: readonly NamedFile[], read: ReadonlyMap<string, FileRead | string>, now: number): Contents {
  const contents: Contents = { credentials: new Map(), keys: new Map(), delegationKeys: new Map(), ticketSecrets: [], traceHeaders: [], denied: [], clientCas: [], lists: [], trust: new Map(), faults: [], warnings: [] }
  const held = new Map(named.flatMap((one) => holdOne(one, read.get(one.file) ?? 'does not exist', contents)))
  for (const { path, use } of named) {
    const one = held.get(path)
    if (one === undefined) continue
    TAKES[use]?.(one, contents, now)
    const key = use === 'certificate' ? held.get(path.replace(/cert$/, 'key')) : undefined
    if (key !== undefined) takeCredential(path.replace(/\.cert$/, ''), { cert: one, key }, contents, now)
  }
  return contents
}

const SECRET: ReadonlySet<NamedFile['use']> = new Set(['key', 'account-key', 'delegation-key', 'ticket-secret', 'otlp-headers'])

function holdOne({ path, file, use }: NamedFile, found: FileRead | string, { faults, warnings }: Contents): [string, Held][] {
  if (typeof found === 'string') {
    faults.push({ path, found: foundFile(file, found), allowed: 'a file that can be read' })
    return []
  }
  if (found.exposed && SECRET.has(use)) warnings.push({ path, found: `${file}: others can read or write it`, allowed: 'a secret that only its owner and group can read' })
  return [[path, { path, file, bytes: found.bytes }]]
}

/** Of the uses that are a file each; a certificate is taken with its key. */
const TAKES: Readonly<Partial<Record<NamedFile['use'], (held: Held, contents: Contents, now: number) => void>>> = {
  'trust': (held, contents) => keep(held, bundleIn(held), contents, (bundle) => contents.trust.set(held.file, bundle)),
  'client-ca': (held, contents) => keep(held, bundleIn(held), contents, (bundle) => contents.clientCas.push(bundle)),
  'crl': takeLists,
  'account-key': (held, contents) => keep(held, parseAccountKey(held.bytes), contents, (key) => contents.keys.set(held.path, key), ACCOUNT_KEY_ALLOWED),
  'delegation-key': (held, contents) => keep(held, keyInFile(held.bytes), contents, (key) => contents.delegationKeys.set(held.path, key), KEY_FILE_ALLOWED),
  'ticket-secret': (held, contents) => keep(held, parseTicketSecret(held.bytes), contents, (secret) => contents.ticketSecrets.push(secret), TICKET_SECRET_ALLOWED),
  'denied-tokens': (held, contents) => keep(held, parseDenied(held.bytes), contents, (denied) => contents.denied.push(denied), DENIED_ALLOWED),
  'otlp-headers': (held, contents) => keep(held, parseOtlpHeaders(held.bytes), contents, (headers) => contents.traceHeaders.push(headers), OTLP_HEADERS_ALLOWED),
}

/** Puts what was parsed where it belongs; what is wrong with the file is a fault. `allowed` where that does not say it itself. */
function keep<T extends object>({ path, file }: Held, parsed: T | string | CredentialFault, { faults }: Contents, put: (value: T) => unknown, allowed = ''): void {
  if (parsed instanceof CredentialFault) faults.push({ path, found: `${file}: ${parsed.found}`, allowed: parsed.allowed })
  else if (typeof parsed === 'string') faults.push({ path, found: `${file}: ${parsed}`, allowed })
  else put(parsed)
}

function takeLists(held: Held, contents: Contents, now: number): void {
  const past = ({ nextUpdate }: RevocationList): boolean => nextUpdate !== undefined && nextUpdate <= now
  keep(held, parseRevocationLists(held.bytes), contents, (lists) => {
    contents.lists.push(...lists)
    if (lists.some(past)) contents.warnings.push({ path: held.path, found: `${held.file}: a list past its next update`, allowed: 'a current one: until then every client certificate is refused' })
  }, 'revocation lists in PEM')
}

function takeCredential(path: string, pair: { cert: Held; key: Held }, { credentials, faults, warnings }: Contents, now: number): void {
  const credential = settle(() => parseCredential(pair.cert.bytes, pair.key.bytes, now))
  if (credential instanceof CredentialFault) {
    const { part, found, allowed } = credential
    faults.push({ path: `${path}.${part}`, found: `${pair[part].file}: ${found}`, allowed })
    return
  }
  credentials.set(path, credential)
  warnings.push(...credential.warnings.map(({ found, allowed }) => ({ path: `${path}.cert`, found: `${pair.cert.file}: ${found}`, allowed })))
}

function bundleIn({ bytes }: Held): TrustBundle | CredentialFault {
  return settle(() => parseTrustBundle(bytes))
}

function settle<T>(parse: () => T): T | CredentialFault {
  try {
    return parse()
  } catch (error) {
    if (error instanceof CredentialFault) return error
    throw error
  }
}
