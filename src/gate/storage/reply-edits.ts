// The few edits of a storage reply (spec/sas.md section 14): a signature in the header of a returned copy source is
// hidden, and table replies name the entity on the gateway's own name.
import type { Origin } from '../../upstream/routes.ts'

/** In any spelling: the service gives the URL back as the client wrote it. */
const SIGNATURE = /([?&](?:s|%[57]3)(?:i|%[46]9)(?:g|%[46]7)=)[^&#]*/gi
const ENTITY_FIELDS = /^(Location|DataServiceId):[ \t]*https?:\/\/[^\r\n]*/gim

/** Edits the fields of a reply, flat, in place. `host` is the request's Host. */
export function editReplyFields(fields: string[], isTable: boolean, origin: Origin, host: string): void {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (name.length === 16 && name.toLowerCase() === 'x-ms-copy-source') fields[i + 1] = (fields[i + 1] as string).replace(SIGNATURE, '$1REDACTED')
    else if (isTable && isEntityField(name)) fields[i + 1] = onOurName(fields[i + 1] as string, origin, host)
  }
}

/** The same in the parts of a batch's reply. */
export function editBatchReply(body: string, origin: Origin, host: string): string {
  return body.replace(ENTITY_FIELDS, (line) => {
    const colon = line.indexOf(':')
    return `${line.slice(0, colon)}: ${onOurName(line.slice(colon + 1).trim(), origin, host)}`
  })
}

function isEntityField(name: string): boolean {
  return (name.length === 8 && name.toLowerCase() === 'location') || (name.length === 13 && name.toLowerCase() === 'dataserviceid')
}

/** A URL of the upstream's as one of ours; any other URL stays as it is. */
function onOurName(url: string, origin: Origin, host: string): string {
  const parts = /^https?:\/\/([^/]*)(\/.*)?$/i.exec(url)
  if (parts === null || parts[1]?.toLowerCase() !== origin.host.toLowerCase()) return url
  const path = parts[2] ?? '/'
  return `https://${host}${path.startsWith(`${origin.pathPrefix}/`) ? path.slice(origin.pathPrefix.length) : path}`
}
