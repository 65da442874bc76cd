// A permitted storage request on its way: its tokens are noted, a batch is read and judged before it is sent upstream, and the reply
// that brings a user delegation key is listened to.
import type { Readable } from 'node:stream'
import { isBatch } from '../../azure/batch.ts'
import { mayListBlobs } from '../../azure/listing.ts'
import type { Recorder } from '../../observe/recorder.ts'
import type { SasVerdict } from '../../sas/admission.ts'
import type { Snapshot, StoragePermit } from '../admit.ts'
import type { BatchBudget } from './batch-budget.ts'
import { batchEdits, judgeBatch, readBatch, streamOf } from './batch.ts'
import { verifyCredential } from './credential.ts'
import { forward, type Dispatch, type ForwardContext } from './forward.ts'
import { withoutField, type RequestFields } from '../headers.ts'
import { asksForKey, learnKeys } from './learning.ts'
import { editBatchReplies, hideCopySources } from './reply-edits.ts'
import { editFields, type EditedRequest } from './resign.ts'
import { shedWhole } from '../shed.ts'
import type { Transaction } from '../transaction.ts'

/** What carrying a storage request needs of the process. */
export interface StorageContext {
  readonly forwarding: ForwardContext
  readonly recorder: Recorder
  /** What batches this worker holds. */
  readonly batches: BatchBudget
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  /** Since when memory is short, monotonic ms; undefined while it is not. */
  readonly shedSince: () => number | undefined
  /** Called with what is thrown after a batch has been read. */
  readonly broken: (transaction: Transaction, error: unknown) => void
}

/** Sends the request up, a batch once it is whole; the reply, or the refusal, follows by itself. `snapshot` is the one that admitted it. */
export function carryStorage(transaction: Transaction, permit: StoragePermit, snapshot: Snapshot, context: StorageContext): void {
  const { route, target, upstreamTarget, fields, sas, sources } = permit
  if (sas !== undefined) {
    transaction.sas = sas
    noteSas(transaction, route.account, sas, context)
  }
  for (const source of sources) if (source.sas !== undefined) noteSas(transaction, source.account, source.sas, context)
  const method = transaction.request.method ?? ''
  const dispatch: Dispatch = { route, fields, target: upstreamTarget }
  if (isBatch(route.service, method, target)) carryBatch(transaction, permit, dispatch, snapshot, context)
  else if (asksForKey(method, permit)) forward(transaction, { ...dispatch, stages: [learnKeys(route, context.wallClock)] }, context.forwarding)
  // Its body has to be read, so it must not be compressed.
  else if (mayListBlobs(route.service, method, target)) forward(transaction, { ...dispatch, fields: withoutField(fields, 'accept-encoding'), stages: [hideCopySources] }, context.forwarding)
  else forward(transaction, dispatch, context.forwarding)
}

function carryBatch(transaction: Transaction, permit: StoragePermit, dispatch: Dispatch, snapshot: Snapshot, context: StorageContext): void {
  shedWhole(context.shedSince())
  if (permit.sas === undefined) verifyCredential(requestOf(transaction, permit, context))
  readBatch(transaction, dispatch.fields, context.batches)
    .then((whole) => {
      const judged = judge(transaction, permit, whole, snapshot, context)
      const { origin, service } = permit.route
      const stages = service === 'table' ? [editBatchReplies(origin, transaction.fields?.host ?? '')] : []
      forward(transaction, { ...dispatch, ...judged, stages }, context.forwarding)
    })
    .catch((error: unknown) => context.broken(transaction, error))
}

function judge(transaction: Transaction, permit: StoragePermit, whole: Buffer, { sites, kept }: Snapshot, context: StorageContext): { body: Readable; fields: RequestFields } {
  const { route, fields } = permit
  const now = context.wallClock()
  const { body, edited, verdicts } = judgeBatch(whole, { route, sites, kept, address: transaction.arrival?.address ?? '', now })
  for (const verdict of verdicts) noteSas(transaction, route.account, verdict, context)
  if (!edited) return { body: streamOf(body), fields }
  return { body: streamOf(body), fields: editFields({ ...requestOf(transaction, permit, context), now }, batchEdits(body, fields)) }
}

function requestOf({ request: { method = '', rawHeaders: raw } }: Transaction, { route, target: { path, query } }: Pick<StoragePermit, 'route' | 'target'>, { wallClock }: StorageContext): EditedRequest {
  return { method, route, path, query, raw, now: wallClock() }
}

function noteSas(transaction: Transaction, account: string, sas: SasVerdict, { recorder, wallClock }: StorageContext): void {
  transaction.wouldRefuse ??= sas.wouldRefuse ?? null
  recorder.sasPassed(account, sas, transaction.arrival?.address ?? '', wallClock())
}
