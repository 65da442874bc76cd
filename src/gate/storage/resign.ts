// A request whose fields were edited: where it is signed with Shared Key, the signature is made anew with the account's
// key, after the client's own was verified; without the key the edit is refused (spec/sas.md 16.3).
import { isDateClose, readKeyedRequest, requestSignatureMatches, signRequest, type AccountKey, type KeyedRequest, type ReadRequest } from '../../azure/shared-key.ts'
import { refuse } from '../../refusal.ts'
import type { StorageRoute } from '../../upstream/routes.ts'
import { readRequestFields, type RequestFields } from '../headers.ts'

/** What an edit needs to know of the request. */
export interface EditedRequest {
  readonly method: string
  readonly route: StorageRoute
  /** Encoded path as the client sent it, and its query without the `?`. */
  readonly path: string
  readonly query: string | undefined
  /** The client's fields, flat. */
  readonly raw: readonly string[]
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** New values by lower-case name; null takes the field away. */
export type FieldEdits = ReadonlyMap<string, string | null>

/** The request's fields with the edits made and, where needed, signed anew. Refuses with `shared-key-signature`. */
export function editFields(request: EditedRequest, edits: FieldEdits): RequestFields {
  const edited = applyEdits(request.raw, edits)
  const signed = readKeyedRequest(keyed(request, request.raw))
  return readRequestFields(signed.credential === undefined || !isSigned(request, edits) ? edited : resign(request, signed, edited), true)
}

/** Table's Shared Key signs neither the body nor its length, only Content-MD5 and Content-Type (spec/sas.md 16.1). */
function isSigned({ route }: EditedRequest, edits: FieldEdits): boolean {
  return route.service !== 'table' || edits.has('content-md5')
}

function resign(request: EditedRequest, signed: ReadRequest, edited: string[]): string[] {
  const { route, now } = request
  const { key } = proveSharedKey(signed, request)
  const scheme = signed.credential?.scheme ?? 'SharedKey'
  const { date, authorization } = signRequest({ ...keyed(request, edited), path: `${route.origin.pathPrefix}${request.path}` }, { account: route.account, key, scheme }, now)
  return applyEdits(edited, new Map([['date', null], ['x-ms-date', date], ['authorization', authorization]]))
}

const DATE_DETAIL = 'The date of the request is not within 15 minutes of the gateway\'s time.'

/** Returns the key that signed a request. Refuses with `shared-key-signature` where none of the account's keys did, or not now. */
export function proveSharedKey(signed: ReadRequest, { route, now }: EditedRequest): AccountKey {
  const { account: keys } = route.sas.keys
  if (keys.length === 0) refuse('shared-key-signature', { why: 'no key' })
  if (signed.credential !== undefined && signed.credential.account !== route.account) refuse('shared-key-signature', { why: 'account' })
  const proof = requestSignatureMatches(signed, route.account, keys)
  const key = keys.find(({ slot }) => slot === proof?.slot)
  if (key === undefined) refuse('shared-key-signature', { why: 'signature' })
  if (!isDateClose(signed, now)) refuse('shared-key-signature', { why: 'date' }, { AuthenticationErrorDetail: DATE_DETAIL })
  return key
}

function keyed({ method, route, path, query }: EditedRequest, headers: readonly string[]): KeyedRequest {
  return { service: route.service, method, path, query, headers }
}

/** Flat fields with the edits made where the fields stand; new ones go to the end. */
export function applyEdits(raw: readonly string[], edits: FieldEdits): string[] {
  const out: string[] = []
  const left = new Map(edits)
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const edit = edits.get(name.toLowerCase())
    left.delete(name.toLowerCase())
    if (edit === undefined) out.push(name, raw[i + 1] as string)
    else if (edit !== null) out.push(name, edit)
  }
  for (const [name, value] of left) if (value !== null) out.push(name, value)
  return out
}
