// What may be seen of a request target in a log line. Names and values are let through by list, so that a secret in an
// unforeseen place is hidden too (security.md O1).

// Values of these say how a request was meant, have a narrow grammar and hold no credential.
const SHOWN = new Set('comp restype timeout maxresults snapshot versionid api-version sv ss srt sr sp st se sip spr sdd'.split(' '))
const PLAIN_VALUE = /^[\w.:%+,-]{0,40}$/
const PLAIN_NAME = /^[A-Za-z$_][\w.$-]{0,31}$/
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
  if (!PLAIN_NAME.test(name)) return part === '' ? '' : HIDDEN
  return SHOWN.has(name.toLowerCase()) && PLAIN_VALUE.test(part.slice(equals + 1)) ? part : `${name}=${HIDDEN}`
}
