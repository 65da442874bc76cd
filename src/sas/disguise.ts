// Parameter names that are not SAS names as they stand, and that some reader would take for one: written in another case,
// with blanks or control characters around them, in full-width letters, or encoded twice (spec/sas.md 7.2; security.md F19).
import { COMPANION_NAME, SAS_NAME, type CompanionName, type SasName } from './fields.ts'

/** `versionid` with every letter encoded twice, with room for blanks. */
const LONGEST_NAME = 64
const ESCAPES = /(?:%[0-9a-f]{2})+/gi
const BLANK = /[\s\p{Cc}\p{Cf}]/gu
/** What is left of a name that some readers take for an array. */
const INDEX = /\[[^\]]*\]$/

/** Returns the name that a decoded parameter name may be taken for, its own included; undefined for names of no SAS. */
export function likenessOf(name: string): SasName | CompanionName | undefined {
  if (name.length > LONGEST_NAME) return undefined
  const plain = decodeAgain(name).normalize('NFKC').replaceAll(BLANK, '').toLowerCase().replace(INDEX, '')
  return SAS_NAME.get(plain) ?? COMPANION_NAME.get(plain)
}

function decodeAgain(name: string): string {
  return name.includes('%') ? name.replaceAll(ESCAPES, (run) => whole(run) ?? run) : name
}

function whole(run: string): string | undefined {
  try {
    return decodeURIComponent(run)
  } catch {
    return undefined
  }
}
