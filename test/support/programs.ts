// Programs that a test needs and that not every machine has. CI has them all, and says so: there a missing one is a failure.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Set by .ci/run: no test of test/ops may skip. */
const MUST_NOT_SKIP = 'TIDEGATE_OPS'
/** Where programs for root are, whoever runs the test. */
const ALSO = ['/usr/sbin', '/sbin']
export const SEARCHED = [process.env['PATH'] ?? '', ...ALSO].join(delimiter)

/** Given names of programs, returns tap's `skip`: why the test cannot run, false where it can or where it has to. */
export function without(...programs: readonly string[]): string | false {
  if (process.env[MUST_NOT_SKIP] === 'all') return false
  const missing = programs.filter((program) => !isThere(program))
  return missing.length === 0 ? false : `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`
}

function isThere(program: string): boolean {
  return SEARCHED.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** tap's `skip` for what takes a minute and more by itself and would not fit into CI's ten: `npm run test:ops` runs it. */
export const slow: string | false = process.env['TIDEGATE_SLOW'] === 'all' ? false : 'takes long: npm run test:ops runs it'

const APART = ['--mount', '--pid', '--fork', '--cgroup', '--ipc', '--net', '--uts']
const MOUNTS = 'mount -t tmpfs tmpfs /mnt && mkdir /mnt/lower /mnt/upper /mnt/work /mnt/all && mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/all'

/** Given names of programs for containers, returns tap's `skip`: as `without`, and why where a machine lets nobody make namespaces and mounts, whatever it has installed. */
export function withoutContainers(...programs: readonly string[]): string | false {
  const missing = without(...programs)
  if (missing !== false) return missing
  const { status } = spawnSync('unshare', [...APART, 'sh', '-c', MOUNTS], { env: { ...process.env, PATH: SEARCHED } })
  return status === 0 ? false : 'this machine lets nobody make namespaces and mounts of their own'
}

export interface Ran {
  /** The exit code, or the signal. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Runs a program to its end, one of Node's without what tap loads into every process that it sees started. Returns what it said; throws when it cannot be run. */
export function run(program: string, args: readonly string[], { cwd, env = {}, input = '' }: RunOptions = {}): Ran {
  const { status, signal, stdout, stderr, error } = spawnSync('/usr/bin/env', ['-u', 'NODE_OPTIONS', program, ...args], {
    encoding: 'utf8', input, maxBuffer: 1 << 28, env: { ...process.env, PATH: SEARCHED, ...env }, ...(cwd === undefined ? {} : { cwd }),
  })
  if (error !== undefined) throw error
  return { code: signal ?? status ?? 1, stdout, stderr }
}

/** As `run`; throws with what it said when it fails. Returns its standard output. */
export function output(program: string, args: readonly string[], options: RunOptions = {}): string {
  const { code, stdout, stderr } = run(program, args, options)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
  return stdout
}
