// Collects a body that has to be read whole before it is judged.
import type { IncomingMessage } from 'node:http'
import { containOn } from '../../door/arrival.ts'
import { Refusal } from '../../refusal.ts'
import type { Transaction } from '../transaction.ts'
import type { BatchBudget, HeldBatch } from './batch-budget.ts'

const FIRST_BYTES = 16 * 1024

/** Bytes in one buffer that grows: a piece of one byte in a list of its own would cost a hundred. */
class GrowingBuffer {
  #bytes = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  get whole(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  add(piece: Buffer): void {
    const wanted = this.#length + piece.length
    if (wanted > this.#bytes.length) this.#grow(Math.max(wanted, 2 * this.#bytes.length, FIRST_BYTES))
    piece.copy(this.#bytes, this.#length)
    this.#length = wanted
  }

  #grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(size)
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/**
 * Resolves to the body of a request. Rejects with `batch-malformed` beyond `limit` bytes, with `overloaded` where it has to give
 * way to others, and where the request ends before its body. What was read counts in the budget until the
 * request is over.
 */
export function collectBody(transaction: Transaction, limit: number, budget: BatchBudget): Promise<Buffer> {
  const { request, reply } = transaction
  const body = new GrowingBuffer()
  transaction.collected = 0
  return new Promise((resolve, reject) => {
    const held: HeldBatch = budget.hold(transaction.arrival?.address ?? '', () => settle(new Refusal('overloaded', { why: 'batches' })))
    reply.once('close', containOn(request.socket, 'batch release', () => held.release()))
    const settle = (result: Buffer | Refusal): void => {
      held.finish()
      stopListening(request, onData, onEnd, onClose)
      reply.removeListener('close', onClose)
      transaction.collected = undefined
      if (Buffer.isBuffer(result)) resolve(result)
      else reject(result)
    }
    const onData = containOn(request.socket, 'batch data', (piece: Buffer): void => {
      if (body.length + piece.length > limit) return settle(new Refusal('batch-malformed', { why: 'too large' }))
      body.add(piece)
      transaction.collected = body.length
      held.add(piece.length)
    })
    const onEnd = containOn(request.socket, 'batch end', () => settle(body.whole))
    const onClose = containOn(request.socket, 'batch close', () => settle(new Refusal('http-malformed', { why: 'body cut short' })))
    request.on('data', onData)
    request.once('end', onEnd)
    request.once('close', onClose)
    // Refused elsewhere, or the client is gone: what was read is held no longer.
    reply.once('close', onClose)
  })
}

function stopListening(request: IncomingMessage, onData: (piece: Buffer) => void, onEnd: () => void, onClose: () => void): void {
  request.removeListener('data', onData)
  request.removeListener('end', onEnd)
  request.removeListener('close', onClose)
}
