// The few edits of a storage reply (spec/sas.md section 14): a signature in the header of a returned copy source is
// hidden, and table replies name the entity on the gateway's own name.
import { CopySourceRedactor } from '../../azure/copy-source-redactor.ts'
import { isSignatureName } from '../../sas/admission.ts'
import { UpstreamFailure } from '../../upstream/failure.ts'
import type { ResponseHead } from '../../upstream/response-head.ts'
import type { Origin } from '../../upstream/routes.ts'
import { fieldValue } from '../headers.ts'
import { headFor, type ReplySink, type ReplyStage } from '../reply-stages.ts'

/** Parameters of a URL, each with its value. */
const PARAMETER = /([?&])([^=&#?]*)=([^&#]*)/g
const ENTITY_FIELDS = /^(Location|DataServiceId):[ \t]*https?:\/\/[^\r\n]*/gim

/** Edits the fields of a reply, flat, in place. `host` is the request's Host. */
export function editReplyFields(fields: string[], isTable: boolean, origin: Origin, host: string): void {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (name.length === 16 && name.toLowerCase() === 'x-ms-copy-source') fields[i + 1] = withoutSignature(fields[i + 1] as string)
    else if (isTable && isEntityField(name)) fields[i + 1] = onOurName(fields[i + 1] as string, origin, host)
  }
}

/** The service gives the URL back as the client wrote it, so the name may be in any spelling. */
function withoutSignature(url: string): string {
  return url.replaceAll(PARAMETER, (whole, mark: string, name: string) => (isSignatureName(name) ? `${mark}${name}=REDACTED` : whole))
}

/** The stage that hides the signatures of copy sources in a listing; a listing that cannot be read whole is `upstream-reset`. */
export const hideCopySources: ReplyStage = (next) => {
  const redactor = new CopySourceRedactor(isSignatureName)
  return {
    head: (head) => {
      const coding = fieldValue(head.headers, 'content-encoding')
      if (coding !== undefined && !/^\s*(?:identity)?\s*$/i.test(coding)) throw new UpstreamFailure('reset', 'LISTING_ENCODED')
      if (head.status === 206) throw new UpstreamFailure('reset', 'LISTING_PARTIAL')
      next.head(head)
    },
    data: (chunk) => next.data(redactor.write(chunk)),
    end: () => next.end(),
  }
}

/** A batch's reply is held whole for its edits; 100 parts of a table's limits stay far below. */
const BATCH_REPLY_LIMIT = 8 * 1024 * 1024

/** The stage that edits the parts of an entity group transaction's reply; any other reply passes. */
export function editBatchReplies(origin: Origin, host: string): ReplyStage {
  return (next) => {
    let held: { readonly head: ResponseHead; readonly pieces: Buffer[]; size: number } | undefined
    return {
      head: (head) => {
        if (isMultipart(head)) held = { head, pieces: [], size: 0 }
        else next.head(head)
      },
      data: (chunk) => {
        if (held === undefined) return next.data(chunk)
        held.size += chunk.length
        if (held.size > BATCH_REPLY_LIMIT) throw new UpstreamFailure('reset', 'BATCH_REPLY_TOO_LARGE')
        held.pieces.push(chunk)
        return true
      },
      end: () => {
        if (held !== undefined) writeWhole(held.head, Buffer.from(editBatchReply(Buffer.concat(held.pieces).toString('latin1'), origin, host), 'latin1'), next)
        next.end()
      },
    }
  }
}

function writeWhole(head: ResponseHead, body: Buffer, next: ReplySink): void {
  next.head(headFor(head, body))
  next.data(body)
}

function isMultipart(head: ResponseHead): boolean {
  return head.framing !== 'none' && /^multipart\/mixed\b/i.test(fieldValue(head.headers, 'content-type') ?? '')
}

/** The same in the parts of a batch's reply. */
export function editBatchReply(body: string, origin: Origin, host: string): string {
  return body.replace(ENTITY_FIELDS, (line) => {
    const colon = line.indexOf(':')
    return `${line.slice(0, colon)}: ${onOurName(line.slice(colon + 1).trim(), origin, host)}`
  })
}

function isEntityField(name: string): boolean {
  return (name.length === 8 && name.toLowerCase() === 'location') || (name.length === 13 && name.toLowerCase() === 'dataserviceid')
}

/** A URL of the upstream's as one of ours; any other URL stays as it is. */
function onOurName(url: string, origin: Origin, host: string): string {
  const parts = /^https?:\/\/([^/]*)(\/.*)?$/i.exec(url)
  if (parts === null || parts[1]?.toLowerCase() !== origin.host.toLowerCase()) return url
  const path = parts[2] ?? '/'
  return `https://${host}${path.startsWith(`${origin.pathPrefix}/`) ? path.slice(origin.pathPrefix.length) : path}`
}
