// The credential of a request whose body is read whole: it is verified before a byte is collected, as far as our keys go, so
// that nobody without one fills the memory (contract section 4; security.md F4).
import { readKeyedRequest } from '../../azure/shared-key.ts'
import { refuse } from '../../refusal.ts'
import { proveSharedKey, type EditedRequest } from './resign.ts'

const SHARED_KEY = /^SharedKey(?:Lite)?\b/
const BEARER = /^Bearer +[^ ]+$/i

/**
 * Verifies the credential of a request that carries no shared access signature: a Shared Key where the account has keys here.
 * A bearer token is the service's to judge. Refuses with `not-permitted` where there is no credential, or two, and with
 * `shared-key-signature`.
 */
export function verifyCredential(request: EditedRequest): void {
  const given = request.raw.filter((_, i, raw) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === 'authorization')
  const [credential = ''] = given
  if (given.length !== 1) refuse('not-permitted', { why: 'credential', credentials: given.length })
  if (BEARER.test(credential)) return
  if (!SHARED_KEY.test(credential)) refuse('not-permitted', { why: 'credential' })
  if (request.route.sas.keys.account.length > 0) proveSharedKey(readKeyedRequest(keyedOf(request)), request)
}

function keyedOf({ route, method, path, query, raw }: EditedRequest): Parameters<typeof readKeyedRequest>[0] {
  return { service: route.service, method, path, query, headers: raw }
}
