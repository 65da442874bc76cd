// docs/logging.md against the program, both ways: what is written is documented, and what is documented is written.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startMixedGate } from './support/mixed-traffic.ts'
import { faultsOf, readLogSchema } from './support/log-schema.ts'
import { createRealm } from './support/realm.ts'
import { until } from './support/until.ts'
import { writeConfiguration, type LogLine } from './support/gate.ts'

const SRC = join(import.meta.dirname, '../src')
const sources = globSync('**/*.ts', { cwd: SRC }).filter((file) => !file.startsWith('cli/')).map((file) => readFileSync(join(SRC, file), 'utf8').replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, ''))
const schema = readLogSchema()

/** A logger's call, with its message last; and the recorder's `noted`, which has the level first. */
const CALLS = [/(?:\.(?:info|warn|error|line)|#tell)\(.*'([^']+)'\)/g, /\bnoted\('\w+', '([^']+)'/g]
const byText = (a: string, b: string): number => a.localeCompare(b)

void t.test('every message in the sources has its section, and every section its message', async (test) => {
  const written = new Set(sources.flatMap((text) => CALLS.flatMap((call) => [...text.matchAll(call)].map(([, message = '']) => message))))
  test.strictSame([...written].toSorted(byText), [...schema.keys()].toSorted(byText))
})

void t.test('every documented field has its name in the sources', async (test) => {
  const all = sources.join('\n')
  for (const [message, fields] of schema) {
    for (const field of fields.keys()) {
      const name = /(\w+)(?:\[\])?$/.exec(field)?.[1] ?? ''
      // pino writes these three; the fourth is the message itself.
      if (!['level', 'time', 'pid', 'msg'].includes(name)) test.match(all, new RegExp(`\\b${name}\\b(?:"?:|,| \\}| =)`), `${message} ${field}`)
    }
  }
})

/** Lines that need a bug, a machine without its minimum, or an end of a certificate: their fields are not awaited in the run. */
const RARE = ['unexpected', 'uncaught', 'a worker could not start', 'systemd cannot be told', 'version below the stated minimum', 'the memory of this process can leave it', 'a certificate has expired', 'configuration', 'a connection could not be accepted', 'memory is short: new connections are turned away', 'memory is enough again']
/** Of `request` and `refused`, what this run does not lead to; each stands in a journey of its own. */
const RARE_FIELDS = ['request refusal.names', 'request refusal.fields', 'request refusal.startsOn', 'refused balancer', 'refused why', 'request sample', 'request refusal.version', 'request wouldRefuse', 'request refusal.rule']

void t.test('a run of every kind: each field is documented with its type, and each documented one was seen', async (test) => {
  const realm = await createRealm(test)
  const near = await realm.certificate('near', { names: ['tideoffice.blob.localhost', 'tideoffice.queue.localhost', 'tideoffice.file.localhost', 'tideoffice.table.localhost', 'payroll.localhost'], days: 20 })
  const wish = { tls: { clients: { ca: 'offices.pem' }, handshakeTimeout: '2s', certificates: [{ cert: near.certFile, key: near.keyFile }] } }
  const gate = await startMixedGate(test, realm, wish)
  await gate.traffic()
  const refused = async (): Promise<number> => await gate.metric('tidegate_refusals_total', { stage: 'door' }) + await gate.metric('tidegate_refusals_total', { stage: 'handshake' })
  // What a worker that is killed has not written yet is lost.
  await until(async () => gate.lines('refused').length === await refused() && gate.lines('request').length === await gate.metric('tidegate_requests_total'), 'all lines')
  process.kill((await gate.workers())[0] ?? 0, 'SIGKILL')
  await until(() => gate.lines('a worker ended').length > 0, 'the end of a worker')
  const seen = new Set<string>()
  const faulty = realm.write('tidegate.yaml', 'nonsense: true')
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reload refused: the old configuration stays in force').length > 0, `a refused reload of ${faulty}`)
  await writeConfiguration(realm, gate.wish)
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reloaded').length > 0, 'a reload')
  await gate.stop()
  const faults = new Set(gate.lines().flatMap((line: LogLine) => faultsOf(line, schema, seen)))
  test.strictSame([...faults], [])
  const documented = [...schema].filter(([message]) => !RARE.includes(message)).flatMap(([message, fields]) => [...fields.keys()].map((field) => `${message} ${field}`))
  test.strictSame(documented.filter((it) => !seen.has(it) && !RARE_FIELDS.includes(it)), [])
})
