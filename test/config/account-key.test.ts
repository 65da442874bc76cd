import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { parseAccountKey } from '../../src/config/account-key.ts'

const parse = (text: string) => {
  const key = parseAccountKey(Buffer.from(text))
  return typeof key === 'string' ? key : key.export()
}

await test('a key, with or without white space around it', async (t) => {
  const bytes = randomBytes(64)
  const text = bytes.toString('base64')
  for (const written of [text, `${text}\n`, `${text}\r\n`, `  ${text}\n\n`]) t.strictSame(parse(written), bytes)
  t.strictSame(parse(randomBytes(16).toString('base64')).length, 16)
})

await test('what is not a key', async (t) => {
  const text = randomBytes(64).toString('base64')
  t.equal(parse(''), 'an empty file')
  t.equal(parse(' \n'), 'an empty file')
  t.equal(parse(`${text}\n${text}`), 'more than one line')
  t.equal(parse(`${text.slice(0, -3)}!==`), 'something that is not base64')
  t.equal(parse(text.slice(0, -2)), 'something that is not base64')
  t.equal(parse(`key=${text}`), 'something that is not base64')
  t.equal(parse(randomBytes(15).toString('base64')), 'too short a key')
})
