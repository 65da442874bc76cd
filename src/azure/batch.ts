// Batches: one request that holds several, as `multipart/mixed` of `application/http` parts (spec/sas.md section 14).
// What a service may take for a part's request line is found whatever the framing around it, so that no reading of the
// body can hide one; a body in which something could be one and cannot be read as one is not read at all.
import { mayHoldParameter } from './loose-parameter.ts'
import type { ServiceName } from './services.ts'
import type { Target } from './target.ts'

/** A part's request line. Offsets are of `target`, in Latin-1 characters of the body. */
export interface RequestLine {
  readonly method: string
  readonly target: string
  readonly start: number
  readonly end: number
}

/** A batch is at most this long (Azure's limit for blob batch and entity group transactions). */
export const BATCH_LIMIT = 4 * 1024 * 1024
/** And has at most this many parts (256 for blobs, 100 for tables). */
export const PARTS_LIMIT = 256

const REQUEST_LINE = /^([A-Za-z]+)[ \t]+(\S+)[ \t]+HTTP\/\d(?:\.\d)?[ \t]*\r?$/gm
/** Anything but these hides what a part holds. */
const ENCODED_PART = /^content-transfer-encoding[ \t]*:(?![ \t]*(?:binary|[78]bit)[ \t]*\r?$)/im
/** The head of a part from its type on, and the blank lines after it: what follows is its request line. */
const PART_HEAD = /^content-type[ \t]*:[ \t]*application\/http\b[^\r\n]*(?:(?:\r\n|\r|\n)[^\r\n]+)*(?:\r\n|\r|\n)*/gim
/** A signature on a line that is no entity's: what begins like JSON or XML begins no request and no field. */
const SIGNATURE = /^(?![ \t]*["{}[\],<])[^\r\n]*?[?&](?:s|%[57]3)(?:i|%[46]9)(?:g|%[46]7)=/gim
const BATCH_PATH = /^\/\$batch\/?$/i

/** Returns whether a request is a batch: `comp=batch` on blob and dfs, `/$batch` on table. */
export function isBatch(service: ServiceName, method: string, target: Target): boolean {
  if (method !== 'POST') return false
  if (service === 'table') return BATCH_PATH.test(target.decodedPath)
  if (service !== 'blob' && service !== 'dfs') return false
  return mayHoldParameter(target.query, 'comp', 'batch')
}

/** Every request line in a batch's body, or in fixed words why the body cannot be read. */
export function requestLines(body: string): RequestLine[] | string {
  if (ENCODED_PART.test(body)) return 'encoded part'
  const starts = new Set<number>()
  const lines: RequestLine[] = []
  for (const match of body.matchAll(REQUEST_LINE)) {
    if (lines.length === PARTS_LIMIT) return 'too many parts'
    starts.add(match.index)
    lines.push(lineOf(match))
  }
  for (const { index, 0: head } of body.matchAll(PART_HEAD)) if (!starts.has(index + head.length)) return 'part without a request line'
  for (const { index } of body.matchAll(SIGNATURE)) if (!starts.has(index)) return 'signature outside of a request line'
  return lines
}

function lineOf({ index, 0: line, 1: method = '', 2: target = '' }: RegExpExecArray): RequestLine {
  const start = index + line.indexOf(target, method.length)
  return { method, target, start, end: start + target.length }
}
