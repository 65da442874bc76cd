// Reads a configuration for its form alone: no file that it names is read. For commands that need only what the text says.
import { dirname, resolve } from 'node:path'
import { readBounded } from './disk.ts'
import { parseConfig, type ParseResult } from './parse.ts'

export interface FormSource {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The text of standard input, for the name `-`; relative paths are then relative to the working directory. */
  readonly standardInput?: () => Promise<string>
}

/** Returns the configuration of a file, or every fault of its form. */
export async function readForm(name: string, { environment, standardInput }: FormSource): Promise<ParseResult> {
  if (name === '-' && standardInput !== undefined) return parseConfig(await standardInput(), { file: 'standard input', directory: resolve('.'), environment })
  const file = resolve(name)
  const read = await readBounded(file)
  if (typeof read === 'string') return { faults: [{ path: file, found: read, allowed: 'a file that can be read' }], warnings: [], files: [] }
  return parseConfig(read.bytes.toString('utf8'), { file, directory: dirname(file), environment })
}
