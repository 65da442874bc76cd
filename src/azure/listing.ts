// Listings of blobs: the replies whose bodies repeat the sources that blobs were copied from (spec/sas.md section 14).
import { mayHoldParameter } from './loose-parameter.ts'
import type { ServiceName } from './services.ts'
import type { Target } from './target.ts'

/** A container, or the account: listings are asked of nothing inside. */
const TOP = /^\/[^/]*\/?$/

/** Returns whether the reply to a request may be a listing of blobs: `comp=list` in any spelling that some reader may accept. */
export function mayListBlobs(service: ServiceName, method: string, { decodedPath, query }: Target): boolean {
  if (method !== 'GET' || (service !== 'blob' && service !== 'dfs') || !TOP.test(decodedPath)) return false
  return mayHoldParameter(query, 'comp', 'list')
}
