// Names of offices and of their users, and the URIs that stand for them in certificates (contract 10.6).
import { OfficeFault } from './fault.ts'

const PREFIX = 'urn:tidegate:office:'
/** As in the configuration: `offices[].name`. */
const OFFICE = /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/
/** A user's name becomes part of a URI and of a file name. */
const USER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export interface Holder {
  readonly office: string
  readonly user?: string
}

/** Throws an OfficeFault for a name that an office or a user cannot have. */
export function checkHolder({ office, user }: Holder): void {
  if (!OFFICE.test(office)) throw new OfficeFault('the name of an office has 1 to 63 letters, digits and hyphens, and begins with a letter or digit')
  if (user !== undefined && !USER.test(user)) {
    throw new OfficeFault('the name of a user has 1 to 63 letters, digits, dots, hyphens and underscores, and begins with a letter or digit')
  }
}

/** Returns the URIs of a certificate: that of the office, then that of the user. */
export function urisOf({ office, user }: Holder): string[] {
  return [`${PREFIX}${office}`, ...(user === undefined ? [] : [`${PREFIX}${office}:${user}`])]
}

/** Returns the office that the first such URI names. */
export function officeIn(uris: readonly string[]): string | undefined {
  const uri = uris.find((text) => text.startsWith(PREFIX))
  return uri?.slice(PREFIX.length).split(':')[0]
}

/** Returns what a certificate's files are called, without the ending. */
export const fileName = ({ office, user }: Holder): string => (user === undefined ? office : `${office}-${user}`)

/** Returns how people call a holder. */
export const holderText = ({ office, user }: Holder): string => (user === undefined ? office : `${user} of ${office}`)
