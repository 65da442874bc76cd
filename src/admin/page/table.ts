// Tables, and the small parts in their cells.
import { html, type Html, type Part } from './html.ts'
import type { Level } from './attention.ts'

export interface Column {
  readonly head: string
  /** Numbers stand right-aligned. */
  readonly number?: boolean
}

export interface TableWish {
  /** Unique on the page; the region's name comes from the caption. */
  readonly id: string
  readonly caption: string
  readonly columns: readonly Column[]
  /** The first cell is the row's heading. */
  readonly rows: readonly (readonly Part[])[]
  /** What it means that there is no row. */
  readonly empty: string
  /** Rows beyond this are told as a number. */
  readonly most?: number
}

const MOST = 50

/** A table in a region of its own, which scrolls by itself and by the keyboard where it is too wide. */
export function table({ id, caption, columns, rows, empty, most = MOST }: TableWish): Html {
  if (rows.length === 0) return html`<div class="none" id="${id}"><h3>${caption}</h3><p>${empty}</p></div>`
  const rest = rows.length - most
  return html`<div class="wide" id="${id}" role="region" aria-labelledby="${id}-caption" tabindex="0"><table>
<caption><span id="${id}-caption">${caption}</span></caption>
<thead><tr>${columns.map(({ head, number }) => html`<th scope="col"${number === true ? NUMBER : ''}>${head}</th>`)}</tr></thead>
<tbody>${rows.slice(0, most).map((cells) => row(columns, cells))}</tbody>
</table></div>${rest > 0 && html`<p class="more">${rest} more are in <code>/status</code>.</p>`}`
}

const NUMBER = html` class="number"`

function row(columns: readonly Column[], cells: readonly Part[]): Html {
  return html`<tr>${cells.map((cell, i) => {
    const kind = columns[i]?.number === true ? NUMBER : ''
    return i === 0 ? html`<th scope="row"${kind}>${cell}</th>` : html`<td${kind}>${cell}</td>`
  })}</tr>
`
}

const MARKS: Readonly<Record<'good' | Level, string>> = { good: '✓', bad: '✕', warn: '!', note: 'i' }

/** A word with its colour and a mark: never colour alone. */
export function badge(level: 'good' | Level, word: string): Html {
  return html`<span class="badge ${level}"><span class="mark" aria-hidden="true">${MARKS[level]}</span>${word}</span>`
}

/** A share, 0 to 1, as a bar behind its number. SVG, since the policy allows no style attributes. */
export function bar(share: number): Html {
  const width = Math.max(0, Math.min(100, share * 100)).toFixed(1)
  return html`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="track" width="100" height="6"/><rect class="fill" width="${width}" height="6"/></svg>`
}
