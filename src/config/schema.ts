// The whole configuration file in one place: every key with its kind, its default and what it does (contract section 3).
// The types, the reader (read.ts), config/tidegate.schema.json and docs/configuration.md all come from here.
import type { Static, TArray, TObject, TOptional, TProperties, TSchema, TUnsafe } from 'typebox'
import { Type } from './builders.ts'
import { KINDS, type Bounds, type KindName } from './kinds.ts'
import type { Connect, EndpointUrl } from './url.ts'

/**
 * What is done with a file that the configuration names. `client-ca` and `crl` are read where client certificates are asked
 * for; what is `written` is never read; an `inventory` of accounts is read by the audit, on its own schedule.
 */
export type FileUse = 'certificate' | 'key' | 'account-key' | 'delegation-key' | 'ticket-secret' | 'trust' | 'client-ca' | 'crl' | 'otlp-headers' | 'denied-tokens' | 'written' | 'inventory'

/** A node of the schema as the reader and the reference see it. */
export interface Node extends Bounds {
  readonly kind?: KindName
  readonly use?: FileUse
  readonly description?: string
  /** As it would stand in the file. */
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[] | undefined
  readonly items?: Node
  readonly minItems?: number
  readonly maxItems?: number
  readonly anyOf?: readonly Node[]
}

type Options = Bounds & { default?: unknown; use?: FileUse }

const leaf = <T>(kind: KindName, description: string, options: Options = {}): TUnsafe<T> =>
  Type.Unsafe<T>({ ...KINDS[kind].json, ...options, description, kind })

const section = <P extends TProperties>(description: string, properties: P, options: { default?: unknown } = {}): TObject<P> =>
  Type.Object(properties, { additionalProperties: false, description, ...options })

const list = <T extends TSchema>(items: T, description: string, options: { default?: unknown; minItems?: number; maxItems?: number } = {}): TArray<T> =>
  Type.Array(items, { description, ...options })

const choice = <T extends string>(values: readonly T[], description: string, fallback: T) =>
  leaf<T>('choice', description, { enum: values, default: fallback })

const optional = <T extends TSchema>(schema: T): TOptional<T> => Type.Optional<T>(schema)

const DAY = 86_400_000

const integer = (fallback: number, minimum: number, maximum: number, description: string) =>
  leaf<number>('integer', description, { default: fallback, minimum, maximum })

const duration = (fallback: string, description: string, { minimum = 1, maximum = DAY }: Bounds = {}) =>
  leaf<number>('duration', description, { default: fallback, minimum, maximum })

const ratio = (description: string) => leaf<number>('ratio', description, { default: 1 })

const boolean = (fallback: boolean, description: string) => leaf<boolean>('boolean', description, { default: fallback })

const file = (use: FileUse, description: string) => leaf<string>('file', description, { use })

const addressAndPort = (host: string, port: number) => ({
  host: leaf<string>('bind', 'The address to listen on.', { default: host }),
  port: integer(port, 0, 65_535, 'The port; 0 takes a free one, which the log line `listening` shows.'),
})

const listener = (host: string, port: number, description: string) => section(description, addressAndPort(host, port))

const pair = (description: string) => section(description, {
  cert: file('certificate', 'PEM: the certificate, then its intermediates.'),
  key: file('key', 'PEM: its private key, not encrypted.'),
})

const VERIFY = ['none', 'optional', 'required'] as const

const verify = (description: string) => optional(leaf<(typeof VERIFY)[number]>('choice', description, { enum: VERIFY }))

const sans = () => optional(list(leaf<string>('san', 'A subject alternative name, whole and exact: `URI:...` or `DNS:...`.'),
  'Only these subject alternative names, else 403 `client-not-allowed`. Absent: any certificate of that CA.', { minItems: 1 }))

const far = {
  url: leaf<EndpointUrl>('url', 'Where it is. A path is put in front of every path that is sent upstream.'),
  connect: optional(leaf<Connect>('connect', 'Connect there instead; the names in `Host`, SNI and certificate stay those of the URL.')),
  ca: optional(file('trust', 'PEM: the authorities to trust for it. Absent: the system\'s.')),
  serverName: optional(leaf<string>('name', 'The name that the certificate must have. Absent: that of the URL.')),
  via: optional(Type.Union([
    leaf<'private'>('choice', 'Only private addresses: RFC 1918 and fc00::/7.', { enum: ['private'] }),
    list(leaf<string>('network', 'An address or a range.'), 'Only these addresses.', { minItems: 1 }),
  ], { description: 'Only addresses inside are dialled, judged at each connection (`upstream-not-private`). `private` means RFC 1918 and fc00::/7.' })),
  insecureLoopback: boolean(false, 'Allows `http:`, to a loopback address only.'),
}

/** A URL alone, or a section where more is to be said. */
const endpoint = (service: string) => optional(Type.Union([
  leaf<EndpointUrl>('url', `Where the account's ${service} service is.`),
  section(`The account's ${service} service.`, {
    ...far,
    secondary: optional(leaf<EndpointUrl>('url', 'Where its secondary is; clients reach it as `ACCOUNT-secondary`.')),
  }),
], { description: `The account's ${service} service: a URL, or a section.` }))

const unbuilt = (description: string) => optional(leaf<unknown>('opaque', description))

const ADMIN_HOSTS = 'Names that `Host` may have, beside `localhost` and every IP address. Any other name gets 421.'

const LISTEN = section('What the gateway listens on.', {
  tls: listener('0.0.0.0', 8443, 'TLS only.'),
  plain: optional(listener('0.0.0.0', 8080, 'Exists to refuse plain HTTP with a proper answer. Absent: no such port.')),
  admin: section('The status page, `/livez`, `/readyz`, `/metrics` and `/status`.', {
    ...addressAndPort('127.0.0.1', 9464),
    hosts: list(leaf<string>('name', 'A host name.'), ADMIN_HOSTS, { default: [] }),
  }, { default: {} }),
  proxyProtocol: optional(section('PROXY v1 or v2, for tls and plain.', {
    from: list(leaf<string>('network', 'A sender.'), 'A PROXY header is required from these senders and refused from all others.', { minItems: 1 }),
  })),
})

const CLIENTS = section('Client certificates.', {
  verify: choice(VERIFY, 'Whether clients are asked for a certificate and must have one. One that is shown and does not verify always ends the handshake.', 'none'),
  ca: optional(file('client-ca', 'PEM: the authorities of client certificates.')),
  crl: optional(file('crl', 'PEM: revocation lists, one or several.')),
  allow: sans(),
}, { default: {} })

const TLS = section('What clients meet.', {
  profile: choice(['intermediate', 'modern'], '`intermediate`: TLS 1.2 and 1.3; `modern`: 1.3 only.', 'intermediate'),
  certificates: list(pair('A certificate with its key.'),
    'Chosen by SNI; the first is the default; an RSA and an EC one for the same name are offered side by side.', { minItems: 1 }),
  clients: CLIENTS,
  ticketKeys: optional(file('ticket-secret', '48 or more random bytes in base64, one line, shared by replicas. Absent: made at start and rotated.')),
  handshakeTimeout: duration('10s', 'From accept to a finished handshake.'),
})

const ACCOUNT = section('A storage account.', {
  name: leaf<string>('account', 'The account\'s name.'),
  keys: list(file('account-key', 'A key of the account, base64, one line.'), 'Files with the account\'s keys, newest first.', { default: [], maxItems: 2 }),
  userDelegationKeys: optional(list(file('delegation-key', 'JSON with the SDKs\' field names.'), 'Files with user delegation keys.')),
  blob: endpoint('blob'),
  dfs: endpoint('dfs'),
  file: endpoint('file'),
  queue: endpoint('queue'),
  table: endpoint('table'),
  cse: unbuilt('Client-side encryption.'),
})

const SAS = section('Shared access signatures.', {
  withoutKey: choice(['refuse', 'pass-if-https', 'pass'], 'What happens to a token that cannot be verified for want of a key.', 'refuse'),
  sip: choice(['remove', 'egress', 'keep'], 'What a re-signed token says about addresses.', 'remove'),
  egress: optional(leaf<string>('address', 'With `sip: egress`: the address, or LOW-HIGH, that the service sees.')),
  learnDelegationKeys: boolean(true, 'Remember, in memory, user delegation keys that clients fetch through the gateway.'),
  maxLifetime: duration('24h', 'The longest life of a token that `mint` makes.', { maximum: 3660 * DAY }),
  accept: optional(section('Which valid tokens are carried. Absent: all. The others are refused with `sas-lifetime`.', {
    maxLifetime: optional(leaf<number>('duration', 'The longest lifetime, from `st` (without `st` from now) to `se`. A token without `se` passes. Absent: no limit.',
      { minimum: 1000, maximum: 3660 * DAY })),
    requireIdentifier: boolean(false, 'Refuses account SAS, and service SAS without a stored access policy (`si`). It does not concern user delegation SAS.'),
    mode: choice(['refuse', 'report'], '`report` counts and logs what `refuse` would refuse, and carries it.', 'refuse'),
  })),
  deny: optional(file('denied-tokens', 'A file with revoked tokens (`sas-denied`), one rule on a line; `tidegate deny` appends to it. The gateway applies a change within two seconds.')),
}, { default: {} })

const STORAGE = section('Storage accounts. Clients use `https://ACCOUNT.SERVICE.DOMAIN[:PORT]/`.', {
  domain: leaf<string>('name', 'The domain of the gateway\'s own names; may be Azure\'s own behind private DNS.'),
  port: optional(leaf<number>('integer', 'The port in URLs that the gateway writes. Absent: that of `listen.tls`.', { minimum: 1, maximum: 65_535 })),
  sas: SAS,
  copySources: choice(['known', 'any-https'], '`known`: only the accounts here, by any of their names, may be copied from.', 'known'),
  accounts: list(ACCOUNT, 'The accounts.', { minItems: 1 }),
})

const API = section('An internal API.', {
  name: leaf<string>('label', 'Its label in metrics and logs.'),
  host: leaf<string>('name', 'The name that clients use.'),
  prefix: leaf<string>('prefix', 'Only paths under it; kept on the way up.', { default: '/' }),
  upstream: Type.Union([
    leaf<EndpointUrl>('url', 'Where it is.'),
    section('Where it is.', far),
  ], { description: 'Where it is: a URL, or a section. May carry a path, which is put in front.' }),
  ca: far.ca,
  serverName: far.serverName,
  insecureLoopback: far.insecureLoopback,
  clientCertificate: optional(pair('Mutual TLS upstream.')),
  clients: optional(section('Replaces `tls.clients.verify` and `allow` for this name.', {
    verify: verify('As `tls.clients.verify`. Absent: `required` with `allow`, else `none`.'),
    allow: sans(),
  })),
  websocket: boolean(false, 'WebSocket upgrades are carried too.'),
})

const LIMITS = section('What the gateway takes on.', {
  connections: integer(10_000, 1, 1_000_000, 'Connections at once; more are closed at the door (`too-many-connections`).'),
  connectionsPerAddress: integer(0, 0, 1_000_000, 'Connections at once from one address; 0 is no limit.'),
  handshakes: integer(500, 1, 1_000_000, 'Handshakes in progress; more are closed without work on a signature (`too-many-handshakes`).'),
  requestHeaders: leaf<number>('size', 'The head of a request (`headers-too-large`).', { default: '32KiB', minimum: 1024, maximum: 1_048_576 }),
  headerFields: integer(200, 1, 10_000, 'Fields in the head of a request (`headers-too-large`).'),
  headersTimeout: duration('10s', 'For the whole head of a request, the first one from the end of the handshake.'),
  idleTimeout: duration('75s', 'A kept connection between requests.'),
  minimumRate: integer(240, 1, 1_000_000_000, 'Bytes a second over any 20 s of a body in progress.'),
  connectTimeout: duration('10s', 'DNS, TCP and TLS to an upstream (`upstream-unreachable`).'),
  upstreamTimeout: duration('60s', 'From the last byte of the request until the reply starts (`upstream-timeout`).'),
}, { default: {} })

const LOG = section('The log on standard output.', {
  level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], 'The least that is logged.', 'info'),
  sample: ratio('The share of requests below status 400 that get a line; refusals, errors and cut replies always get theirs.'),
  audit: optional(file('written', 'A file that gets one more line for each refusal: appended to, opened anew at SIGHUP. Absent: none.')),
}, { default: {} })

const TRACING = section('OpenTelemetry: one span for each request, over OTLP/HTTP. Absent: none, and nothing for it is loaded.', {
  endpoint: leaf<EndpointUrl>('url', 'Where spans go: the whole URL, as a rule `https://HOST:4318/v1/traces`.'),
  ratio: ratio('The share of traces that begin here; where a client sends `traceparent`, its own decision holds.'),
  headers: optional(file('otlp-headers', 'A file with fields for each export, one `Name: value` a line.')),
  ca: far.ca,
  insecureLoopback: far.insecureLoopback,
})

const NETWORK = section('The network plan, which `network check` judges and `network write` turns into files, and the audit of storage accounts.', {
  egress: optional(list(leaf<string>('range', 'An address or a range.'), 'The addresses that storage sees of this gateway. Absent: `storage.sas.egress`.', { minItems: 1 })),
  pool: optional(leaf<string>('network', 'The addresses of point-to-site clients.')),
  name: optional(leaf<string>('label', 'The name of the virtual network. `network check` requires it.')),
  location: optional(leaf<string>('label', 'The Azure region. `network check` requires it.')),
  addressSpace: optional(list(leaf<string>('network', 'A range.'), 'The address space of the virtual network. `network check` requires it.', { minItems: 1 })),
  subnets: optional(list(section('A subnet.', {
    name: leaf<string>('label', 'Its name. The VPN gateway\'s subnet is `GatewaySubnet`; private endpoints go into one called `endpoints`.'),
    prefix: leaf<string>('network', 'Its range.'),
  }), 'The subnets. `network check` requires them.', { minItems: 1 })),
  gate: optional(leaf<string>('address', 'The gateway\'s private address. `network check` requires it.')),
  dns: optional(list(leaf<string>('address', 'An address.'), 'DNS servers of the virtual network.', { minItems: 1 })),
  size: optional(leaf<string>('label', 'The size of the VPN gateway; it must be able to do IKEv2. `network check` requires it.')),
  ipsec: section('The IPsec policy of every tunnel. `network check` judges the values.', {
    encryption: leaf<string>('label', 'Of IKE and ESP.', { default: 'GCMAES256' }),
    integrity: leaf<string>('label', 'Of IKE, and of ESP where its encryption has none of its own.', { default: 'SHA384' }),
    dhGroup: leaf<string>('label', 'The key exchange of IKE.', { default: 'ECP384' }),
    pfsGroup: leaf<string>('label', 'The key exchange of ESP.', { default: 'ECP384' }),
  }, { default: {} }),
  audit: optional(section('The gateway judges storage accounts on a schedule, from files that another job writes.', {
    files: list(file('inventory', 'JSON of `az storage account list`, an ARM export or `terraform show`.'), 'Files that list the accounts.', { minItems: 1 }),
    every: duration('1h', 'How often the files are read.', { minimum: 1000, maximum: 31 * DAY }),
  })),
})

export const FILE = section('Configuration of Tidegate.', {
  listen: LISTEN,
  workers: leaf<number | 'auto'>('workers', 'Processes that carry traffic; `auto` is one a core.', { default: 1, minimum: 1, maximum: 1024 }),
  tls: TLS,
  storage: optional(STORAGE),
  apis: list(API, 'Internal APIs: by host, then longest prefix.', { default: [] }),
  smb: unbuilt('Guards on port 445.'),
  offices: unbuilt('Remote offices.'),
  network: optional(NETWORK),
  limits: LIMITS,
  drain: section('What happens on SIGTERM and SIGINT.', {
    announce: duration('0s', 'Not ready, but still serving, for that long.', { minimum: 0 }),
    deadline: duration('30s', 'Then what is left is cut off.', { minimum: 0 }),
  }, { default: {} }),
  log: LOG,
  tracing: optional(TRACING),
})

/** The file as it was read: durations in ms, sizes in bytes, URLs in parts, defaults filled in. */
export type Parsed = Static<typeof FILE>
type ParsedStorage = NonNullable<Parsed['storage']>
type ParsedAccount = ParsedStorage['accounts'][number]
type ParsedApi = Parsed['apis'][number]
export type ParsedEndpoint = NonNullable<ParsedAccount['blob']>

type Frozen<T> = T extends (infer I)[] ? readonly Frozen<I>[] : T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T

/** An upstream, one shape for every service of an account and for every API. */
export interface Upstream {
  readonly url: EndpointUrl
  readonly connect?: Connect
  /** Absolute path of a CA bundle: a key of `Loaded.trust`. */
  readonly ca?: string
  readonly serverName?: string
  /** Only addresses inside are dialled; absent: any. */
  readonly via?: 'private' | readonly string[]
  readonly secondary?: EndpointUrl
}

type ServiceKey = 'blob' | 'dfs' | 'file' | 'queue' | 'table'

export type AccountConfig = Frozen<Omit<ParsedAccount, ServiceKey>> & { readonly [S in ServiceKey]?: Upstream }
export type StorageConfig = Frozen<Omit<ParsedStorage, 'accounts'>> & { readonly accounts: readonly AccountConfig[] }
type ParsedClients = NonNullable<ParsedApi['clients']>
/** Who may use a name: `verify` is filled in. */
export type ClientsConfig = Frozen<ParsedClients> & { readonly verify: NonNullable<ParsedClients['verify']> }
export type ApiConfig = Frozen<Omit<ParsedApi, 'upstream' | 'ca' | 'serverName' | 'insecureLoopback' | 'clients'>> & { readonly upstream: Upstream; readonly clients?: ClientsConfig }

/** The configuration, complete and deeply frozen. Names are those of the file; file paths are absolute. */
export type Config = Frozen<Omit<Parsed, 'storage' | 'apis'>> & { readonly storage?: StorageConfig; readonly apis: readonly ApiConfig[] }
