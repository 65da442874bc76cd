// The status page as one document, and the policy that it is sent under: its own style and script by their hashes, and
// nothing else from anywhere.
import { createHash } from 'node:crypto'
import { attentionOf, headlineOf, type Attention, type Headline, type Level } from './attention.ts'
import { duration, moment } from './format.ts'
import { fixed, html, type Html } from './html.ts'
import { SCRIPT } from './script.ts'
import { certificatesSection, configurationSection, processSection, upstreamsSection } from './sections-state.ts'
import { connectionsSection, refusalsSection, tokensSection } from './sections-traffic.ts'
import { STYLE } from './style.ts'
import { badge } from './table.ts'
import { tilesOf } from './tiles.ts'
import type { View } from './view.ts'

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Fields of the reply that carries the page. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': [
    'default-src \'none\'', `script-src ${hashOf(SCRIPT)}`, `style-src ${hashOf(STYLE)}`, 'img-src data:', 'connect-src \'self\'',
    'base-uri \'none\'', 'form-action \'none\'', 'frame-ancestors \'none\'', 'require-trusted-types-for \'script\'', 'trusted-types \'none\'',
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

const SECTIONS: readonly (readonly [id: string, title: string, render: (view: View) => Html])[] = [
  ['connections', 'Connections', connectionsSection],
  ['refusals', 'Refusals', refusalsSection],
  ['tokens', 'Tokens', tokensSection],
  ['certificates', 'Certificates', certificatesSection],
  ['upstreams', 'Upstreams', upstreamsSection],
  ['configuration', 'Configuration', configurationSection],
  ['process', 'Process', processSection],
]

/** The whole document. `data-live` marks what the script brings up to date. */
export function pageOf(view: View): string {
  const attention = attentionOf(view)
  const headline = headlineOf(view, attention)
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${headline.word} · ${view.host} · Tidegate</title><link rel="icon" id="icon" href="${iconOf(headline)}"><style>${fixed(STYLE)}</style></head>
<body><a class="skip" href="#main">Skip to the state</a>
<header><p class="brand">Tidegate <span>${view.versions.tidegate}</span></p><p class="where">${view.host}</p><p class="as-of" id="as-of" data-live>as of ${moment(view.now)}</p>
<div class="live" id="live" hidden><span id="beat"></span><button type="button" id="pause">Pause</button></div></header>
<nav aria-label="On this page"><ul>${SECTIONS.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main id="main" tabindex="-1"><p class="stale" id="stale" hidden></p>
<div id="state" data-live>${bannerOf(headline)}${attentionList(attention)}${tilesOf(view)}<p class="hidden" id="summary">${summaryOf(headline, attention)}</p></div>
<div class="columns" id="sections" data-live>${SECTIONS.map(([, , render]) => render(view))}</div></main>
<footer><p>Counts are of all workers since the start, ${duration((view.now - view.startedAt) / 1000)} ago, unless they say otherwise. The same for programs: <a href="/status">/status</a>, <a href="/metrics">/metrics</a>, <a href="/readyz">/readyz</a>. What each thing means is in docs/operations.md.</p><p id="still">Without JavaScript this page is complete and stands still: reload it for newer numbers.</p></footer>
<p class="hidden" id="say" role="status"></p><script>${fixed(SCRIPT)}</script></body></html>
`.toString()
}

const MARKS: Readonly<Record<Headline['level'], string>> = { good: '✓', warn: '!', bad: '✕', note: 'i' }

function bannerOf({ level, word, sentence }: Headline): Html {
  return html`<div class="banner ${level}"><h1><span class="mark" aria-hidden="true">${MARKS[level]}</span>${word}</h1><p>${sentence}</p></div>`
}

const URGENCY: Readonly<Record<Level, string>> = { bad: 'Act now', warn: 'Look soon', note: 'Note' }

function attentionList(attention: readonly Attention[]): Html {
  if (attention.length === 0) return html`<section class="attention" aria-labelledby="attention-title"><h2 id="attention-title">Nothing needs you</h2><p class="quiet">No certificate ends soon, every upstream answers, the last reload was applied.</p></section>`
  return html`<section class="attention" aria-labelledby="attention-title"><h2 id="attention-title">Needs attention</h2><ol>${attention.map(({ level, what, todo, section }) =>
    html`<li>${badge(level, URGENCY[level])}<a href="#${section}">${what}</a><p>${todo}</p></li>`)}</ol></section>`
}

/** What a screen reader is told when it changes: the state and what is for now or soon, no moving numbers. */
function summaryOf({ word }: Headline, attention: readonly Attention[]): string {
  const urgent = attention.filter(({ level }) => level !== 'note').map(({ what, told = what }) => told)
  return `${word}. ${urgent.length === 0 ? 'Nothing needs you.' : `${urgent.join('. ')}.`}`
}

const ICON_COLOURS: Readonly<Record<Headline['level'], string>> = { good: '%2317692f', warn: '%23b36b00', bad: '%23c01f26', note: '%233d5166' }

/** The tab's icon tells the state too. */
function iconOf({ level }: Headline): string {
  return `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='${ICON_COLOURS[level]}'/%3E%3Cpath d='M3 10q2.5-5 5 0t5 0' fill='none' stroke='white' stroke-width='2'/%3E%3C/svg%3E`
}
