// Lines are one JSON object each, whatever is in them; a sink that is full or gone costs lines and never the process.
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createLogger, createLoggerOver } from '../../src/observe/log.ts'
import { until } from '../support/until.ts'

void t.test('a line: level by name, time, pid, msg, and what was given', async (test) => {
  const lines: string[] = []
  const log = createLoggerOver('info', { write: (line) => void lines.push(line) })
  log.info({ client: '192.0.2.1', odd: 'a\nb\0\x1b[2J"\u2028' }, 'request')
  log.debug({}, 'too low')
  log.error({ err: { type: 'TypeError', message: 'broken' } }, 'unexpected')
  test.equal(lines.length, 2)
  const [line = '', fault = ''] = lines
  test.ok(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1, 'one line')
  test.notMatch(line.slice(0, -1), /[\0-\x1f]/, 'no raw control byte')
  test.match(JSON.parse(line), { level: 'info', time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, pid: process.pid, msg: 'request', client: '192.0.2.1', odd: 'a\nb\0\x1b[2J"\u2028' })
  test.strictSame((JSON.parse(fault) as { err: unknown }).err, { type: 'TypeError', message: 'broken' }, 'a fault as it was given')
})

void t.test('a line whose fields are text already is like any other', async (test) => {
  const lines: string[] = []
  const log = createLoggerOver('info', { write: (line) => void lines.push(line) })
  log.warn({ a: 1, b: 'x' }, 'request')
  log.line('warn', '"a":1,"b":"x"', 'request')
  const [read = '', written = ''] = lines.map((line) => line.replace(/"time":"[^"]+"/, '"time":"T"'))
  test.equal(written, read)
  test.match(JSON.parse(lines[1] ?? ''), { time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ })
  log.level = 'error'
  log.line('warn', '"a":1', 'request')
  test.equal(lines.length, 2, 'below the level, which may change')
})

void t.test('all lines reach a file, in order, whole', async (test) => {
  const file = join(test.testdir(), 'log')
  const fd = openSync(file, 'w')
  test.teardown(() => closeSync(fd))
  let dropped = 0
  const { log, flush } = createLogger({ level: 'info', fd, onDropped: (lines) => (dropped += lines) })
  for (let number = 0; number < 1000; number++) log.info({ number, padding: 'x'.repeat(100) }, 'request')
  flush()
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => (JSON.parse(line) as { number: number }).number)
  test.strictSame(lines, Array.from({ length: 1000 }, (_, i) => i))
  test.equal(dropped, 0)
})

void t.test('a few lines come out without anybody asking', async (test) => {
  const file = join(test.testdir(), 'log')
  const fd = openSync(file, 'w')
  test.teardown(() => closeSync(fd))
  const { log } = createLogger({ level: 'info', fd, onDropped: () => undefined })
  log.info({}, 'listening')
  // The timer that flushes does not keep a process alive; this one does.
  await until(() => readFileSync(file, 'utf8').includes('"msg":"listening"'), 'the line')
  test.pass('it came')
})

void t.test('a sink that is full: lines are dropped and counted, the process goes on', { skip: process.platform === 'linux' ? false : 'needs /dev/full' }, async (test) => {
  const fd = openSync('/dev/full', 'w')
  let dropped = 0
  const { log, flush } = createLogger({ level: 'info', fd, onDropped: (lines) => (dropped += lines) })
  for (let number = 0; number < 200; number++) log.info({ number, padding: 'x'.repeat(500) }, 'request')
  await until(() => dropped > 0, 'a dropped line')
  test.doesNotThrow(() => flush())
  test.ok(dropped > 0)
})
