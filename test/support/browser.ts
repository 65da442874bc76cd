// Debian's Chromium, driven by playwright-core; pages that people look at are tested in what people look at them with.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import type { Test } from 'tap'

/** As root, and without what Chromium asks the network for on its own. */
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const AXE = readFileSync(join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'), 'utf8')

/** Starts one; it ends with the test. */
export async function startBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS })
  t.teardown(() => browser.close())
  return browser
}

export interface Opened {
  readonly page: Page
  /** What the policy blocked, what went wrong in scripts, what was asked of anybody else. */
  readonly faults: readonly string[]
}

/** Opens a page in a context of its own. */
export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('request', (request) => !request.url().startsWith('data:') && new URL(request.url()).origin !== new URL(url).origin && faults.push(`asked for ${request.url()}`))
  await page.goto(url)
  return { page, faults }
}

/** What axe-core finds against WCAG 2.2 A and AA and its best practices, one line each. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(async () => {
    const { axe: it } = globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; help: string; nodes: { html: string }[] }[] }> } }
    return await it.run()
  })
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 120)).slice(0, 3).join(' | ')}`)
}

/** Serves what `body` gives by then, with these fields; returns the URL. */
export async function servePage(t: Test, headers: Readonly<Record<string, string>>, body: () => string): Promise<string> {
  const server = createServer((_request, reply) => reply.writeHead(200, headers).end(body()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
