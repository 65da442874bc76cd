// `log.audit`: one line for each refusal, before HTTP and in it, from every worker into one file; opened anew at SIGHUP for
// rotation; checked at start like every file that the configuration names.
import { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runGate, serveGate, writeConfiguration, type LogLine } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'
import { askOnce, dialPlain } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
upstream.script(ok)
const file = join(realm.folder, 'audit.log')
const WISH = { storage: { blob: upstream.port }, log: { audit: 'audit.log' } }

const linesOf = (name: string): LogLine[] => readFileSync(name, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as LogLine)
const reasons = (name: string): string[] => linesOf(name).map(({ reason = '' }) => reason).toSorted((a, b) => a.localeCompare(b))

void t.test('refusals of both kinds, of all workers, and nothing else', async (test) => {
  const gate = await serveGate(test, realm, { ...WISH, workers: 2 })
  for (let i = 0; i < 8; i++) {
    await askOnce(test, gate, 'GET /c/b')
    await askOnce(test, gate, 'GET /c/b?sig=s3cret')
    const plain = await dialPlain(test, gate.plainPort)
    await plain.ask('GET /c/b?sig=s3cret')
    plain.close()
  }
  await until(() => linesOf(file).length >= 16, 'all lines')
  test.strictSame(reasons(file), [...Array<string>(8).fill('plaintext-http'), ...Array<string>(8).fill('sas-version')])
  test.ok(new Set(linesOf(file).map(({ pid }) => pid)).size > 1, 'of more than one worker')
  test.notMatch(readFileSync(file, 'utf8'), /s3cret/)
  test.equal(statSync(file).mode & 0o007, 0, 'not for others')
  const refusals = (): LogLine[] => gate.lines().filter(({ reason }) => reason !== undefined)
  await until(() => refusals().length >= 16, 'all lines of the log')
  const own = refusals().map((line) => JSON.stringify(line)).toSorted()
  const audited = linesOf(file).map((line) => JSON.stringify(line)).toSorted()
  test.strictSame(audited.map(withoutTime), own.map(withoutTime), 'each as it is in the log')

  // As logrotate does it: rename, then SIGHUP.
  renameSync(file, `${file}.1`)
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reloaded').length > 0, 'the reload')
  await until(async () => {
    await askOnce(test, gate, 'GET /c/b?sig=x')
    return linesOf(`${file}.1`).length > 16 || linesOf(file).length > 0
  }, 'a line in the new file')
  await gate.stop()
  test.equal(linesOf(`${file}.1`).length, 16, 'the old one stays as it is')
  test.equal(await gate.ended, 0)
})

const withoutTime = (line: string): string => line.replace(/"time":"[^"]*"/, '')

void t.test('a reload takes another file up', async (test) => {
  const gate = await serveGate(test, realm, { ...WISH, log: { audit: 'first' } })
  await askOnce(test, gate, 'GET /c/b?sig=x')
  await until(() => linesOf(join(realm.folder, 'first')).length === 1, 'the first line')
  await writeConfiguration(realm, { ...WISH, log: { audit: 'second' } })
  gate.child.kill('SIGHUP')
  await until(() => gate.lines('reloaded').length > 0, 'the reload')
  await askOnce(test, gate, 'GET /c/b?sig=x')
  await until(() => linesOf(join(realm.folder, 'second')).length === 1, 'the second line')
  test.equal(linesOf(join(realm.folder, 'first')).length, 1)
  const [worker = 0] = await gate.workers()
  const open = (): string[] => readdirSync(`/proc/${worker}/fd`).map((fd) => targetOf(`/proc/${worker}/fd/${fd}`))
  await until(() => !open().includes(join(realm.folder, 'first')), 'the first file let go')
  test.ok(open().includes(join(realm.folder, 'second')))
})

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

void t.test('where nothing can be appended: a fault, before any port is bound', async (test) => {
  mkdirSync(join(realm.folder, 'folder'))
  for (const [audit, found] of [['nowhere/audit.log', 'does not exist'], ['folder', 'is a directory'], ['/dev/full', 'is not a regular file']] as const) {
    const configuration = await writeConfiguration(realm, { ...WISH, log: { audit } })
    for (const command of ['check', 'serve']) {
      const running = runGate(test, [command, '--config', configuration])
      test.equal(await running.ended, 2, `${command} ${audit}`)
      test.match(running.errors(), new RegExp(`log\\.audit[^]*${found}`))
    }
  }
})
