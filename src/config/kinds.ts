// The kinds of values that a configuration file has: how each is written, read, and described to people.
import { isIP } from 'node:net'
import { isHostName, readConnect, readUrl } from './url.ts'

/** The part of a schema node that a kind looks at: its bounds. Durations in ms, sizes in bytes. */
export interface Bounds {
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly (string | number | boolean)[]
}

/** Not a value of that kind; `found` says in words what it is instead, where the value itself must not be shown. */
export class Unfit {
  readonly found: string | undefined

  constructor(found?: string) {
    this.found = found
  }
}

export interface Kind {
  /** How JSON Schema sees it. */
  readonly json: { readonly type?: string | readonly string[]; readonly pattern?: string }
  /** One or two words for the reference. */
  readonly title: string
  /** What would be right, for a fault. */
  readonly allowed: (bounds: Bounds) => string
  /** A wrong value may be shown. False where people paste secrets. */
  readonly shown: boolean
  readonly read: (value: string | number | boolean, bounds: Bounds) => unknown
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, B: 1, KiB: 1024, MiB: 1_048_576, GiB: 1_073_741_824 }

const inside = (value: number, { minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: Bounds) =>
  Number.isSafeInteger(value) && value >= minimum && value <= maximum ? value : new Unfit()

const measure = (pattern: RegExp) => (value: unknown, bounds: Bounds): unknown => {
  const [, digits, unit] = pattern.exec(String(value)) ?? []
  return digits === undefined ? new Unfit() : inside(Number(digits) * (UNITS[unit ?? ''] ?? NaN), bounds)
}

/** Given ms, returns the shortest way to write it in a configuration: `90s`, `24h`. */
export const durationText = (ms: number): string => inUnits(ms, ['h', 'm', 's', 'ms'])

/** Given bytes, returns the shortest way to write it in a configuration: `32KiB`. */
export const sizeText = (bytes: number): string => inUnits(bytes, ['GiB', 'MiB', 'KiB', 'B'])

function inUnits(value: number, units: readonly string[]): string {
  const unit = value === 0 ? 's' : units.find((u) => value % (UNITS[u] ?? 1) === 0) ?? ''
  return `${value / (UNITS[unit] ?? 1)}${units.includes(unit) ? unit : units.at(-1)}`
}

const range = ({ minimum, maximum }: Bounds, write: (value: number) => string) =>
  [...(minimum === undefined ? [] : [`from ${write(minimum)}`]), ...(maximum === undefined ? [] : [`to ${write(maximum)}`])].map((t) => ` ${t}`).join('')

const string = (title: string, allowed: string, read: (text: string) => unknown, options: { pattern?: string; shown?: boolean } = {}): Kind => ({
  json: { type: 'string', ...(options.pattern === undefined ? {} : { pattern: options.pattern }) },
  title,
  allowed: () => allowed,
  shown: options.shown ?? true,
  read: (value) => typeof value === 'string' ? read(value) : new Unfit(),
})

const matching = (title: string, allowed: string, pattern: string): Kind => {
  const expression = new RegExp(pattern)
  return string(title, allowed, (text) => expression.test(text) ? text : new Unfit(), { pattern })
}

const DURATION = '^(\\d+)(ms|s|m|h|d)$'
const SIZE = '^(\\d+)(B|KiB|MiB|GiB)$'

// A key that is pasted where the name of its file belongs would come back in "no such file".
const PASTED = /[\0\r\n]|-----BEGIN|^[A-Za-z0-9+/]{20,}={1,2}$|AccountKey=|SharedAccessSignature|[?&]sig=/

function readFileName(text: string): unknown {
  if (PASTED.test(text)) return new Unfit('what looks like the secret itself')
  return text === '' ? new Unfit('an empty name') : text
}

function readAddress(text: string): unknown {
  const [low = '', high = low, ...more] = text.split('-')
  return more.length === 0 && isIP(low) !== 0 && isIP(low) === isIP(high) ? text : new Unfit()
}

function readNetwork(text: string): unknown {
  const [address = '', bits = '0', ...more] = text.split('/')
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  return more.length === 0 && !address.includes('%') && /^\d{1,3}$/.test(bits) && Number(bits) <= longest ? text : new Unfit()
}

function readName(text: string): unknown {
  const name = text.toLowerCase().replace(/\.$/, '')
  return isHostName(name) ? name : new Unfit()
}

function readUpstreamUrl(text: string): unknown {
  const url = readUrl(text)
  return typeof url === 'string' ? new Unfit(url) : url
}

export const KINDS = {
  boolean: { json: { type: 'boolean' }, title: 'true or false', allowed: () => 'true or false', shown: true, read: (v) => typeof v === 'boolean' ? v : new Unfit() },
  integer: {
    json: { type: 'integer' },
    title: 'whole number',
    allowed: (bounds) => `a whole number${range(bounds, String)}`,
    shown: true,
    read: (value, bounds) => typeof value === 'number' ? inside(value, bounds) : new Unfit(),
  },
  ratio: {
    json: { type: 'number' },
    title: 'number',
    allowed: () => 'a number from 0 to 1',
    shown: true,
    read: (value) => typeof value === 'number' && value >= 0 && value <= 1 ? value : new Unfit(),
  },
  workers: {
    json: { type: ['integer', 'string'] },
    title: 'whole number or `auto`',
    allowed: (bounds) => `a whole number${range(bounds, String)}, or auto`,
    shown: true,
    read: (value, bounds) => value === 'auto' ? value : typeof value === 'number' ? inside(value, bounds) : new Unfit(),
  },
  choice: {
    json: {},
    title: 'choice',
    allowed: ({ enum: values = [] }) => values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`,
    shown: true,
    read: (value, { enum: values = [] }) => values.includes(value) ? value : new Unfit(),
  },
  duration: {
    json: { type: 'string', pattern: DURATION },
    title: 'duration',
    allowed: (bounds) => `a duration such as 500ms, 10s, 2m, 24h or 7d${range(bounds, durationText).replace(/^(?=.)/, ',')}`,
    shown: true,
    read: measure(new RegExp(DURATION)),
  },
  size: {
    json: { type: 'string', pattern: SIZE },
    title: 'size',
    allowed: (bounds) => `a size such as 512B, 16KiB or 64MiB${range(bounds, sizeText).replace(/^(?=.)/, ',')}`,
    shown: true,
    read: measure(new RegExp(SIZE)),
  },
  file: string('file', 'the name of a file, relative to this one', readFileName, { shown: false }),
  bind: string('address', 'an IP address or a host name', (text) => isIP(text) !== 0 || isHostName(text) ? text : new Unfit()),
  name: string('host name', 'a host name, without wildcard or port', readName),
  url: string('URL', 'an https URL without user name, query and fragment', readUpstreamUrl, { shown: false, pattern: '^https?://' }),
  connect: string('HOST:PORT', 'HOST:PORT, an IPv6 address in brackets', (text) => readConnect(text) ?? new Unfit()),
  prefix: string('path', 'a path of plain segments that begins with / and has no dot segments',
    (text) => /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+(?:\/|$))*$/.test(text) && !/\/\.{1,2}(?:\/|$)/.test(text) ? text.replace(/(?<=.)\/$/, '') : new Unfit(),
    { pattern: '^/' }),
  account: matching('account name', '3 to 24 lower-case letters and digits', '^[a-z0-9]{3,24}$'),
  label: matching('name', 'letters, digits, dots, hyphens and underscores, 63 at most', '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
  address: string('address', 'an IP address or LOW-HIGH', readAddress),
  network: string('network', 'an IP address or a network such as 10.0.0.0/24', readNetwork),
  range: string('address or range', 'an IP address, LOW-HIGH or a network such as 10.0.0.0/24', (text) => text.includes('-') ? readAddress(text) : readNetwork(text)),
  san: matching('SAN', 'URI: or DNS: and the whole name', '^(?:URI|DNS):.+$'),
  opaque: { json: {}, title: 'section', allowed: () => 'nothing', shown: false, read: (value) => value },
} as const satisfies Record<string, Kind>

export type KindName = keyof typeof KINDS
