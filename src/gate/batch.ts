// Batches are read whole, within their limit, before they go up: a part may carry a SAS of its own. One whose parts would
// need an edit is refused: it is never waved through (spec/sas.md section 14).
import { Readable } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import { BATCH_LIMIT, requestLines } from '../azure/batch.ts'
import { Refusal, refuse } from '../refusal.ts'
import { hasSignature } from '../sas/admission.ts'
import type { Transaction } from './transaction.ts'
import type { RequestFields } from './headers.ts'

/** Reads a batch's body and judges its parts. Gives the body to send up; rejects with `batch-malformed`. */
export async function readBatch(transaction: Transaction, fields: RequestFields): Promise<Readable> {
  if ((fields.contentLength ?? 0) > BATCH_LIMIT) refuse('batch-malformed', { why: 'too large' })
  if (transaction.awaitsContinue) {
    transaction.awaitsContinue = false
    transaction.reply.writeContinue()
  }
  const body = await collect(transaction)
  judgeParts(body.toString('latin1'))
  return Readable.from([body], { objectMode: false })
}

/** Refuses a batch of which a part carries a SAS or names http. */
export function judgeParts(body: string): void {
  const lines = requestLines(body)
  if (lines === undefined) return refuse('batch-malformed', { why: 'encoded part' })
  for (const { target } of lines) {
    if (/^http:/i.test(target)) refuse('batch-malformed', { why: 'a part names http' })
    const mark = target.indexOf('?')
    if (mark >= 0 && hasSignature(target.slice(mark + 1))) refuse('batch-malformed', { why: 'a part carries a SAS' })
  }
}

function collect(transaction: Transaction): Promise<Buffer> {
  const { request } = transaction
  const pieces: Buffer[] = []
  transaction.collected = 0
  return new Promise((resolve, reject) => {
    const settle = (result: Buffer | Refusal | Error): void => {
      stopListening(request, onData, onEnd, onClose)
      transaction.collected = undefined
      if (Buffer.isBuffer(result)) resolve(result)
      else reject(result)
    }
    const onData = (piece: Buffer): void => {
      pieces.push(piece)
      transaction.collected = (transaction.collected ?? 0) + piece.length
      if (transaction.collected > BATCH_LIMIT) settle(new Refusal('batch-malformed', { why: 'too large' }))
    }
    const onEnd = (): void => settle(Buffer.concat(pieces))
    const onClose = (): void => settle(new Refusal('http-malformed', { why: 'body cut short' }))
    request.on('data', onData)
    request.once('end', onEnd)
    request.once('close', onClose)
  })
}

function stopListening(request: IncomingMessage, onData: (piece: Buffer) => void, onEnd: () => void, onClose: () => void): void {
  request.removeListener('data', onData)
  request.removeListener('end', onEnd)
  request.removeListener('close', onClose)
}
