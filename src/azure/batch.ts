// Batches: one request that holds several, as `multipart/mixed` of `application/http` parts (spec/sas.md section 14).
// What a service may take for a part's request line is found whatever the framing around it, so that no reading of the
// body can hide one.
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

const REQUEST_LINE = /^([A-Za-z]+)[ \t]+(\S+)[ \t]+HTTP\/\d(?:\.\d)?[ \t]*\r?$/gm
const ENCODED_PART = /^content-transfer-encoding:[ \t]*(?!binary[ \t]*\r?$)/im

/** Whether a request is a batch: `comp=batch` on blob and dfs, `/$batch` on table. */
export function isBatch(service: ServiceName, method: string, target: Target): boolean {
  if (method !== 'POST') return false
  if (service === 'table') return target.decodedPath === '/$batch'
  if (service !== 'blob' && service !== 'dfs') return false
  return target.query !== undefined && target.query.split('&').some(isBatchParameter)
}

function isBatchParameter(part: string): boolean {
  const equals = part.indexOf('=')
  return equals > 0 && decoded(part.slice(0, equals)).toLowerCase() === 'comp' && decoded(part.slice(equals + 1)).toLowerCase() === 'batch'
}

/** A part that cannot be decoded is no parameter of the service's. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

/** Every request line in a batch's body; undefined when a part's encoding hides what it holds. */
export function requestLines(body: string): RequestLine[] | undefined {
  if (ENCODED_PART.test(body)) return undefined
  return [...body.matchAll(REQUEST_LINE)].map((match) => {
    const [line, method = '', target = ''] = match
    const start = match.index + line.indexOf(target, method.length)
    return { method, target, start, end: start + target.length }
  })
}
