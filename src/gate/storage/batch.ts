// Batches are read whole, within their limit, before they go up: each part may carry a SAS of its own, which is verified
// and tightened; parts that name the gateway are put on the service's name. A part that cannot be read, or a token that does
// not hold, refuses the whole (spec/sas.md section 14).
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { BATCH_LIMIT, requestLines, type RequestLine } from '../../azure/batch.ts'
import { parseTarget } from '../../azure/target.ts'
import { Refusal, refuse } from '../../refusal.ts'
import { admitSas, type KeptResults, type SasVerdict } from '../../sas/admission.ts'
import { hostName, isApis, type SiteTable, type StorageRoute } from '../../upstream/routes.ts'
import type { RequestFields } from '../headers.ts'
import type { BatchBudget } from './batch-budget.ts'
import { collectBody } from './collect.ts'
import type { FieldEdits } from './resign.ts'
import type { Transaction } from '../transaction.ts'

/** What judging the parts needs to know. */
export interface BatchFacts {
  readonly route: StorageRoute
  readonly sites: SiteTable
  readonly kept: KeptResults
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

export interface JudgedBatch {
  readonly body: Buffer
  /** True if any part was edited. */
  readonly edited: boolean
  readonly verdicts: readonly SasVerdict[]
}

/**
 * Reads a batch's body; rejects with `batch-malformed` beyond its limit, and in an encoding that hides it, and with `overloaded`
 * where the budget has no room for it. Its bytes count until the request is over.
 */
export async function readBatch(transaction: Transaction, fields: RequestFields, budget: BatchBudget): Promise<Buffer> {
  if (CONTENT_CODED.test(fields.lines)) refuse('batch-malformed', { why: 'encoded body' })
  if ((fields.contentLength ?? 0) > BATCH_LIMIT) refuse('batch-malformed', { why: 'too large' })
  transaction.askForBody()
  return collectBody(transaction, BATCH_LIMIT, budget)
}

/** Judges every part. Refuses with `batch-malformed` or the `sas-*` reason of a part's token. */
export function judgeBatch(body: Buffer, facts: BatchFacts): JudgedBatch {
  const text = body.toString('latin1')
  const lines = requestLines(text)
  if (typeof lines === 'string') return refuse('batch-malformed', { why: lines })
  const verdicts: SasVerdict[] = []
  let out = ''
  let at = 0
  for (const line of lines) {
    out += text.slice(at, line.start) + judgePart(line, facts, verdicts)
    at = line.end
  }
  out += text.slice(at)
  return out === text ? { body, edited: false, verdicts } : { body: Buffer.from(out, 'latin1'), edited: true, verdicts }
}

/** The fields that an edited body changes. */
export function batchEdits(body: Buffer, fields: RequestFields): FieldEdits {
  const edits = new Map<string, string>()
  if (!fields.chunked) edits.set('content-length', String(body.length))
  if (/(?:^|\r\n)content-md5:/i.test(fields.lines)) edits.set('content-md5', createHash('md5').update(body).digest('base64'))
  return edits
}

/** A body at hand as the stream that the upstream room reads. */
export function streamOf(body: Buffer): Readable {
  return Readable.from([body], { objectMode: false })
}

const ABSOLUTE = /^(https?):\/\/([^/?#]+)([^#]*)$/i
/** `ftp:…`, `http:/…`: not for us to guess. */
const OTHER_SCHEME = /^[a-z][a-z0-9+.-]*:/i
const CONTENT_CODED = /(?:^|\r\n)content-encoding:(?![ \t]*(?:identity)?[ \t]*\r\n)/i

/** The request target of a part as it is sent upstream. */
function judgePart({ target }: RequestLine, facts: BatchFacts, verdicts: SasVerdict[]): string {
  const absolute = ABSOLUTE.exec(target)
  if (absolute?.[1]?.toLowerCase() === 'http') refuse('batch-malformed', { why: 'a part names http' })
  if (absolute === null && OTHER_SCHEME.test(target)) refuse('batch-malformed', { why: 'a part\'s target' })
  const relative = absolute === null ? target : (absolute[3] ?? '')
  const { pathPrefix } = facts.route.origin
  const front = absolute === null ? pathPrefix : frontOf(absolute[2] ?? '', facts)
  const bare = absolute === null && !relative.startsWith('/') && pathPrefix === ''
  return front + tightened(relative.startsWith('/') ? relative : `/${relative}`, facts, verdicts, bare)
}

/** Where a part names the gateway it is put on the service's name; where it names the service it stays; nobody else is named. */
function frontOf(authority: string, { route, sites }: BatchFacts): string {
  const name = hostName(authority)
  const site = name === undefined ? undefined : sites.get(name)
  if (site !== undefined && !isApis(site) && site.account === route.account && site.service === route.service) return `https://${route.origin.host}${route.origin.pathPrefix}`
  if (authority.toLowerCase() === route.origin.host.toLowerCase()) return `https://${authority}`
  return refuse('batch-malformed', { why: 'a part names another host' })
}

/** A part's path and query; `bare` says that the slash in front is ours. */
function tightened(pathAndQuery: string, facts: BatchFacts, verdicts: SasVerdict[], bare: boolean): string {
  const { path, query, decodedPath } = readTarget(pathAndQuery)
  const shown = bare ? path.slice(1) : path
  if (query === undefined) return shown
  const { route, kept, address, now } = facts
  const sas = admitSas({ service: route.service, decodedPath, query, now, clientAddress: address, header: () => undefined }, route.sas, kept)
  if (sas !== undefined) verdicts.push(sas)
  return `${shown}?${sas?.query ?? query}`
}

function readTarget(pathAndQuery: string): { path: string; query: string | undefined; decodedPath: string } {
  try {
    return parseTarget(pathAndQuery, '')
  } catch (error) {
    if (error instanceof Refusal) return refuse('batch-malformed', { why: 'a part\'s target' })
    throw error
  }
}
