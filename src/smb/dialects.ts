// The dialects and ciphers of SMB, by number and by name ([MS-SMB2] 2.2.3, 2.2.3.1.2).

/** What a guard demands of a connection. */
export interface Rules {
  /** The lowest dialect that counts: 0x0300, 0x0302 or 0x0311. */
  readonly minDialect: number
  /** The numbers of the allowed ciphers. */
  readonly ciphers: ReadonlySet<number>
  /** One leading SMB 1 NEGOTIATE that offers `SMB 2.???` passes. */
  readonly smb1Upgrade: boolean
  /** A signed TREE_CONNECT passes in clear. */
  readonly clearTreeConnect: boolean
}

export const AES_128_CCM = 1
export const SMB_3_1_1 = 0x0311
/** The dialect of an answer to SMB 1 that asks the client to negotiate again. */
export const WILDCARD = 0x02ff

/** By the name in the configuration. */
export const CIPHERS: ReadonlyMap<string, number> = new Map([
  ['aes-256-gcm', 4], ['aes-128-gcm', 2], ['aes-256-ccm', 3], ['aes-128-ccm', AES_128_CCM],
])
const CIPHER_NAMES: ReadonlyMap<number, string> = new Map([...CIPHERS].map(([name, id]) => [id, name]))

/** The dialects that encrypt, by the name in the configuration. */
export const ENCRYPTING: ReadonlyMap<string, number> = new Map([['3.0', 0x0300], ['3.0.2', 0x0302], ['3.1.1', SMB_3_1_1]])

const DIALECT_NAMES: ReadonlyMap<number, string> = new Map([
  [0x0202, '2.0.2'], [0x0210, '2.1'], [WILDCARD, '2.x'], ...[...ENCRYPTING].map(([name, id]) => [id, name] as const),
])

/** What a metric may say about a dialect; `none` where nothing was offered. */
export const DIALECT_LABELS = ['smb1', '2.0.2', '2.1', '3.0', '3.0.2', '3.1.1', 'none'] as const
export type DialectLabel = (typeof DIALECT_LABELS)[number]

/** Returns the name of a dialect, e.g. `3.1.1`; its number in hex where it has none. */
export function dialectName(dialect: number): string {
  return DIALECT_NAMES.get(dialect) ?? `0x${dialect.toString(16).padStart(4, '0')}`
}

/** Returns the name of a cipher, as in the configuration. */
export function cipherName(cipher: number): string {
  return CIPHER_NAMES.get(cipher) ?? `0x${cipher.toString(16).padStart(4, '0')}`
}

/**
 * Returns whether a dialect may be agreed. 3.0 and 3.0.2 know no other cipher than AES-128-CCM, so they count only
 * where it is allowed (docs/spec/smb-guard.md section 4).
 */
export function counts(dialect: number, { minDialect, ciphers }: Rules): boolean {
  if (dialect === SMB_3_1_1) return true
  return (dialect === 0x0300 || dialect === 0x0302) && dialect >= minDialect && ciphers.has(AES_128_CCM)
}

/** Returns the label of the best dialect in a list of names. */
export function bestLabel(offered: readonly string[]): DialectLabel {
  return DIALECT_LABELS.findLast((label) => label !== 'none' && offered.includes(label)) ?? 'none'
}
