// `npm test`: type-checks, lints and runs every test but those of test/ops. `--static` stops before the tests, `--ops` runs
// those of test/ops and nothing else; all other arguments go to tap (file names, --bail, --timeout=N). The last line is
// `N passed, N failed`.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { details, lastLine, reporter, type Report } from './tap-report.ts'

const ROOT = join(import.meta.dirname, '..')
const TAPRC = join(ROOT, '.taprc')
const MARK = join(ROOT, 'node_modules', '.tidegate-tap')

const CHECKS: readonly (readonly [command: string, ...args: string[]])[] = [
  ['tsc', '--noEmit'],
  ['oxlint', '--type-aware', 'src', 'test', 'scripts'],
]

async function main(args: readonly string[]): Promise<void> {
  const onlyStatic = args.includes('--static')
  if (args.includes('--ops')) {
    process.env['TIDEGATE_SLOW'] = 'all'
    return finish(await runTests([...args.filter((arg) => arg !== '--ops'), ...testFiles('test/ops/*.test.ts')]))
  }
  const checks = await staticChecks()
  if (onlyStatic) return finish({ ...checks, passed: CHECKS.length - checks.failed.length })
  const named = args.some((arg) => !arg.startsWith('--'))
  const tests = await runTests(named ? args : [...args, ...testFiles('test/**/*.test.ts').filter((file) => !isOps(file))])
  finish({ ...tests, failed: [...checks.failed, ...tests.failed] })
}

function testFiles(pattern: string): string[] {
  return globSync(pattern, { cwd: ROOT }).toSorted()
}

/** Tests of test/ops need programs of Debian's or take long. Each skips, and says so, where its programs are missing. */
const isOps = (file: string): boolean => file.startsWith('test/ops/')

function finish(report: Report): void {
  const told = details(report)
  process.stdout.write(`${told === '' ? '' : `${told}\n\n`}${lastLine(report)}\n`)
  process.exitCode = report.failed.length === 0 ? 0 : 1
}

async function staticChecks(): Promise<Report> {
  const results = await Promise.all(CHECKS.map(async ([command, ...args]) => {
    const { code, output } = await run(command, args)
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${[command, ...args].join(' ')}`)
    return { name: command, code, why: output }
  }))
  return { passed: 0, failed: results.filter(({ code }) => code !== 0), skipped: [] }
}

async function runTests(args: readonly string[]): Promise<Report> {
  const built = await buildTap()
  if (built.code === 0) return await runTap(args)
  return { passed: 0, failed: [{ name: 'tap build', why: built.output }], skipped: [] }
}

// tap compiles its set of plugins when .taprc asks for another one than it came with, and gets it wrong when a test run
// does it on the way: the first run after an installation would fail in every file.
async function buildTap(): Promise<Ended> {
  const wanted = createHash('sha256').update(readFileSync(TAPRC)).digest('hex')
  if (readOrNothing(MARK) === wanted) return { code: 0, output: '' }
  const built = await run('tap', ['build'])
  if (built.code === 0) writeFileSync(MARK, wanted)
  return built
}

async function runTap(args: readonly string[]): Promise<Report> {
  const { parser, report } = reporter((line) => console.log(line))
  // Journeys hold several processes each, so more files at a time than cores only makes them slow.
  const jobs = Math.min(4, availableParallelism())
  const child = spawn('tap', ['--reporter=tap', `--jobs=${jobs}`, '--timeout=180', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.pipe(parser)
  const code = await ended(child)
  if (code !== 0 && report.failed.length === 0) report.failed.push({ name: 'tap', why: `tap ended with ${code}, and told of no failed test` })
  if (code === 0 && report.passed + report.skipped.length === 0) report.failed.push({ name: 'tap', why: 'no test ran' })
  return report
}

interface Ended {
  /** The exit code, or the signal. */
  readonly code: number | string
  readonly output: string
}

/** Runs a program of node_modules/.bin, which run.cjs put into PATH. Returns its exit code and all that it wrote. */
async function run(command: string, args: readonly string[]): Promise<Ended> {
  // oxlint colours what it says wherever CI is set, whatever NO_COLOR says.
  const env = { ...process.env, NO_COLOR: '1', CI: undefined }
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const code = await ended(child)
  return { code, output: Buffer.concat(chunks).toString().trimEnd() }
}

function ended(child: ReturnType<typeof spawn>): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`${child.spawnfile} cannot be run: ${error.message}`))
    child.once('close', (code, signal) => resolve(signal ?? code ?? 1))
  })
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

await main(process.argv.slice(2))
