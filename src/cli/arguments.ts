// The arguments of a command: read strictly, and told in our voice where they are wrong.
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { sayTwice, sayUsage } from './voice.ts'

const tellOnError = (text: string): void => void process.stderr.write(text)

/**
 * Given the name of the command and what node:util parseArgs takes, returns what that gives; undefined for wrong usage, which
 * `tell` was told, on standard error if nothing else is given. An option that takes one value and is given twice is wrong
 * usage: one of the two values would be ignored silently.
 */
export function readArguments<T extends ParseArgsConfig>(command: string, config: T, tell = tellOnError): ReturnType<typeof parseArgs<T>> | undefined {
  const options = config.options ?? {}
  try {
    const result = parseArgs(config)
    const twice = givenTwice(config)
    if (twice === undefined) return result
    tell(sayTwice(twice, command))
  } catch (error) {
    const text = sayUsage(error, command, Object.keys(options))
    if (text === undefined) throw error
    tell(text)
  }
  return undefined
}

function givenTwice({ args, options = {}, allowPositionals }: ParseArgsConfig): string | undefined {
  const { tokens } = parseArgs({ ...(args === undefined ? {} : { args: [...args] }), options, allowPositionals: allowPositionals ?? false, tokens: true })
  const names = tokens.flatMap((token) => (token.kind === 'option' && options[token.name]?.type === 'string' && options[token.name]?.multiple !== true ? [token.name] : []))
  return names.find((name, index) => names.indexOf(name) < index)
}
