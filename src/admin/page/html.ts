// Text into HTML: whatever is put into an `html` template is escaped, unless it came out of one.

/** Markup that is safe to send as it is. Only `html` and `fixed` make it. */
export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** What may stand in a template; `false`, `null` and `undefined` give nothing. */
export type Part = Html | string | number | false | null | undefined | readonly Part[]

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&#39;', '`': '&#96;' }
// Control characters are no HTML; directional ones could make a text read as another.
const INVISIBLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** Given any text, returns it as text of an element or of a quoted attribute; what cannot be seen becomes U+FFFD. */
export function escape(text: string): string {
  return text.replace(INVISIBLE, (c) => (c === '\n' || c === '\t' ? ' ' : '\uFFFD')).replace(/[&<>"'`]/g, (c) => ESCAPES[c] ?? c)
}

/** The tag of templates: parts are escaped, lists joined. Attributes must be quoted. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(texts.map((text, i) => text + (i < parts.length ? render(parts[i]) : '')).join(''))
}

/** Given a text of this program, a style sheet or a script, returns it unescaped; nothing from outside may go in. */
export function fixed(text: string): Html {
  return new Html(text)
}

function render(part: Part): string {
  if (part === undefined || part === null || part === false) return ''
  if (part instanceof Html) return part.toString()
  return typeof part === 'string' || typeof part === 'number' ? escape(String(part)) : part.map(render).join('')
}
