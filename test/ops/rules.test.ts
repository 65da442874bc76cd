// The rules for Prometheus: promtool takes them, each alert is shown to fire and not to, has its section of the runbook, and
// asks for nothing that the gateway does not expose.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { output, without } from '../support/programs.ts'
import { exposedNames, metricsIn } from '../support/prometheus.ts'

const ROOT = join(import.meta.dirname, '../..')
const RULES = join(ROOT, 'deploy/chart/files/rules.yaml')
const CASES = ['rules.test.yaml', 'rules-over-days.test.yaml'].map((file) => join(ROOT, 'deploy/prometheus', file))
const RUNBOOK = readFileSync(join(ROOT, 'docs/alerts.md'), 'utf8')

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels?: { readonly severity?: string }
  readonly annotations?: { readonly summary?: string; readonly description?: string; readonly runbook?: string }
}

const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined)
const cases = CASES.flatMap((file) => (parse(readFileSync(file, 'utf8')) as { tests: { name: string }[] }).tests.map(({ name }) => name))
const sections = RUNBOOK.split(/^## /m).slice(1).map((section) => [section.slice(0, section.indexOf('\n')), section] as const)
const byText = (a: string, b: string): number => a.localeCompare(b)
const skip = without('promtool')

void t.test('promtool takes the rules', { skip }, async (test) => {
  test.match(output('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', RULES]), /SUCCESS/)
})

void t.test('each case comes out as it says', { skip }, async (test) => {
  test.match(output('promtool', ['test', 'rules', ...CASES]), /SUCCESS/)
})

void t.test('each alert has a case that fires and one that does not, and each case an alert', async (test) => {
  for (const { alert } of alerts) {
    test.ok(cases.includes(`${alert} fires`), `${alert} fires`)
    test.ok(cases.some((name) => name.startsWith(`${alert} does not fire: `)), `${alert} does not fire`)
  }
  test.equal(cases.length, 2 * alerts.length + 1, 'and one of labels and texts')
})

void t.test('each alert says how urgent it is, what it is about, and where to read on', async (test) => {
  for (const { alert, labels, annotations } of alerts) {
    test.match(labels?.severity, /^(?:page|ticket)$/, alert)
    test.match(annotations?.summary, /^[A-Z{].*\.$/, alert)
    test.match(annotations?.description, /^[A-Z{].*\.$/, alert)
    test.equal(annotations?.runbook, `docs/alerts.md#${alert.toLowerCase()}`, alert)
  }
})

void t.test('the runbook has a section for each, in their order, with what to look at and what to do', async (test) => {
  test.strictSame(sections.map(([heading]) => heading).toSorted(byText), alerts.map(({ alert }) => alert).toSorted(byText))
  for (const [heading, text] of sections) {
    const severity = alerts.find(({ alert }) => alert === heading)?.labels?.severity
    test.match(text, new RegExp(`^${heading}\\n\\n\`${severity}\`\\. \\*\\*Means:\\*\\* \\S[^]*\\n\\*\\*Look:\\*\\*[^]*\\n\\*\\*Do:\\*\\* \\S`), heading)
  }
})

void t.test('each metric of a rule is one of ours, or recorded here', async (test) => {
  const names = await exposedNames()
  const recorded = new Set(rules.map(({ record }) => record))
  for (const { alert, record, expr } of rules) {
    const asked = metricsIn(expr)
    test.ok(asked.length > 0, `${alert ?? record}`)
    for (const name of asked) test.ok(name === 'up' || names.has(name) || recorded.has(name), `${alert ?? record}: ${name}`)
  }
})
