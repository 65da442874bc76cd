// scripts/test.ts: the report, the exit code and the last line, with stubs for tsc, oxlint and tap.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test, type Test } from 'tap'

const ROOT = join(import.meta.dirname, '../..')

const GOOD = `TAP version 14
1..2
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - first
        ok 2 - second
        ok 3 - third # SKIP nginx is missing
        1..3
    ok 1 - one # time=1ms
    1..1
ok 1 - test/a.test.ts # time=1200ms
ok 2 - test/b.test.ts # SKIP openssl is missing
`

const BAD = `TAP version 14
1..3
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - first
        not ok 2 - second
          ---
          diff: |
            -expected this
            +got that
          ...
        1..2
    not ok 1 - one # time=1ms
    1..1
not ok 1 - test/a.test.ts # time=5ms
# Subtest: test/crash.test.ts
    1..0 # no tests found
not ok 2 - test/crash.test.ts # time=5ms
  ---
  exitCode: 1
  ...
# Subtest: test/late.test.ts
    ok 1 - fine until then
    1..1
not ok 3 - test/late.test.ts # time=5ms
  ---
  signal: SIGSEGV
  ...
`

interface Stubs { readonly tap: string; readonly tapCode?: number; readonly tscCode?: number }

function runTests(t: Test, { tap, tapCode = 0, tscCode = 0 }: Stubs, ...args: string[]) {
  const folder = t.testdir({
    'scripts': {}, 'test': { ops: { 'b.test.ts': '', 'a.test.ts': '', 'note.md': '' } }, 'node_modules': {}, '.taprc': 'disable-coverage: true\n', 'package.json': '{"type":"module"}', 'tap-output': tap,
    'bin': {
      tsc: `#!/bin/sh\necho 'src/a.ts(1,1): error TS1: bad'; exit ${tscCode}\n`,
      oxlint: '#!/bin/sh\nexit 0\n',
      tap: `#!/bin/sh\necho "$*" >> tap-calls\n[ "$1" = build ] && exit 0\ncat tap-output\nexit ${tapCode}\n`,
    },
  })
  for (const file of ['test.ts', 'tap-report.ts']) copyFileSync(join(ROOT, 'scripts', file), join(folder, 'scripts', file))
  for (const name of ['tap-parser', 'yaml']) symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  for (const name of ['tsc', 'oxlint', 'tap']) chmodSync(join(folder, 'bin', name), 0o755)
  const again = () => {
    const { status, stdout } = spawnSync(process.execPath, ['scripts/test.ts', ...args], { cwd: folder, encoding: 'utf8', env: { PATH: `${join(folder, 'bin')}${delimiter}/usr/bin${delimiter}/bin` } })
    const calls = existsSync(join(folder, 'tap-calls')) ? readFileSync(join(folder, 'tap-calls'), 'utf8').trim().split('\n') : []
    rmSync(join(folder, 'tap-calls'), { force: true })
    return { status, stdout, last: stdout.trimEnd().split('\n').at(-1), calls }
  }
  return { ...again(), again }
}

await test('all well: counts, skipped ones with their reason, exit code 0', async (t) => {
  const { status, stdout, last } = runTests(t, { tap: GOOD })
  t.equal(last, '2 passed, 0 failed, 2 skipped')
  t.equal(status, 0)
  t.match(stdout, /test\/a\.test\.ts > one > third: nginx is missing/)
  t.match(stdout, /test\/b\.test\.ts: openssl is missing/)
  t.match(stdout, 'ok   test/a.test.ts (1.2 s)')
})

await test('nothing skipped: the last line is just the two counts', async (t) => {
  t.equal(runTests(t, { tap: 'TAP version 14\n1..1\nok 1 - test/a.test.ts\n' }).last, '1 passed, 0 failed')
})

await test('failures are told in full; a crash and a bad end count once each', async (t) => {
  const { status, stdout, last } = runTests(t, { tap: BAD, tapCode: 1 })
  t.equal(last, '2 passed, 3 failed')
  t.equal(status, 1)
  t.match(stdout, /FAILED test\/a\.test\.ts > one > second\n(.*\n)*.*-expected this\n.*\+got that/)
  t.match(stdout, /FAILED test\/crash\.test\.ts\n.*exitCode: 1/)
  t.match(stdout, /FAILED test\/late\.test\.ts\n.*signal: SIGSEGV/)
})

await test('a check that fails is a failure, and the tests run all the same', async (t) => {
  const { status, stdout, last } = runTests(t, { tap: GOOD, tscCode: 2 })
  t.equal(last, '2 passed, 1 failed, 2 skipped')
  t.equal(status, 1)
  t.match(stdout, /FAILED tsc\n.*error TS1: bad/)
})

await test('tap that ends badly without a failed test, or that runs nothing, is a failure', async (t) => {
  t.equal(runTests(t, { tap: GOOD, tapCode: 3 }).last, '2 passed, 1 failed, 2 skipped')
  t.equal(runTests(t, { tap: '' }).last, '0 passed, 1 failed')
})

await test('plugins are built once; arguments go to tap; --static does without it', async (t) => {
  const first = runTests(t, { tap: GOOD }, 'test/a.test.ts')
  t.match(first.calls, ['build', /^--reporter=tap --jobs=\d --timeout=\d+ test\/a\.test\.ts$/])
  t.match(first.again().calls, [/^--reporter/])
  const checks = runTests(t, { tap: GOOD }, '--static')
  t.strictSame(checks.calls, [])
  t.equal(checks.last, '2 passed, 0 failed')
})

await test('--ops runs the tests of test/ops and no check', async (t) => {
  const { calls, last, stdout } = runTests(t, { tap: GOOD, tscCode: 2 }, '--ops', '--bail')
  t.match(calls, ['build', /^--reporter=tap --jobs=\d --timeout=\d+ --bail test\/ops\/a\.test\.ts test\/ops\/b\.test\.ts$/])
  t.equal(last, '2 passed, 0 failed, 2 skipped')
  t.notMatch(stdout, /tsc/)
})
