// Reads the text of a URL for inspection: its parts as they stand, what its host and path say of account and service, and the
// signatures in it, so that none of them is ever shown.
import { SERVICES, SERVICE_NAMES, type ServiceName } from '../../azure/services.ts'
import { redactTarget } from '../../observe/redact.ts'
import type { SasValues } from '../fields.ts'

/** A URL in parts, none of them decoded. */
export interface UrlText {
  readonly secure: boolean
  /** In lower case, without port and trailing dot. */
  readonly host: string
  /** Undefined where it is the scheme's own. */
  readonly port: number | undefined
  readonly path: string
  /** Without the `?`; undefined without one. */
  readonly query: string | undefined
}

/** Whose a URL is, by its text alone. */
export interface Whereabouts {
  readonly account: string
  readonly service: ServiceName
  /** The account in front of the path, in path style; else empty. */
  readonly pathPrefix: string
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?$/is
/** No userinfo passes: `@` is not in the pattern. */
const AUTHORITY = /^([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:]+\])\.?(?::(\d{1,5}))?$/i
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[.*\]|localhost)$/
const SCHEME_PORTS = { https: 443, http: 80 } as const
/** An emulator's ports: 10000, 10001, 10002. */
const EMULATED: readonly ServiceName[] = ['blob', 'queue', 'table']

const SIGNATURE = /sig=([^&\s#;]+)/gi
/** What is shorter is no signature, and hiding it would hide words. */
const SHORTEST = 12
const DECODINGS = 3

/** Undefined where the text is no http or https URL with a readable host. */
export function readUrlText(text: string): UrlText | undefined {
  const [, scheme = '', authority = '', path = '', query] = ABSOLUTE.exec(text) ?? []
  const [, host, port] = AUTHORITY.exec(authority) ?? []
  if (host === undefined) return undefined
  const secure = scheme.toLowerCase() === 'https'
  const number = port === undefined ? undefined : Number(port)
  const usual = secure ? SCHEME_PORTS.https : SCHEME_PORTS.http
  return { secure, host: host.toLowerCase(), port: number === usual ? undefined : number, path: path === '' ? '/' : path, query }
}

/** The URL as it may be shown: names and harmless values only. */
export function redactUrl({ secure, host, port, path, query }: UrlText): string {
  const target = query === undefined ? path : `${path}?${query}`
  return `${secure ? 'https' : 'http'}://${host}${port === undefined ? '' : `:${port}`}${redactTarget(target)}`
}

/** Account and service as host, port, path or, failing these, the token's own parameters have them. */
export function whereaboutsOf({ host, port, path }: UrlText, values: Readonly<SasValues> | undefined): Whereabouts {
  if (!ADDRESS.test(host)) {
    const [account = '', ...labels] = host.split('.')
    // The second label, or the third in the names of zones (`ACCOUNT.z6.blob.storage.azure.net`).
    const service = SERVICE_NAMES.find((name) => labels[0] === name) ?? SERVICE_NAMES.find((name) => labels[1] === name)
    return { account: primary(account), service: service ?? serviceIn(values), pathPrefix: '' }
  }
  const segment = path.split('/')[1] ?? ''
  const emulated = port === undefined ? undefined : EMULATED[port - 10000]
  return { account: primary(segment), service: emulated ?? serviceIn(values), pathPrefix: segment === '' ? '' : `/${segment}` }
}

/** Every signature in a text, in each spelling that it has there or could get. */
export function signaturesIn(text: string): readonly string[] {
  const found = new Set<string>()
  let level = text
  for (let i = 0; i <= DECODINGS; i += 1) {
    for (const [, value = ''] of level.matchAll(SIGNATURE)) {
      for (const spelling of [value, softDecode(value), encodeURIComponent(softDecode(value))]) if (spelling.length >= SHORTEST) found.add(spelling)
    }
    level = softDecode(level)
  }
  return [...found].toSorted((a, b) => b.length - a.length)
}

/** `text` without any of the signatures. */
export function hideSignatures(text: string, signatures: readonly string[]): string {
  return signatures.reduce((rest, signature) => rest.replaceAll(signature, 'REDACTED'), text)
}

function primary(account: string): string {
  return account.replace(/-secondary$/, '')
}

/** `sr` and `tn` tell, `ss` names the services; a token with none of them is a queue's. */
function serviceIn(values: Readonly<SasValues> | undefined): ServiceName {
  if (values === undefined) return 'blob'
  const { sr, tn, ss } = values
  if (tn !== undefined) return 'table'
  if (sr !== undefined) return sr === 's' || sr === 'f' ? 'file' : sr === 'q' ? 'queue' : 'blob'
  if (ss === undefined) return 'queue'
  return SERVICE_NAMES.find((name) => ss.includes(SERVICES[name].accountSasLetter)) ?? 'blob'
}

/** Escape by escape, so that a malformed one leaves the others. */
function softDecode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes)
    } catch {
      return escapes
    }
  })
}
