// The pages under docs/ against the code, in both directions: what is written is there, and what is there is written.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { parseConfig } from '../src/config/parse.ts'
import { FILE } from '../src/config/schema.ts'
import { UNBUILT } from '../src/config/unbuilt.ts'
import { createStateMetrics, createTrafficMetrics } from '../src/observe/metrics.ts'
import { REASONS, REFUSALS, type Reason } from '../src/refusal.ts'
import { readPage } from './support/page.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const NOT_OURS = /^(?:node_modules|\.dev|\.tap|\.git|bench\/out)\//
const PAGES = globSync('**/*.md', { cwd: ROOT, exclude: (name) => NOT_OURS.test(`${name}/`) }).filter((page) => !NOT_OURS.test(page)).toSorted()
const SOURCES = globSync('src/**/*.ts', { cwd: ROOT }).toSorted()

const FENCED = /^```[^]*?^```/gm

/** A page without its code, fenced or inline: what is in there is no link. */
const prose = (page: string): string => read(page).replace(FENCED, '').replace(/`[^`\n]*`/g, '``')

/** The sections of a page by heading, in their order. */
function sections(page: string): [heading: string, text: string][] {
  return read(page).split(/^## /m).slice(1).map((section) => {
    const end = section.indexOf('\n')
    return [section.slice(0, end), section.slice(end + 1)]
  })
}

void t.test('every reason has its section, in the order of the table, and no section is of anything else', async (test) => {
  test.strictSame(sections('docs/refusals.md').map(([heading]) => heading), REASONS.map((reason) => `\`${reason}\``))
})

void t.test('each section says what the client sees as the table has it', async (test) => {
  for (const [heading, text] of sections('docs/refusals.md')) {
    const row = REFUSALS[heading.slice(1, -1) as Reason]
    const sees = row.status === null ? 'closed' : `${row.status}, storage code \`${row.azure}\`${row.closes ? ', then closed' : ''}`
    const [, rest] = text.split(`\n* **Client sees:** ${sees}`)
    test.match(rest, row.closes ? /^[.,]/ : /^\./, heading)
    test.match(text, /^\n\* \*\*Means:\*\* ./, `${heading} says what it means`)
    if (!neverGiven(text)) test.match(text, /^\* \*\*Client side:\*\* .*\n\* \*\*Operator side:\*\* ./m, `${heading} says what to do`)
  }
})

// A row in a table of codes gives no reason by itself: these need a client that was asked for its certificate.
const NEED_CLIENT_CERTIFICATES = /^client-(?:cert-|not-allowed$)/

void t.test('a section says that its reason is never given exactly where no source gives it', async (test) => {
  const sources = SOURCES.filter((path) => path !== 'src/refusal.ts').map(read).join('\n')
  const asked = !UNBUILT.some(({ path }) => path === 'tls.clients.verify')
  for (const [heading, text] of sections('docs/refusals.md')) {
    const reason = heading.slice(1, -1)
    const given = sources.includes(`'${reason}'`) && (asked || !NEED_CLIENT_CERTIFICATES.test(reason))
    test.equal(neverGiven(text), !given, reason)
  }
})

const neverGiven = (text: string): boolean => text.includes('\n* *This version never gives it:* ')

void t.test('every metric is in docs/operations.md, and no page names one that is not there', async (test) => {
  const families = (await Promise.all([createTrafficMetrics(), createStateMetrics()].map(({ registry }) => registry.getMetricsAsJSON()))).flat()
  const names = new Set(families.map(({ name }) => name).filter((name) => name.startsWith('tidegate_')))
  const histograms = families.filter(({ type }) => String(type) === 'histogram').flatMap(({ name }) => ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`))
  const operations = namesIn('docs/operations.md')
  const [, missing = ''] = read('docs/reference.md').split('## 14. Not built yet')
  const unbuilt = new Set(missing.match(/tidegate_\w+/g))
  for (const name of names) test.ok(operations.has(name), `${name} is in docs/operations.md`)
  for (const page of PAGES) {
    for (const name of namesIn(page)) test.ok(names.has(name) || unbuilt.has(name) || histograms.includes(name), `${name} in ${page}`)
  }
})

function namesIn(page: string): ReadonlySet<string> {
  return new Set(read(page).match(/\btidegate_[a-z0-9_]*[a-z0-9]/g))
}

void t.test('every relative link leads to a file, and to a heading of it where it names one', async (test) => {
  for (const page of PAGES) {
    for (const [, target = ''] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      test.ok(existsSync(join(ROOT, file)), `${page}: ${target}`)
      if (anchor !== undefined && existsSync(join(ROOT, file))) test.ok(anchors(file).has(anchor), `${page}: ${target}`)
    }
  }
})

void t.test('the configuration in README.md is one that is read', async (test) => {
  const [, yaml = ''] = /^```yaml\n([^]*?)^```/m.exec(read('README.md')) ?? []
  test.strictSame(parseConfig(yaml, { file: 'README.md', directory: '/etc/tidegate', environment: {} }).faults, undefined)
})

void t.test('docs/README.md leads to every page of its folder', async (test) => {
  const linked = new Set([...prose('docs/README.md').matchAll(/\]\(([^)#\s]+)/g)].map(([, target = '']) => join('docs', target)))
  for (const page of globSync('docs/*.md', { cwd: ROOT }).filter((path) => path !== 'docs/README.md')) test.ok(linked.has(page), page)
})

void t.test('a page of docs/clients says how it was come by: it has blocks that are run, or says that it was not executed', async (test) => {
  const pages = PAGES.filter((path) => /^docs\/clients\/(?!README)/.test(path))
  const overview = read('docs/clients/README.md')
  for (const page of pages) {
    const executed = readPage(read(page)).blocks.some(({ does }) => does.kind === 'run')
    test.equal(/^Not executed here[.:]/m.test(read(page)), !executed, page)
    test.match(overview, new RegExp(`\\(${basename(page).replace('.', '\\.')}\\) \\|.*\\| ${executed ? 'yes' : 'no'}[^|]*\\|$`, 'm'), `${page} in the table of the overview`)
  }
})

/** Headings as GitHub makes anchors of them. */
function anchors(page: string): ReadonlySet<string> {
  const headings = read(page).replace(FENCED, '').match(/^#{1,6} .*$/gm) ?? []
  return new Set(headings.map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')))
}

void t.test('every top-level key of the configuration is in docs/configuration.md', async (test) => {
  const page = read('docs/configuration.md')
  for (const key of Object.keys(FILE.properties)) test.ok(page.includes(`| \`${key}\` |`), key)
})

