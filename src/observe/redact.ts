// What may be seen of a request target in a log line. Names and values are let through by list, so that a secret in an
// unforeseen place is hidden too (security.md O1).

// Values of these say how a request was meant, and hold no credential while they have their own form; anything else in such
// a place may be one that slipped.
const WORD = /^[a-z]{0,20}$/
const NUMBER = /^\d{0,10}$/
const TIME = /^(?:[\dTZ:.-]|%3A){0,40}$/i
const LETTERS = /^[a-z]{0,16}$/
const SHOWN: ReadonlyMap<string, RegExp> = new Map([
  ...['comp', 'restype'].map((name): [string, RegExp] => [name, WORD]),
  ...['timeout', 'maxresults', 'sdd'].map((name): [string, RegExp] => [name, NUMBER]),
  ...['snapshot', 'versionid', 'api-version', 'sv', 'st', 'se'].map((name): [string, RegExp] => [name, TIME]),
  ...['ss', 'srt', 'sr', 'sp'].map((name): [string, RegExp] => [name, LETTERS]),
  ['sip', /^[\d.-]{0,31}$/],
  ['spr', /^https?(?:(?:,|%2C)https?)?$/i],
])
// Too short to be a secret that counts (12 characters, security.md F); the longer ones are the services' own and OData's.
const SHORT_NAME = /^[A-Za-z$_][\w.$-]{0,10}$/
const LONG_NAMES: ReadonlySet<string> = new Set([
  'access_token', 'allowtrailingdot', 'appendposition', 'blocklisttype', 'client_secret', 'continuation', 'continuationtoken', 'copycompleted', 'deletesnapshots', 'encryptionscope', 'maxpagesize', 'nextpartitionkey',
  'nextrowkey', 'nexttablename', 'numofmessages', 'popreceipt', 'prevsharesnapshot', 'prevsnapshot', 'retainuncommitteddata', 'sharesnapshot', 'subscription-key', 'visibilitytimeout', '$inlinecount',
])
const HIDDEN = 'REDACTED'
// An escaped equals sign counts, escaped more than once too; a raw slash may be part of a base64 value.
const SIGNATURE_IN_PATH = /(sig|token|secret|key|password)(=|%(?:25)*3d)[^&]*/gi
const USERINFO = /^([a-z]+:\/\/)[^/]*@/i

/** The path, with whatever looks like a credential in it hidden. */
export function redactPath(path: string): string {
  return /[=%@]/.test(path) ? path.replace(SIGNATURE_IN_PATH, `$1$2${HIDDEN}`).replace(USERINFO, `$1${HIDDEN}@`) : path
}

/** The query with every value hidden that is not known to be harmless; a part without a plain name is hidden whole. */
export function redactQuery(query: string): string {
  return query.split('&', 64).map(redactPart).join('&')
}

/** A request target as it may stand in a log line. */
export function redactTarget(target: string): string {
  const mark = target.indexOf('?')
  if (mark < 0) return redactPath(target)
  return `${redactPath(target.slice(0, mark))}?${redactQuery(target.slice(mark + 1))}`
}

function redactPart(part: string): string {
  const equals = part.indexOf('=')
  const name = equals < 0 ? '' : part.slice(0, equals)
  if (!SHORT_NAME.test(name) && !LONG_NAMES.has(name.toLowerCase())) return part === '' ? '' : HIDDEN
  return SHOWN.get(name.toLowerCase())?.test(part.slice(equals + 1)) === true ? part : `${name}=${HIDDEN}`
}
