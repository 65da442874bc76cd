// Parameters as the most lenient reader takes them: for questions where overlooking one would let something pass unjudged.

/** Returns whether some reader may find `name=value` in a query: in any case, escaped twice, or with blanks around it. Both are lower case. */
export function mayHoldParameter(query: string | undefined, name: string, value: string): boolean {
  return query !== undefined && query.split('&').some((part) => {
    const equals = part.indexOf('=')
    return equals > 0 && plain(part.slice(0, equals)) === name && plain(part.slice(equals + 1)) === value
  })
}

function plain(text: string): string {
  return decoded(decoded(text.replaceAll('+', ' '))).normalize('NFKC').trim().toLowerCase()
}

/** What cannot be decoded stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
