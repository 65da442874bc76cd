// The one table of refusals. A connection or request that does not pass has exactly one reason, and everything
// that tells of it (metric, log, header, reply, docs, tests) reads its row here.
//
// Reasons, stages and statuses: contract section 8. Storage error codes: contract section 5 and spec/sas.md section 15.
// A retired reason is never used again.

/** Where on its way a connection or request was stopped. */
export type Stage = 'door' | 'handshake' | 'http' | 'sas' | 'storage' | 'smb' | 'us' | 'upstream'

/** Who has to change something for it to pass. Only our own faults are logged as errors. */
export type Blame = 'client' | 'upstream' | 'us'

export interface RefusalRow {
  readonly stage: Stage
  readonly blame: Blame
  /** HTTP status; null where no HTTP reply is possible. */
  readonly status: number | null
  /** Storage error code; null where no storage client can ever see it. */
  readonly azure: string | null
  /** The fixed text for the client; never holds request data. */
  readonly says: string
  readonly level: 'info' | 'warn' | 'error'
  /** The connection ends with it, because framing after it would be unsafe. */
  readonly closes: boolean
}

type Row = readonly [Stage, Blame, number | null, string | null, RefusalRow['level'], closes: boolean, says: string]

const AUTHENTICATION = 'Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.'
const PARAMETER = 'Value for one of the query parameters specified in the request URI is invalid.'
const COPY_SOURCE = 'The copy source is not one that this gateway lets the service read.'

const TABLE = {
  'plaintext-http': ['door', 'client', 400, 'AccountRequiresHttps', 'warn', true, 'The account being accessed does not support http.'],
  'plaintext-other': ['door', 'client', null, null, 'warn', true, 'This port speaks TLS only.'],
  'hello-timeout': ['door', 'client', null, null, 'info', true, 'No TLS hello arrived in time.'],
  'proxy-header-missing': ['door', 'client', null, null, 'warn', true, 'A PROXY header was required from this sender.'],
  'proxy-header-invalid': ['door', 'client', null, null, 'warn', true, 'The PROXY header could not be read.'],
  'proxy-header-untrusted': ['door', 'client', null, null, 'warn', true, 'A PROXY header came from a sender that is not listed.'],
  'address-not-allowed': ['door', 'client', null, null, 'warn', true, 'This address may not connect.'],
  'too-many-connections': ['door', 'us', null, null, 'warn', true, 'The limit of connections is reached.'],
  'too-many-handshakes': ['door', 'us', null, null, 'warn', true, 'The limit of handshakes in progress is reached.'],

  'tls-version': ['handshake', 'client', null, null, 'warn', true, 'The client offers no TLS version that this gateway speaks.'],
  'tls-no-shared-suite': ['handshake', 'client', null, null, 'warn', true, 'The client offers no cipher suite that this gateway speaks.'],
  'tls-no-shared-group': ['handshake', 'client', null, null, 'warn', true, 'The client offers no key exchange group that this gateway speaks.'],
  'tls-malformed': ['handshake', 'client', null, null, 'warn', true, 'The handshake was not TLS as the RFCs write it.'],
  'tls-timeout': ['handshake', 'client', null, null, 'info', true, 'The handshake did not finish in time.'],
  'tls-aborted': ['handshake', 'client', null, null, 'info', true, 'The client left during the handshake or refused our certificate.'],
  'client-cert-missing': ['handshake', 'client', null, null, 'warn', true, 'A client certificate is required.'],
  'client-cert-untrusted': ['handshake', 'client', null, null, 'warn', true, 'The client certificate is of no authority that this gateway trusts.'],
  'client-cert-expired': ['handshake', 'client', null, null, 'warn', true, 'The client certificate is not valid at this time.'],
  'client-cert-revoked': ['handshake', 'client', null, null, 'warn', true, 'The client certificate is revoked.'],
  'client-cert-purpose': ['handshake', 'client', null, null, 'warn', true, 'The client certificate is not for client authentication.'],
  'client-cert-weak': ['handshake', 'client', null, null, 'warn', true, 'The key or signature of the client certificate is too weak.'],

  'host-unknown': ['http', 'client', 421, 'InvalidUri', 'info', false, 'No service of that name is served here.'],
  'host-not-sni': ['http', 'client', 421, 'InvalidUri', 'warn', false, 'The Host header names another site than the TLS handshake did.'],
  'http-malformed': ['http', 'client', 400, 'InvalidHeaderValue', 'info', true, 'The request is not well-formed HTTP/1.1.'],
  'target-ambiguous': ['http', 'client', 400, 'InvalidUri', 'info', false, 'The request target can be read in more than one way.'],
  'path-unknown': ['http', 'client', 404, 'InvalidUri', 'info', false, 'No API is served under that path.'],
  'length-required': ['http', 'client', 411, 'MissingContentLengthHeader', 'info', false, 'This request needs a Content-Length header.'],
  'loop': ['http', 'us', 508, 'InvalidUri', 'error', false, 'The request came back to the gateway that sent it on.'],
  'headers-too-large': ['http', 'client', 431, 'InvalidHeaderValue', 'info', true, 'The head of the request is larger than this gateway takes.'],
  'headers-timeout': ['http', 'client', 408, 'OperationTimedOut', 'info', true, 'The head of the request did not arrive in time.'],
  'body-too-slow': ['http', 'client', null, null, 'info', true, 'The body moved too slowly.'],
  'method-refused': ['http', 'client', 405, 'UnsupportedHttpVerb', 'info', false, 'This method is not carried.'],
  'expectation-failed': ['http', 'client', 417, 'InvalidHeaderValue', 'info', false, 'The only expectation that can be met is 100-continue.'],
  'client-not-allowed': ['http', 'client', 403, 'AuthorizationFailure', 'warn', false, 'The client certificate does not allow this name.'],

  'sas-malformed': ['sas', 'client', 400, 'InvalidQueryParameterValue', 'info', false, PARAMETER],
  'sas-duplicate': ['sas', 'client', 400, 'InvalidQueryParameterValue', 'warn', false, PARAMETER],
  'sas-mixed': ['sas', 'client', 400, 'InvalidQueryParameterValue', 'warn', false, PARAMETER],
  'sas-protocol-value': ['sas', 'client', 400, 'InvalidQueryParameterValue', 'info', false, PARAMETER],
  'sas-version': ['sas', 'client', 403, 'AuthenticationFailed', 'info', false, AUTHENTICATION],
  'sas-no-key': ['sas', 'us', 403, 'AuthenticationFailed', 'warn', false, AUTHENTICATION],
  'sas-signature': ['sas', 'client', 403, 'AuthenticationFailed', 'warn', false, AUTHENTICATION],
  'sas-not-yet': ['sas', 'client', 403, 'AuthenticationFailed', 'info', false, AUTHENTICATION],
  'sas-expired': ['sas', 'client', 403, 'AuthenticationFailed', 'info', false, AUTHENTICATION],
  'sas-source-ip': ['sas', 'client', 403, 'AuthorizationSourceIPMismatch', 'warn', false, 'This request is not authorized to perform this operation using this source IP.'],
  'sas-resource': ['sas', 'client', 403, 'AuthenticationFailed', 'warn', false, AUTHENTICATION],
  'sas-lifetime': ['sas', 'client', 403, 'AuthenticationFailed', 'warn', false, AUTHENTICATION],
  'sas-denied': ['sas', 'client', 403, 'AuthenticationFailed', 'warn', false, AUTHENTICATION],

  'copy-source-plaintext': ['storage', 'client', 400, 'CannotVerifyCopySource', 'warn', false, 'The copy source must be an https URL.'],
  'copy-source-unknown': ['storage', 'client', 400, 'CannotVerifyCopySource', 'info', false, COPY_SOURCE],
  'batch-malformed': ['storage', 'client', 400, 'InvalidInput', 'info', false, 'One of the request inputs is not valid: the batch could not be read as a whole.'],
  'shared-key-signature': ['storage', 'client', 403, 'AuthenticationFailed', 'warn', false, AUTHENTICATION],
  'not-permitted': ['storage', 'client', 403, 'AuthorizationPermissionMismatch', 'warn', false, 'This request is not authorized to perform this operation using this permission.'],
  'cse-refused': ['storage', 'client', 400, 'InvalidInput', 'info', false, 'This operation cannot be done on data that the gateway encrypts.'],
  'cse-unreadable': ['storage', 'us', 422, 'InvalidInput', 'error', false, 'The stored data could not be decrypted.'],
  'cse-unavailable': ['storage', 'us', 503, 'ServerBusy', 'error', false, 'The key encryption key cannot be reached now.'],

  'smb-smb1': ['smb', 'client', null, null, 'warn', true, 'SMB 1 is not carried.'],
  'smb-dialect': ['smb', 'client', null, null, 'warn', true, 'No SMB 3 dialect was offered.'],
  'smb-no-encryption-offered': ['smb', 'client', null, null, 'warn', true, 'The client offers no SMB encryption.'],
  'smb-no-encryption-agreed': ['smb', 'client', null, null, 'warn', true, 'No SMB encryption was agreed.'],
  'smb-clear-command': ['smb', 'client', null, null, 'warn', true, 'A command came in clear where it must be encrypted.'],
  'smb-guest': ['smb', 'client', null, null, 'warn', true, 'Guest sessions are not carried.'],
  'smb-framing': ['smb', 'client', null, null, 'warn', true, 'The frame is not SMB.'],
  'smb-order': ['smb', 'client', null, null, 'warn', true, 'A message came out of order.'],
  'smb-timeout': ['smb', 'client', null, null, 'info', true, 'The SMB peer was silent for too long.'],
  'smb-limit': ['smb', 'us', null, null, 'warn', true, 'A limit of the SMB guard is reached.'],
  'smb-upstream': ['smb', 'upstream', null, null, 'warn', true, 'The file server cannot be reached.'],

  'draining': ['us', 'us', 503, 'ServerBusy', 'info', true, 'The gateway is shutting down; try again.'],
  'overloaded': ['us', 'us', 503, 'ServerBusy', 'warn', true, 'The gateway is overloaded; try again.'],
  'upstream-unreachable': ['upstream', 'upstream', 502, 'InternalError', 'warn', false, 'The service behind the gateway cannot be reached.'],
  'upstream-certificate': ['upstream', 'upstream', 502, 'InternalError', 'error', false, 'The service behind the gateway could not prove who it is.'],
  'upstream-reset': ['upstream', 'upstream', 502, 'InternalError', 'warn', false, 'The service behind the gateway broke off its reply.'],
  'upstream-not-private': ['upstream', 'upstream', 502, 'InternalError', 'error', false, 'The service behind the gateway has no address inside the ranges that it may be reached by.'],
  'upstream-timeout': ['upstream', 'upstream', 504, 'OperationTimedOut', 'warn', false, 'The service behind the gateway did not answer in time.'],
  'unexpected': ['us', 'us', 500, 'InternalError', 'error', true, 'The gateway met a fault of its own.'],
} as const satisfies Record<string, Row>

/** Metric label, log field, header value, heading in docs/refusals.md and name in tests, all in one. */
export type Reason = keyof typeof TABLE

function row([stage, blame, status, azure, level, closes, says]: Row): RefusalRow {
  return Object.freeze({ stage, blame, status, azure, level, closes, says })
}

/** Every reason with its row, in the order of contract section 8. */
export const REFUSALS: Readonly<Record<Reason, RefusalRow>> = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([reason, r]) => [reason, row(r)])) as Record<Reason, RefusalRow>,
)

export const REASONS = Object.keys(REFUSALS) as readonly Reason[]

/** A code of client-side encryption: what a client is told in place of its reason's row. */
export interface CodeRow {
  readonly reason: Reason
  readonly status: number
  /** The fixed text for the client, the same for every cause of the code. */
  readonly says: string
  /** Seconds; undefined where the reply does not say when to ask again. */
  readonly retryAfter: number | undefined
}

const ENVELOPE = 'The encryption metadata is not one that this gateway accepts.'
const DAMAGED = 'The stored data is not what was encrypted: it was changed, cut or reordered.'

/** Codes of client-side encryption with their reason, status and text (spec/client-side-encryption.md 7.11). */
const CODE_TABLE = {
  CseReservedMetadata: ['cse-refused', 400, 'The metadata names encryptiondata and tidegatecse are reserved where the gateway encrypts.'],
  CseReservedMessage: ['cse-refused', 400, 'The message has the form of an encrypted message, which is reserved where the gateway encrypts.'],
  CseBlobTypeNotSupported: ['cse-refused', 400, 'Append blobs and page blobs cannot be encrypted by the gateway.'],
  CseBlocksNotSupported: ['cse-refused', 400, 'This container takes no blocks. Raise the client\'s limit for single uploads (JavaScript: maxSingleShotSize; Python: max_single_put_size; .NET: InitialTransferSize; azcopy: --put-blob-size-mb).'],
  CseCommittedBlocksNotSupported: ['cse-refused', 400, 'An encrypted blob cannot be changed in part: the block list must not name committed blocks.'],
  CseOperationNotSupported: ['cse-refused', 400, 'This operation cannot be done on data that the gateway encrypts.'],
  CseSourceNotEncrypted: ['cse-refused', 400, 'The copy source is not encrypted with a key of this account.'],
  CseClientSentClear: ['cse-refused', 400, 'The client must encrypt what it stores here, and this is not encrypted.'],
  CseClientEncryptionRefused: ['cse-refused', 400, 'Clients must not encrypt by themselves here: the gateway does.'],
  CseUnacceptableEnvelope: ['cse-refused', 400, ENVELOPE],
  CseCrc64Unsupported: ['cse-refused', 400, 'CRC64 and structured bodies are not supported where the gateway encrypts.'],
  CseRangeChecksumNotSupported: ['cse-refused', 400, 'A CRC64 of a range is not supported where the gateway encrypts.'],
  Md5Mismatch: ['cse-refused', 400, 'The MD5 value specified in the request did not match with the MD5 value calculated by the server.'],
  InvalidBlockList: ['cse-refused', 400, 'The specified block list is invalid.'],
  MetadataTooLarge: ['cse-refused', 400, 'The size of the specified metadata exceeds the maximum size permitted.'],
  InvalidHeaderValue: ['cse-refused', 400, 'The value for one of the HTTP headers is not in the correct format.'],
  MissingContentLengthHeader: ['length-required', 411, 'The Content-Length header was not specified.'],
  InvalidXmlDocument: ['cse-refused', 400, 'The XML specified is not syntactically valid.'],
  RequestBodyTooLarge: ['cse-refused', 413, 'The request body is too large and exceeds the maximum permissible limit.'],
  InvalidRange: ['cse-refused', 416, 'The range specified is invalid for the current size of the resource.'],
  CseBlobNotEncrypted: ['cse-unreadable', 422, 'The blob is stored in clear where only encrypted blobs may be read.'],
  CseMessageNotEncrypted: ['cse-unreadable', 422, 'A message is stored in clear where only encrypted messages may be read.'],
  CseBadMetadata: ['cse-unreadable', 422, 'The encryption metadata of the stored data cannot be read.'],
  CseUnsupportedProtocol: ['cse-unreadable', 422, 'The stored data is encrypted by a protocol that this gateway does not read.'],
  CseUnknownKey: ['cse-unreadable', 422, 'The stored data is encrypted with a key that this gateway does not have.'],
  CseUnwrapFailed: ['cse-unreadable', 422, 'The content key of the stored data could not be unwrapped.'],
  CseTampered: ['cse-unreadable', 422, DAMAGED],
  CseKeyUnavailable: ['cse-unavailable', 503, 'The key vault does not answer now; try again.', 5],
  CseSpoolFull: ['cse-unavailable', 503, 'The gateway has no room for more blocks now; try again.', 30],
  ServerBusy: ['cse-unavailable', 503, 'The blob kept changing while it was read; try again.', 1],
} as const satisfies Record<string, readonly [Reason, number, string, number?]>

/** Metric label, `x-ms-error-code` and log field of one refusal of client-side encryption. */
export type Code = keyof typeof CODE_TABLE

/** Every code with its row, in the order of the specification. */
export const CODES: Readonly<Record<Code, CodeRow>> = Object.freeze(
  Object.fromEntries(Object.entries(CODE_TABLE).map(([code, [reason, status, says, retryAfter]]: [string, readonly [Reason, number, string, number?]]) =>
    [code, Object.freeze({ reason, status, says, retryAfter })])) as Record<Code, CodeRow>,
)

/** For the log: addresses, versions, names. Never a signature, a key or a query. */
export type Detail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/**
 * Elements beside the message of a storage error (spec/sas.md 15.1). Fixed texts of ours and parameter names;
 * never a value that the client sent, since that could be a secret.
 */
export type Tells = Readonly<Partial<Record<
  'AuthenticationErrorDetail' | 'AccountName' | 'QueryParameterName' | 'Reason' | 'HeaderName', string>>>

/**
 * The verdict "this does not pass". Thrown anywhere, and told in three places only: the front door, the handshake listener and
 * the gate. It is frequent under attack, so it takes no stack trace.
 */
export class Refusal extends Error {
  readonly reason: Reason
  readonly detail: Detail
  readonly tells: Tells
  /** Where set, it says status, code and text in place of the row. */
  readonly code: Code | undefined
  /** Fields that the reply has beside those of every refusal: flat names and values. */
  readonly fields: readonly string[]

  constructor(reason: Reason, detail: Detail = {}, tells: Tells = {}, cause?: unknown, code?: Code, fields: readonly string[] = []) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(reason, cause === undefined ? undefined : { cause })
    Error.stackTraceLimit = limit
    this.name = 'Refusal'
    this.reason = reason
    this.detail = detail
    this.tells = tells
    this.code = code
    this.fields = fields
  }

  /** HTTP status; null where no HTTP reply is possible. */
  get status(): number | null {
    return this.code === undefined ? this.row.status : CODES[this.code].status
  }

  /** The storage error code; null where no storage client can see the refusal. */
  get azure(): string | null {
    return this.code ?? this.row.azure
  }

  /** The fixed text for the client. */
  get says(): string {
    return this.code === undefined ? this.row.says : CODES[this.code].says
  }

  /** Seconds that `Retry-After` says; undefined for a reply without it. */
  get retryAfter(): number | undefined {
    return this.code === undefined ? (this.row.status === 503 ? 1 : undefined) : CODES[this.code].retryAfter
  }

  get row(): RefusalRow {
    return REFUSALS[this.reason]
  }
}

/** Throws the verdict. `detail` is for the log, `tells` for the client. */
export function refuse(reason: Reason, detail?: Detail, tells?: Tells, cause?: unknown): never {
  throw new Refusal(reason, detail, tells, cause)
}

/** A verdict with a code of client-side encryption. `detail` is for the log, and gets the code as `cse`. */
export function codedRefusal(code: Code, detail: Detail = {}, cause?: unknown, fields?: readonly string[]): Refusal {
  return new Refusal(CODES[code].reason, { cse: code, ...detail }, {}, cause, code, fields)
}

/** Throws such a verdict. */
export function refuseCode(code: Code, detail?: Detail, cause?: unknown): never {
  throw codedRefusal(code, detail, cause)
}
