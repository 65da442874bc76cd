// The status page in a real Chromium: as people, keyboards and screen readers meet it, with every state it can be in.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { EVERY_MS } from '../../src/admin/page/script.ts'
import { PAGE_HEADERS, pageOf } from '../../src/admin/page/page.ts'
import type { View } from '../../src/admin/page/view.ts'
import { BUSY, QUIET, TROUBLED } from '../admin/page/sample.ts'
import { axe, open, servePage, startBrowser } from '../support/browser.ts'
import { serveGate } from '../support/gate.ts'
import { without } from '../support/programs.ts'
import { createRealm } from '../support/realm.ts'
import { dialPlain } from '../support/sockets.ts'
import { startUpstream } from '../support/upstream.ts'
import { until } from '../support/until.ts'

const skip = without('chromium')
const VIEWS: Readonly<Record<string, View>> = { quiet: QUIET, busy: BUSY, troubled: TROUBLED }
const WIDTHS = [320, 360, 768, 1280, 3840]
const AXED = [360, 1280]
const folder = skip === false ? mkdtempSync(join(process.env['TIDEGATE_SHOTS'] ?? tmpdir(), 'tidegate-page-')) : ''

interface Seen {
  readonly test: Test
  readonly show: (view: View) => void
  readonly url: string
}

/** A page whose view can be changed. */
async function serveView(test: Test, first: View): Promise<Seen> {
  let view = first
  const url = await servePage(test, PAGE_HEADERS, () => pageOf(view))
  return { test, url, show: (next) => (view = next) }
}

// Text, since the sources know nothing of a browser's types.
const FOCUSED = 'document.activeElement.id'
const STOP = `(({ activeElement: it, body }) => it === null || it === body ? null : { name: it.id || it.textContent, outline: getComputedStyle(it).outlineStyle })(document)`
const hidden = (is: boolean): string => `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${is} }); document.dispatchEvent(new Event('visibilitychange')); undefined`
const overflow = (page: Page): Promise<number> => page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')

void t.test('every state at every width: nothing is cut off, nothing is blocked, axe finds nothing', { skip, timeout: 120_000 }, async (test) => {
  const browser = await startBrowser(test)
  for (const [name, view] of Object.entries(VIEWS)) {
    const { url } = await serveView(test, view)
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, faults } = await open(browser, url, { colorScheme, reducedMotion: 'reduce' })
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 })
        test.ok(await overflow(page) <= 0, `${name} ${width} px: the page does not scroll sideways`)
        if (!AXED.includes(width)) continue
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true })
        test.strictSame(await axe(page), [], `${name} ${colorScheme} ${width} px`)
      }
      test.strictSame(faults, [], `${name} ${colorScheme}`)
      await page.context().close()
    }
  }
  test.comment(`screenshots are in ${folder}`)
})

void t.test('without JavaScript it is complete, and says that it stands still', { skip }, async (test) => {
  const browser = await startBrowser(test)
  const { url } = await serveView(test, TROUBLED)
  const { page } = await open(browser, url, { javaScriptEnabled: false })
  test.equal(await page.title(), `Not ready · ${TROUBLED.host} · Tidegate`)
  for (const text of ['Act now', 'tls.certificates[0] (tideoffice.blob.storage.tide.example) has expired', 'docs/refusals.md#tls-version', '203.0.113.0/24', 'Without JavaScript this page is complete']) {
    test.ok(await page.getByText(text).first().isVisible(), text)
  }
  test.notOk(await page.getByRole('button').isVisible(), 'no button that does nothing')
})

void t.test('new numbers come in place: focus, scroll positions and selections stay, screen readers hear only what matters', { skip }, async (test) => {
  const browser = await startBrowser(test)
  const { url, show } = await serveView(test, BUSY)
  const { page, faults } = await open(browser, 'about:blank')
  await page.clock.install()
  await page.setViewportSize({ width: 360, height: 700 })
  await page.goto(url)
  const tick = async (): Promise<void> => {
    const answered = page.waitForResponse(url)
    await page.clock.runFor(EVERY_MS + 100)
    await (await answered).finished()
  }
  await page.locator('#reasons').focus()
  await page.evaluate('document.getElementById("reasons").scrollLeft = 60')
  show({ ...BUSY, requests: { labels: {}, total: 9, recent: 303_000 }, handshakes: { labels: {}, total: 1234, recent: 7 } })
  await tick()
  await until(() => page.getByText('303\u202F000 in the last 5 min').isVisible(), 'the new number')
  test.equal(await page.evaluate(FOCUSED), 'reasons')
  test.equal(await page.evaluate('document.getElementById("reasons").scrollLeft'), 60)
  test.equal(await page.locator('#say').textContent(), '', 'numbers that move are not read out')
  show(TROUBLED)
  await tick()
  await until(async () => await page.title() === `Not ready · ${BUSY.host} · Tidegate`, 'the new title')
  test.match(await page.locator('#say').textContent(), /^Not ready\. tls\.certificates\[0\]/)
  test.equal(await page.locator('#say').getAttribute('role'), 'status', 'politely')
  await page.evaluate('getSelection().selectAllChildren(document.querySelector("h1"))')
  show(QUIET)
  await tick()
  test.equal(await page.evaluate('String(getSelection()).replace(/\\s+/g, "")'), '✕Notready', 'what is being copied stays')
  await page.evaluate('getSelection().removeAllRanges()')
  await tick()
  await until(() => page.getByText('Nothing needs you', { exact: true }).isVisible(), 'the quiet state')
  test.strictSame(await axe(page), [])
  test.strictSame(faults.filter((fault) => !fault.startsWith('asked for')), [])
})

void t.test('it stands still when told to or hidden, and says so when nobody answers', { skip }, async (test) => {
  const browser = await startBrowser(test)
  const { url, show } = await serveView(test, BUSY)
  const { page } = await open(browser, 'about:blank')
  await page.clock.install()
  await page.goto(url)
  let asked = 0
  page.on('request', () => asked++)
  const button = page.getByRole('button')
  await button.press('Enter')
  test.equal(await button.textContent(), 'Resume')
  await page.clock.runFor(10 * EVERY_MS)
  test.equal(asked, 0, 'paused')
  test.match(await page.locator('#beat').textContent(), /^paused at \d\d:\d\d:\d\d UTC$/)
  show(TROUBLED)
  await button.click()
  await until(async () => (await page.title()).startsWith('Not ready'), 'news at once')
  await page.evaluate(hidden(true))
  const before = asked
  await page.clock.runFor(10 * EVERY_MS)
  test.equal(asked, before, 'hidden')
  await page.route(url, (route) => route.abort())
  await page.evaluate(hidden(false))
  await until(() => page.locator('#stale').isVisible(), 'the warning')
  test.match(await page.locator('#stale').textContent(), /^No answer since \d\d:\d\d:\d\d UTC: what stands here is from before/)
  test.equal(await page.title(), 'No answer · Tidegate')
  test.match(await page.locator('#say').textContent(), /^No answer since/)
  test.strictSame(await axe(page), [])
  await page.unroute(url)
  await page.clock.runFor(EVERY_MS + 100)
  await until(async () => !await page.locator('#stale').isVisible(), 'the end of the warning')
  test.match(await page.title(), /^Not ready/)
})

void t.test('the keyboard reaches everything in the order of the page, sees where it is, and is trapped nowhere', { skip }, async (test) => {
  const browser = await startBrowser(test)
  const { url } = await serveView(test, TROUBLED)
  const { page } = await open(browser, url)
  await page.keyboard.press('Tab')
  test.match(await page.evaluate('({ text: document.activeElement.textContent, shown: document.activeElement.getBoundingClientRect().top >= 0 })'), { text: 'Skip to the state', shown: true })
  const stops: string[] = []
  for (let i = 0; i < 100; i++) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate<{ name: string; outline: string } | null>(STOP)
    if (stop === null) break
    test.equal(stop.outline, 'solid', stop.name)
    stops.push(stop.name)
  }
  test.ok(stops.length < 60, 'it comes to an end')
  const order = ['pause', 'Connections', 'Process', 'tls.certificates[0] (tideoffice.blob.storage.tide.example) has expired', 'offered', 'reasons', 'ranges', 'issuers', 'certificate-list', 'upstream-list', 'reloads', 'versions', '/status', '/readyz'].map((name) => stops.indexOf(name))
  test.notOk(order.includes(-1), stops.join(' · '))
  test.strictSame(order, order.toSorted((a, b) => a - b))
  await page.reload()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  test.equal(await page.evaluate(FOCUSED), 'main', 'the skip link skips')
})

void t.test('printed it is whole: light, without controls, tables not cut', { skip }, async (test) => {
  const browser = await startBrowser(test)
  const { url } = await serveView(test, TROUBLED)
  const { page } = await open(browser, url, { viewport: { width: 794, height: 1123 } })
  await page.emulateMedia({ media: 'print', colorScheme: 'light' })
  test.notOk(await page.getByRole('button').isVisible())
  test.notOk(await page.locator('nav').isVisible())
  test.ok((await page.pdf({ path: join(folder, 'printed.pdf'), format: 'A4' })).length > 10_000)
})

void t.test('a real gateway: a refusal appears without a reload, and nothing is blocked', { skip }, async (test) => {
  const browser = await startBrowser(test)
  const realm = await createRealm(test)
  const upstream = await startUpstream(test, realm)
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, workers: 2 })
  const { page, faults } = await open(browser, `http://127.0.0.1:${gate.adminPort}/`)
  await page.evaluate('globalThis.kept = true')
  test.ok(await page.getByText('Nothing has been refused since the start.').isVisible())
  const client = await dialPlain(test, gate.plainPort)
  await client.send(`GET /c/b?sig=c2VjcmV0 HTTP/1.1\r\nHost: x\r\n\r\n`)
  await client.ended()
  await until(() => page.getByText('docs/refusals.md#plaintext-http').isVisible(), 'the refusal')
  test.ok(await page.locator('#ranges').getByText('127.0.0.0/24').isVisible())
  test.equal(await page.evaluate('globalThis.kept'), true, 'the same document as before')
  test.notMatch(await page.content(), /c2VjcmV0/)
  test.strictSame(await axe(page), [])
  test.strictSame(faults, [])
})
