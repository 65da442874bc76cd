// The names of a shared access signature: which query parameters belong to it (spec/sas.md 2.1), and the three kinds.

export type SasKind = 'account' | 'service' | 'user-delegation'

/** Exactly these are SAS names. `snapshot`, `versionid`, `api-version`, `comp` and every other name are not. */
export const SAS_NAMES = [
  'sv', 'ss', 'srt', 'sr', 'si', 'sp', 'st', 'se', 'sip', 'spr', 'sig',
  'tn', 'spk', 'srk', 'epk', 'erk',
  'rscc', 'rscd', 'rsce', 'rscl', 'rsct',
  'ses', 'sdd',
  'skoid', 'sktid', 'skt', 'ske', 'sks', 'skv',
  'saoid', 'suoid', 'scid', 'skdutid', 'sduoid', 'srh', 'srq',
] as const
export type SasName = (typeof SAS_NAMES)[number]

/** Ordinary parameters that no token holds, yet some layouts sign their values (spec/sas.md 5.2). */
const COMPANION_NAMES = ['snapshot', 'versionid'] as const
export type CompanionName = (typeof COMPANION_NAMES)[number]

/** Text to name, so that a name cut out of a query becomes the one string that is a property key. */
export const SAS_NAME: ReadonlyMap<string, SasName> = new Map(SAS_NAMES.map((name) => [name, name]))
export const COMPANION_NAME: ReadonlyMap<string, CompanionName> = new Map(COMPANION_NAMES.map((name) => [name, name]))

/** Decoded values by name. `undefined` is absent, `''` present and empty; a signed line is empty for both. */
export type SasValues = Record<SasName | CompanionName, string | undefined>

const ABSENT = Object.fromEntries([...SAS_NAMES, ...COMPANION_NAMES].map((name) => [name, undefined])) as SasValues

/** Every name absent; always of one shape, which is what makes reading by name cheap. */
export function noValues(): SasValues {
  return { ...ABSENT }
}

/** The six texts that name a user delegation key (spec/sas.md 12). */
export const DELEGATION_NAMES = ['skoid', 'sktid', 'skt', 'ske', 'sks', 'skv'] as const satisfies readonly SasName[]

/** Names that the service acts upon, so that they may not ride along unsigned (spec/sas.md 7.3). */
export const RIDER_NAMES = ['ses', 'saoid', 'suoid', 'scid', 'skdutid', 'sduoid', 'srh', 'srq'] as const satisfies readonly SasName[]
