// Needs attention: nothing on a quiet gateway, everything that is wrong on a troubled one, worst first.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { REASONS } from '../../../src/refusal.ts'
import { ADVICE } from '../../../src/admin/page/advice.ts'
import { attentionOf, headlineOf, urgencyOf } from '../../../src/admin/page/attention.ts'
import { BUSY, QUIET, TROUBLED, refusal, tally } from './sample.ts'

const headline = (view: typeof QUIET): string => {
  const { level, word } = headlineOf(view, attentionOf(view))
  return `${level} ${word}`
}

const urgency = (use: string, ...days: readonly number[]): unknown[] => days.map((daysLeft) => urgencyOf({ use, daysLeft }))

void t.test('a gateway that just started needs nobody', async (test) => {
  test.strictSame(attentionOf(QUIET), [])
  test.equal(headline(QUIET), 'good Ready')
})

void t.test('what is refused every day wakes nobody; plaintext credentials are for soon', async (test) => {
  test.strictSame(attentionOf(BUSY).map(({ level, section }) => `${level} ${section}`), ['warn refusals', 'note tokens'])
  test.equal(headline(BUSY), 'good Ready')
  test.match(headlineOf(BUSY, []).sentence, /36\u202F480 requests in the last 5 min, 99\.5 % passed/, 'of requests alone: refused handshakes were none')
})

void t.test('every trouble is told, worst first, with what to do and where', async (test) => {
  const all = attentionOf(TROUBLED)
  const told = all.map(({ what }) => what).join('\n')
  for (const part of [
    'tls.certificates[0] (tideoffice.blob.storage.tide.example) has expired', 'tls.certificates[1] (payroll.tide.example) ends in 2 days', 'The last reload was refused: storage.accounts[1].blob',
    'tideoffice.queue: 212 requests of 212 failed (unreachable)', 'payroll: 9 requests of 180 failed (timeout)', '1 request met a fault', '1 of 2 workers', '1 worker short of memory', '2 worker restarts', '3 plain HTTP requests',
    'too-many-connections: 4 refusals', '40 log lines lost', 'undici 7.20.0 is below 7.30.1', '1 warning of the configuration', 'Tokens without spr=https: tideoffice, tidearchive',
  ]) test.ok(told.includes(part), part)
  test.equal(all.length, 15, 'each once')
  test.strictSame(all.map(({ level }) => level), all.map(({ level }) => level).toSorted((a, b) => ['bad', 'warn', 'note'].indexOf(a) - ['bad', 'warn', 'note'].indexOf(b)))
  for (const { todo, section } of all) test.ok(todo.length > 20 && ['connections', 'refusals', 'tokens', 'certificates', 'upstreams', 'configuration', 'process'].includes(section), section)
  test.match(all.find(({ section }) => section === 'upstreams')?.todo, /DNS, network/)
})

void t.test('the state in a word', async (test) => {
  test.equal(headline(TROUBLED), 'bad Not ready')
  test.match(headlineOf(TROUBLED, []).sentence, /503: certificates/)
  test.equal(headline({ ...TROUBLED, missing: [] }), 'bad Ready, with trouble')
  test.equal(headline({ ...QUIET, missing: ['draining'] }), 'warn Draining')
  test.equal(headline({ ...QUIET, missing: ['listeners', 'workers'], workers: [] }), 'bad Not ready')
  test.match(attentionOf({ ...QUIET, missing: ['something-new'] }), [{ level: 'bad', what: 'Missing: something-new' }])
})

void t.test('a reload that was refused is forgotten once one is applied', async (test) => {
  test.notOk(attentionOf(BUSY).some(({ section }) => section === 'configuration'), 'the latest of its three was applied')
})

void t.test('what was counted before the last minutes is no news', async (test) => {
  test.strictSame(attentionOf({ ...QUIET, refusals: [refusal('unexpected', 9, 0, 1), refusal('plaintext-http', 9, 0, 1)], workerRestarts: tally(4), linesDropped: tally(9) }), [])
})

void t.test('certificates: soon from 30 days on, now from 3; revocation lists only when they have ended', async (test) => {
  test.strictSame(urgency('server', 30, 29, 3, 2, -1), [undefined, 'warn', 'warn', 'bad', 'bad'])
  test.strictSame(urgency('crl', 12, 0, -1), [undefined, undefined, 'bad'])
})

void t.test('every reason that this version gives has its advice', async (test) => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/refusals.md'), 'utf8')
  for (const reason of REASONS) {
    const section = page.split(`\n## \`${reason}\`\n`)[1]?.split('\n## ')[0] ?? ''
    test.equal(reason in ADVICE, !section.includes('\n* *This version never gives it:* '), reason)
  }
})
