// The arguments of a command: read strictly, and told in our voice where they are wrong.
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { sayUsage } from './voice.ts'

const tellOnError = (text: string): void => void process.stderr.write(text)

/**
 * Given the name of the command and what node:util parseArgs takes, returns what that gives; undefined for wrong usage, which
 * `tell` was told, on standard error if nothing else is given.
 */
export function readArguments<T extends ParseArgsConfig>(command: string, config: T, tell = tellOnError): ReturnType<typeof parseArgs<T>> | undefined {
  try {
    return parseArgs(config)
  } catch (error) {
    const text = sayUsage(error, command)
    if (text === undefined) throw error
    tell(text)
    return undefined
  }
}
