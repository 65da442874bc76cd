// What the runbook tells people to type at 3 a.m., typed: every filter of the log and of /status by jq, over the log of a gateway
// that met clients of every kind, and every query by a real Prometheus that scrapes it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run, without } from '../support/programs.ts'
import { startMixedGate } from '../support/mixed-traffic.ts'
import { startPrometheus } from '../support/prometheus.ts'
import { createRealm } from '../support/realm.ts'
import { until } from '../support/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const sections = readFileSync(join(ROOT, 'docs/alerts.md'), 'utf8').split(/^## /m).slice(1).map((section) => ({
  heading: section.slice(0, section.indexOf('\n')), commands: [...section.matchAll(/^ {4}(.+)$/gm)].map(([, command = '']) => command),
}))

/** Nothing of these happens here: their filters have nothing to show. */
const QUIET = ['TidegateNotReady', 'TidegateDrainingTooLong', 'TidegateCrlExpiring', 'TidegateOverloaded', 'TidegateMemoryShort', 'TidegateWorkerRestarts', 'TidegateUnexpectedErrors', 'TidegateReloadFailed']

void t.test('what the runbook says to type', { skip: without('jq', 'curl', 'prometheus') }, async (test) => {
  const realm = await createRealm(test)
  const gate = await startMixedGate(test, realm)
  await gate.traffic()
  await until(async () => gate.lines('request').length >= await gate.metric('tidegate_requests_total'), 'all lines')
  const log = realm.write('log', `${gate.text.join('\n')}\n`)
  const prometheus = await startPrometheus(test, realm, `127.0.0.1:${gate.adminPort}`, join(ROOT, 'deploy/chart/files/rules.yaml'))

  for (const { heading, commands } of sections) {
    await test.test(heading, async (inner) => {
      for (const command of commands.filter((line) => /^(?:LOG \||curl -s ADMIN)/.test(line))) {
        const typed = command.replace(/^LOG \|/, `cat ${log} |`).replaceAll('ADMIN', `http://127.0.0.1:${gate.adminPort}`)
        const { code, stdout, stderr } = run('bash', ['-o', 'pipefail', '-c', typed])
        inner.strictSame({ code, stderr }, { code: 0, stderr: '' }, command)
        if (!QUIET.includes(heading)) inner.match(stdout, /\S/, `${command}: shows something`)
      }
      for (const query of commands.flatMap((line) => (line.startsWith('promql ') ? line.slice(7).split(' ; ') : []))) {
        await inner.resolves(prometheus.query(query.replaceAll('"NAME"', '"tideoffice"')), query)
      }
    })
  }

  await test.test('the queries of docs/operations.md', async (inner) => {
    const [, metrics = ''] = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8').split('\n## Metrics, by question')
    const queries = [...(metrics.split('\n## ')[0] ?? '').matchAll(/^ {4}((?!curl).+)$/gm)].map(([, query = '']) => query)
    inner.ok(queries.length > 10)
    for (const query of queries) await inner.resolves(prometheus.query(query), query)
  })
})
