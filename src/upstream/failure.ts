// What can go wrong with an upstream, from stable codes to one of six kinds and its reason (contract section 8). The
// error's own text never reaches a client.
import { NOT_PRIVATE, NotPrivate } from '../network/via.ts'
import { Refusal, type Reason } from '../refusal.ts'

/** `internal` is a fault of ours: it says nothing of the upstream. */
export type FailureKind = 'unreachable' | 'certificate' | 'timeout' | 'reset' | 'not-private' | 'internal'

/** An exchange with an upstream that did not come to its end. */
export class UpstreamFailure extends Error {
  readonly kind: FailureKind
  /** A stable code for the log, e.g. ECONNREFUSED or CERT_HAS_EXPIRED. */
  readonly code: string

  constructor(kind: FailureKind, code: string, cause?: unknown) {
    super(`upstream ${kind}: ${code}`, cause === undefined ? undefined : { cause })
    this.name = 'UpstreamFailure'
    this.kind = kind
    this.code = code
  }
}

const REASONS: Readonly<Record<FailureKind, Reason>> = {
  unreachable: 'upstream-unreachable',
  certificate: 'upstream-certificate',
  timeout: 'upstream-timeout',
  reset: 'upstream-reset',
  'not-private': 'upstream-not-private',
  internal: 'unexpected',
}

// OpenSSL's verification results, as Node names them in `error.code`; UNSPECIFIED stands for those without a name of their
// own, such as too small a key.
const VERIFICATION = /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT_|INVALID_|HOSTNAME_MISMATCH|PATH_LENGTH|EE_KEY|CA_KEY|CA_MD|UNSPECIFIED$)/

/** Sorts an error met while connecting. `code` is the error's `code`, if it has one. */
export function connectFailure(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error
  const code = codeOf(error)
  if (code === NOT_PRIVATE) return new UpstreamFailure('not-private', code, error)
  const tls = VERIFICATION.test(code) || code.startsWith('ERR_TLS_') || code.startsWith('ERR_SSL_') || code === 'EPROTO'
  return new UpstreamFailure(tls ? 'certificate' : 'unreachable', code, error)
}

/** Sorts an error met on a connection that was up. */
export function exchangeFailure(error: unknown): UpstreamFailure {
  return error instanceof UpstreamFailure ? error : new UpstreamFailure('reset', codeOf(error), error)
}

/** Sorts what a handler of a connection threw: an UpstreamFailure as it is, anything else is a fault of ours. */
export function brokenFailure(error: unknown): UpstreamFailure {
  return error instanceof UpstreamFailure ? error : new UpstreamFailure('internal', 'UNEXPECTED', error)
}

/** The refusal that tells a client of a failure. */
export function upstreamRefusal(failure: UpstreamFailure, upstream: string): Refusal {
  if (failure.kind === 'internal') return new Refusal('unexpected', { upstream }, {}, failure.cause)
  const address = failure.cause instanceof NotPrivate ? { address: failure.cause.address } : {}
  return new Refusal(REASONS[failure.kind], { upstream, code: failure.code, ...address }, {}, failure)
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'UNKNOWN'
}
