// The document as a whole: complete without a script, under a policy that fits it, safe whatever the facts say.
import { createHash } from 'node:crypto'
import t from 'tap'
import { PAGE_HEADERS, pageOf } from '../../../src/admin/page/page.ts'
import { STYLE } from '../../../src/admin/page/style.ts'
import type { View } from '../../../src/admin/page/view.ts'
import { BUSY, NOW, QUIET, TROUBLED } from './sample.ts'

const VIEWS = { QUIET, BUSY, TROUBLED }
const PAGES = Object.entries(VIEWS).map(([name, view]) => [name, pageOf(view)] as const)
const policy = new Map((PAGE_HEADERS['content-security-policy'] ?? '').split('; ').map((part) => [part.split(' ')[0] ?? '', part.split(' ').slice(1).join(' ')]))
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const inside = (page: string, element: string): string => page.split(`<${element}>`)[1]?.split(`</${element}>`)[0] ?? ''

void t.test('the policy allows this style and this script, and nothing else', async (test) => {
  for (const [name, page] of PAGES) {
    test.equal(policy.get('style-src'), hashOf(inside(page, 'style')), name)
    test.equal(policy.get('script-src'), hashOf(inside(page, 'script')), name)
    test.notMatch(page, /<[a-z][^>]*\s(?:style|on[a-z]+)=/i, 'no attribute that it would block')
    test.notMatch(page.replace(/<(?:style|script)>[^]*?<\/(?:style|script)>/g, ''), /\s(?:src|href)="(?!#|\/(?:status|metrics|readyz)"|data:)/, 'nothing from elsewhere')
  }
  test.strictSame(['default-src', 'base-uri', 'form-action', 'frame-ancestors', 'connect-src'].map((part) => policy.get(part)), ['\'none\'', '\'none\'', '\'none\'', '\'none\'', '\'self\''])
  test.match(PAGE_HEADERS, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
})

void t.test('no facts can write into the page', async (test) => {
  const hostile = (value: unknown): unknown => {
    if (typeof value === 'string') return /^\d{4}-.*Z$/.test(value) ? value : `${value}"><script>alert('x')</script><img src=x onerror=alert(1)>`
    if (Array.isArray(value)) return value.map(hostile)
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, it]) => [key, hostile(it)])) : value
  }
  const page = pageOf(hostile(TROUBLED) as View)
  test.equal(page.match(/<script/g)?.length, 1)
  test.notMatch(page, /<img/)
  test.ok(page.includes('&lt;img src=x onerror=alert(1)&gt;'))
  for (const [tag] of page.split('</style>')[1]?.split('<script>')[0]?.matchAll(/<[a-z][^>]*>/g) ?? []) test.match(tag, /^<[a-z0-9]+(?:\s[a-zA-Z-]+(?:="[^"<>]*")?)*\/?>$/, tag)
})

void t.test('what an operator asks, in this order', async (test) => {
  const [, page = ''] = PAGES[2] ?? []
  const order = ['<h1>', 'Needs attention', 'Who connects, and how', 'What is refused, and why', 'By address range', 'Tokens that need not be https-only', 'Certificates</h2>', 'Upstreams</h2>', 'Configuration</h2>', 'Reloads', 'Process</h2>', 'id="versions"'].map((text) => page.indexOf(text))
  test.notOk(order.includes(-1))
  test.strictSame(order, order.toSorted((a, b) => a - b))
})

void t.test('tables have a caption, headings with a scope and a region that the keyboard reaches', async (test) => {
  for (const [name, page] of PAGES) {
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id)
    test.equal(new Set(ids).size, ids.length, `${name}: ids are unique`)
    for (const [, target = ''] of page.matchAll(/(?:href="#|aria-labelledby=")([^"]+)"/g)) test.ok(ids.includes(target), `${name}: ${target}`)
    const tables = page.split('<table>').slice(1)
    for (const table of tables) test.match(table, /^\n<caption><span id="[\w-]+-caption">[^<]+<\/span><\/caption>\n<thead><tr><th scope="col"/)
    test.equal(page.match(/<div class="wide" id="[\w-]+" role="region" aria-labelledby="[\w-]+" tabindex="0"><table>/g)?.length ?? 0, tables.length)
    test.notMatch(page, /<t[dh][^>]*><\/t[dh]>/, `${name}: no empty cell`)
  }
})

void t.test('where there is nothing the page says what that means', async (test) => {
  const [, page = ''] = PAGES[0] ?? []
  for (const text of ['Nothing needs you', 'it is before the gateway: DNS, balancer, firewall', 'Nothing has been refused', 'No request has brought a shared access signature yet', 'None since the start. Send SIGHUP']) test.ok(page.includes(text), text)
})

void t.test('a refusal comes with what to do and where the rest stands', async (test) => {
  const [, page = ''] = PAGES[2] ?? []
  test.match(page, /<code class="reason">tls-version<\/code> <span class="quiet">in the handshake<\/span><p>Update the client[^<]*<span class="ref">docs\/refusals\.md#tls-version<\/span>/)
  test.match(page, /203\.0\.113\.0\/24<\/code><\/th><td><code>sas-expired/)
  test.match(page, /<li><code>storage\.accounts\[1\]\.blob<\/code>: found nothing; allowed is an https URL<\/li>/)
})

void t.test('long lists are cut, and say so', async (test) => {
  const ranges = Array.from({ length: 200 }, (_, i) => ({ range: `10.0.${i}.0/24`, reason: 'tls-version' as const, count: 1, lastSeen: NOW }))
  const page = pageOf({ ...BUSY, ranges })
  test.equal(page.match(/10\.0\.\d+\.0\/24/g)?.length, 30)
  test.match(page, '170 more are in <code>/status</code>')
})

void t.test('what a screen reader is told has no number that moves', async (test) => {
  const later = { ...TROUBLED, now: NOW + 5000, windowSeconds: 309, upstreams: TROUBLED.upstreams.map((it) => ({ ...it, requests: { ...it.requests, recent: it.requests.recent + 7 } })), workerRestarts: { labels: {}, total: 6, recent: 3 } }
  test.equal(summary(TROUBLED), summary(later))
  test.match(summary(TROUBLED), /^Not ready\. tls\.certificates\[0\] .* has expired/)
  test.equal(summary(BUSY), 'Ready. Plain HTTP requests came.')
})

void t.test('every colour of text has 4.5 to 1 on every ground that it stands on, in both schemes', async (test) => {
  const schemes = [STYLE.split('@media')[0] ?? '', STYLE.split('(prefers-color-scheme:dark){')[1]?.split('}}')[0] ?? ''].map((text) => new Map([...text.matchAll(/--([a-z-]+):(#[0-9a-f]+)/g)].map(([, name = '', value = '']) => [name, value])))
  const pairs = [...['ground', 'surface'].flatMap((ground) => ['text', 'quiet', 'link'].map((ink) => [ink, ground])), ...['good', 'warn', 'bad', 'note'].flatMap((level) => [[level, `${level}-ground`], ['text', `${level}-ground`]])]
  for (const colours of schemes) {
    for (const [ink = '', ground = ''] of pairs) test.ok(contrast(colours.get(ink) ?? '', colours.get(ground) ?? '') >= 4.5, `${ink} on ${ground}: ${contrast(colours.get(ink) ?? '', colours.get(ground) ?? '')}`)
  }
})

const summary = (view: View): string => /id="summary">([^<]*)</.exec(pageOf(view))?.[1] ?? ''

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const hex = colour.length === 4 ? colour.replace(/[0-9a-f]/g, '$&$&') : colour
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
