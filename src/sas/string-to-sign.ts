// The strings to sign, as rows: kind, service, first version, lines (spec/sas.md 5.1 to 5.7). A new version of the
// service is a new row here and nothing else.
import type { ServiceTraits } from '../azure/services.ts'
import { RIDER_NAMES, type SasKind, type SasName, type SasValues } from './fields.ts'

type Word = ServiceTraits['resourceWord']
/** Lines that are not simply the value of a parameter: account name, canonicalized resource, snapshot, signed headers, signed parameters. */
type MadeLine = 'ACCOUNT' | 'RES' | 'SNAP' | 'HDR' | 'QRY'
type Line = SasName | MadeLine

type MadeLines = Readonly<Partial<Record<MadeLine, string>>>

/** What the lines of one token say; an absent one is an empty line. */
export type Lines = Readonly<SasValues> & MadeLines

export interface Layout {
  readonly kind: SasKind
  /** The first service version that signs so. */
  readonly from: string
  readonly lines: readonly Line[]
  /** Ends with a line feed; only the account SAS does (spec/sas.md 3). */
  readonly closed: boolean
  /** Names that this layout does not sign and that may not be there for that reason (spec/sas.md 7.3). */
  readonly riders: readonly SasName[]
  /** Signs headers and parameters of the request (spec/sas.md 13). */
  readonly signsRequest: boolean
}

const RSC = 'rscc rscd rsce rscl rsct'
const KEY = 'skoid sktid skt ske sks skv'

const ROWS: readonly (readonly [SasKind, Word | 'any', from: string, lines: string])[] = [
  ['account', 'any', '2015-04-05', 'ACCOUNT sp ss srt st se sip spr sv'],
  ['account', 'any', '2020-12-06', 'ACCOUNT sp ss srt st se sip spr sv ses'],

  ['service', 'blob', '2015-04-05', `sp st se RES si sip spr sv ${RSC}`],
  ['service', 'blob', '2018-11-09', `sp st se RES si sip spr sv sr SNAP ${RSC}`],
  ['service', 'blob', '2020-12-06', `sp st se RES si sip spr sv sr SNAP ses ${RSC}`],
  ['service', 'file', '2015-04-05', `sp st se RES si sip spr sv ${RSC}`],
  ['service', 'queue', '2015-04-05', 'sp st se RES si sip spr sv'],
  ['service', 'table', '2015-04-05', 'sp st se RES si sip spr sv spk srk epk erk'],

  ['user-delegation', 'blob', '2018-11-09', `sp st se RES ${KEY} sip spr sv sr SNAP ${RSC}`],
  ['user-delegation', 'blob', '2020-02-10', `sp st se RES ${KEY} saoid suoid scid sip spr sv sr SNAP ${RSC}`],
  ['user-delegation', 'blob', '2020-12-06', `sp st se RES ${KEY} saoid suoid scid sip spr sv sr SNAP ses ${RSC}`],
  ['user-delegation', 'blob', '2025-07-05', `sp st se RES ${KEY} saoid suoid scid skdutid sduoid sip spr sv sr SNAP ses ${RSC}`],
  ['user-delegation', 'blob', '2026-04-06', `sp st se RES ${KEY} saoid suoid scid skdutid sduoid sip spr sv sr SNAP ses HDR QRY ${RSC}`],
  ['user-delegation', 'queue', '2025-07-05', `sp st se RES ${KEY} skdutid sduoid sip spr sv`],
  ['user-delegation', 'file', '2025-07-05', `sp st se RES ${KEY} skdutid sduoid sip spr sv ${RSC}`],
]

/** For each kind and service, newest first. */
const LAYOUTS: Readonly<Record<SasKind, Readonly<Record<Word, readonly Layout[]>>>> = {
  'account': layoutsOf('account'),
  'service': layoutsOf('service'),
  'user-delegation': layoutsOf('user-delegation'),
}

/**
 * The layout for a version (`YYYY-MM-DD`): the newest that began no later, so an unknown newer version is tried with the
 * newest known (spec/sas.md 4). Undefined where no layout with a protocol line exists.
 */
export function layoutFor(kind: SasKind, word: Word, version: string): Layout | undefined {
  return LAYOUTS[kind][word].find((layout) => layout.from <= version)
}

/** Joins the lines; the text that the signature is made over. `made` are those that are no parameters, where they stand apart. */
export function stringToSign(layout: Layout, lines: Lines, made: MadeLines = lines): string {
  let text = ''
  for (const line of layout.lines) text += `${lines[line] ?? made[line as MadeLine] ?? ''}\n`
  return layout.closed ? text : text.slice(0, -1)
}

function layoutsOf(kind: SasKind): Record<Word, readonly Layout[]> {
  const of = (word: Word): Layout[] => ROWS.filter((row) => row[0] === kind && (row[1] === word || row[1] === 'any')).map(layoutOf).toReversed()
  return { blob: of('blob'), file: of('file'), queue: of('queue'), table: of('table') }
}

function layoutOf([kind, , from, text]: (typeof ROWS)[number]): Layout {
  const lines = text.split(' ') as Line[]
  const signed = new Set<Line>(lines)
  const signsRequest = signed.has('HDR')
  // The lists srh and srq have no line of their own; they are signed through the blocks.
  const riders = RIDER_NAMES.filter((name) => !signed.has(name) && !(signsRequest && (name === 'srh' || name === 'srq')))
  return Object.freeze({ kind, from, lines, closed: kind === 'account', riders, signsRequest })
}
