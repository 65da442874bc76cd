// The audit log's file: whole lines from several writers, opened anew by its name, lost lines counted and nothing thrown.
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openAudit } from '../../src/observe/audit.ts'
import { until } from '../support/until.ts'

const read = (file: string): { number: number; writer: string }[] => readFileSync(file, 'utf8').trimEnd().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { number: number; writer: string })

void t.test('several writers to one file: every line is whole, each writer\'s in order', async (test) => {
  const file = join(test.testdir(), 'audit')
  const sinks = ['a', 'b', 'c'].map((writer) => ({ writer, ...openAudit(file, () => test.fail('a line was lost')) }))
  for (let number = 0; number < 2000; number++) for (const { log, writer } of sinks) log.warn({ writer, number, padding: 'x'.repeat(200) }, 'refused')
  for (const { flush } of sinks) flush()
  await until(() => read(file).length === 6000, 'all lines')
  for (const { writer } of sinks) test.strictSame(read(file).filter((line) => line.writer === writer).map(({ number }) => number), Array.from({ length: 2000 }, (_, i) => i))
  test.equal(statSync(file).mode & 0o007, 0, 'not for others')
})

void t.test('after a rotation lines go to the new file, and none is lost', async (test) => {
  const file = join(test.testdir(), 'audit')
  const { log, reopen, flush } = openAudit(file, () => test.fail('a line was lost'))
  log.warn({ number: 1 }, 'refused')
  renameSync(file, `${file}.1`)
  log.warn({ number: 2 }, 'refused')
  reopen()
  log.warn({ number: 3 }, 'refused')
  flush()
  await until(() => read(`${file}.1`).length === 2, 'the lines from before')
  test.strictSame(read(file).map(({ number }) => number), [3])
})

void t.test('at its end it writes what it holds and lets go of the file', { skip: process.platform === 'linux' ? false : 'needs /proc' }, async (test) => {
  const file = join(test.testdir(), 'audit')
  const held = (): number => readdirSync('/proc/self/fd').filter((fd) => targetOf(fd) === file).length
  const { log, end } = openAudit(file, () => test.fail('a line was lost'))
  log.warn({ number: 1 }, 'refused')
  test.equal(held(), 1)
  end()
  await until(() => held() === 0, 'the file let go')
  test.strictSame(read(file).map(({ number }) => number), [1])
})

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

void t.test('no file: lines are counted as lost, until there is one', async (test) => {
  const folder = join(test.testdir(), 'later')
  let dropped = 0
  const { log, reopen, flush } = openAudit(join(folder, 'audit'), (lines) => (dropped += lines))
  log.warn({ number: 1 }, 'refused')
  test.equal(dropped, 2, 'the opening, and the line')
  test.doesNotThrow(flush)
  mkdirSync(folder)
  chmodSync(folder, 0o700)
  reopen()
  log.warn({ number: 2 }, 'refused')
  flush()
  test.strictSame(read(join(folder, 'audit')).map(({ number }) => number), [2])
})

void t.test('a full disk: lines are lost and counted, the end comes', { skip: process.platform === 'linux' ? false : 'needs /dev/full' }, async (test) => {
  let dropped = 0
  const { log, flush } = openAudit('/dev/full', (lines) => (dropped += lines))
  for (let number = 0; number < 500; number++) log.warn({ number, padding: 'x'.repeat(500) }, 'refused')
  await until(() => dropped > 0, 'a lost line')
  test.doesNotThrow(flush)
})
