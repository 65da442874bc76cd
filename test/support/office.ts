// `tidegate office` as a program, for tests.
import { join } from 'node:path'
import { run, type Ran } from './programs.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** Runs `tidegate office` with these arguments. */
export const office = (...args: string[]): Ran => run(process.execPath, [MAIN, 'office', ...args])

/** Runs it and throws where it fails. Returns its standard output. */
export function officeOutput(...args: string[]): string {
  const { code, stdout, stderr } = office(...args)
  if (code !== 0) throw new Error(`tidegate office ${args.join(' ')} ended with ${code}\n${stderr}`)
  return stdout
}

/** The same with --json, parsed. */
export const officeJson = (...args: string[]): unknown => JSON.parse(officeOutput(...args, '--json'))
