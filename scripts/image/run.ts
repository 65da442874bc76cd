// Runs a program to its end.
import { spawnSync } from 'node:child_process'

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Returns what the program wrote to standard output; throws with all that it said when it fails. */
export function output(program: string, args: readonly string[], { cwd, env = {} }: RunOptions = {}): string {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, ...env }, ...(cwd === undefined ? {} : { cwd }),
  })
  if (error !== undefined) throw new Error(`${program} cannot be run: ${error.message}`)
  if (status !== 0) throw new Error(`${program} ${args[0] ?? ''} ended with ${signal ?? status}\n${stdout}${stderr}`)
  return stdout
}
