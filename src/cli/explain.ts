// tidegate explain: what docs/refusals.md says about a reason, for whoever has only a terminal.
import { readDocument, sectionOf } from '../admin/documents.ts'
import { nearest } from '../config/fault.ts'
import { REASONS, REFUSALS, type Reason } from '../refusal.ts'
import { readArguments } from './arguments.ts'
import { helpHint, sayError } from './voice.ts'

const HELP = `usage: tidegate explain REASON [--json]

Prints what docs/refusals.md says about a reason for a refusal: what it means, what the client sees, what to do.

  REASON       as in x-tidegate-reason, the log and tidegate_refusals_total
  --json       one JSON object: {"reason", "stage", "status", "code", "text"}
  -h, --help   this text

Exit code: 0; 2 for a reason that does not exist, and for wrong usage.
`

const OPTIONS = { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } as const

/** Runs `explain` with the arguments after it. Returns the exit code: 0, or 2 for a reason that does not exist. */
export async function explainCommand(args: string[]): Promise<number> {
  const read = readArguments('explain', { args, options: OPTIONS, allowPositionals: true })
  if (read === undefined) return Promise.resolve(2)
  const { values, positionals: [reason, ...more] } = read
  if (values.help) process.stdout.write(HELP)
  else if (reason === undefined || more.length > 0) return wrong(reason === undefined ? 'explain needs a reason' : 'explain takes one reason')
  else if (isReason(reason)) process.stdout.write(values.json ? jsonFor(reason) : textFor(reason))
  else return wrong('no such reason', ...suggestion(reason))
  return 0
}

const isReason = (word: string): word is Reason => Object.hasOwn(REFUSALS, word)

function suggestion(word: string): string[] {
  const meant = nearest(word, REASONS)
  return meant === undefined ? [] : [`did you mean ${meant}?`]
}

function wrong(what: string, ...hints: string[]): number {
  process.stderr.write(sayError(what, ...hints, helpHint('explain')))
  return 2
}

function textFor(reason: Reason): string {
  const { stage, status } = REFUSALS[reason]
  return `${reason} (stage ${stage}${status === null ? '' : `, status ${status}`})\n\n${plainText(said(reason))}\n`
}

function jsonFor(reason: Reason): string {
  const { stage, status, azure } = REFUSALS[reason]
  return `${JSON.stringify({ reason, stage, status, code: azure, text: said(reason) })}\n`
}

/** Falls back to the table where the documents are not there. */
function said(reason: Reason): string {
  return sectionOf(readDocument('refusals') ?? '', `\`${reason}\``) ?? REFUSALS[reason].says
}

/** Markdown as a terminal shows it: no marks of emphasis, and of a link its text. */
function plainText(markdown: string): string {
  return markdown.replace(/\*\*([^*]+)\*\*/g, '$1').replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
}
