// Fields that go with each export of spans, out of a file: they are credentials as a rule, so they are in no configuration.

export const OTLP_HEADERS_ALLOWED = 'one `Name: value` a line'

const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*?)[ \t]*$/
/** What the exporter itself says of its requests. */
const OURS = /^(?:host|connection|content-.*|transfer-encoding)$/i

/**
 * Parses the bytes of the file: one field a line (RFC 9110 section 5.1), empty lines are skipped. Returns the fields, or says
 * in words what is wrong without quoting the text.
 */
export function parseOtlpHeaders(bytes: Buffer): Readonly<Record<string, string>> | string {
  const fields: Record<string, string> = {}
  for (const [index, line] of bytes.toString('utf8').split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const [, name, value] = LINE.exec(line) ?? []
    if (name === undefined || value === undefined || value === '') return `line ${index + 1} is no field`
    if (OURS.test(name)) return `line ${index + 1} names a field that the exporter sets itself`
    fields[name] = value
  }
  return Object.keys(fields).length === 0 ? 'an empty file' : fields
}
