// Standard input as text, bounded.
const INPUT_LIMIT = 16 * 1024 * 1024

/** Standard input holds more than a command reads. */
export class TooMuchInput extends Error {
  constructor() {
    super(`standard input holds more than ${INPUT_LIMIT} characters`)
  }
}

/** Returns all of standard input. Rejects with TooMuchInput beyond 16 Mi characters. */
export async function readStandardInput(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.length > INPUT_LIMIT) throw new TooMuchInput()
  }
  return text
}
