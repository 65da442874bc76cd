// What a wish for a SAS may say: the options of `mint` by name, which of them go with what, and how a fault is told.

/** Every option that takes a text, in the order of the help. */
export const WISH_OPTIONS = [
  'service', 'container', 'blob', 'directory', 'snapshot', 'version', 'share', 'file', 'queue', 'table', 'services', 'types',
  'permissions', 'expires', 'starts', 'ip', 'identifier',
  'cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-type',
  'encryption-scope', 'signed-version', 'start-partition', 'start-row', 'end-partition', 'end-row',
] as const
export type WishOption = (typeof WISH_OPTIONS)[number]

export const WISH_FLAGS = ['account-sas', 'allow-broad'] as const
export type WishFlag = (typeof WISH_FLAGS)[number]

/** As it was written, nothing of it believed. */
export type Wish = Readonly<Partial<Record<WishOption, string> & Record<WishFlag, boolean>>>

/** As in a configuration: where, what was found, what is allowed. */
export interface WishFault {
  readonly path: string
  readonly found: string
  readonly allowed: string
}

/** The wish cannot be met. */
export class WishFaults extends Error {
  readonly faults: readonly WishFault[]

  constructor(faults: readonly WishFault[]) {
    super(`${faults.length} faults`)
    this.name = 'WishFaults'
    this.faults = faults
  }
}

/** Collects faults, so that all of them are told at once. */
export type Faults = WishFault[]

const LONGEST = 60
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Notes a fault of an option. */
export function fault(faults: Faults, option: WishOption | WishFlag | 'user-delegation-key' | 'account', found: string, allowed: string): undefined {
  faults.push({ path: `--${option}`, found, allowed })
}

/** A value as it may stand on a terminal: on one line, 60 characters at most. */
export function shown(value: string): string {
  if (value === '') return 'empty text'
  const line = visible(value)
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line
}

/** Text without characters that a terminal obeys or that turn it around. */
export function visible(value: string): string {
  return value.replace(UNPRINTABLE, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
}

/**
 * What holds for every text: it is there, can be written in UTF-8, and has no control characters, since a line feed would
 * shift the lines that are signed, and the gateway refuses a path that holds one.
 */
export function checkTexts(wish: Wish, faults: Faults): void {
  for (const option of WISH_OPTIONS) {
    const value = wish[option]
    if (value === undefined) continue
    if (value === '') fault(faults, option, 'empty text', 'a text')
    else if (!value.isWellFormed() || CONTROL.test(value)) fault(faults, option, shown(value), 'text without control characters')
  }
}

/** Faults for every option that is given and does not go with what the wish is for. */
export function checkFitting(wish: Wish, fitting: ReadonlySet<WishOption | WishFlag>, what: string, faults: Faults): void {
  for (const option of WISH_OPTIONS) {
    const value = wish[option]
    if (value !== undefined && !fitting.has(option)) fault(faults, option, shown(value), `nothing for ${what}`)
  }
  for (const flag of WISH_FLAGS) if (wish[flag] === true && !fitting.has(flag)) fault(faults, flag, 'it', `nothing for ${what}`)
}
