// Holds docs/security.md to the requirements: each line has a test, and each test that is named is there.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const REQUIREMENTS = readFileSync('docs/spec/security.md', 'utf8')
const SHOWN = readFileSync('docs/security.md', 'utf8')

/** The cells of every table row in a text, heads and rules left out. */
function rowsOf(text: string): string[][] {
  return text.split('\n').filter((line) => /^\| (?!---|id \||fault \|)/.test(line)).map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()))
}

const section = (text: string, from: string, to = '\n## '): string => {
  const start = text.indexOf(from)
  const end = text.indexOf(to, start + from.length)
  return text.slice(start, end === -1 ? undefined : end)
}

const wanted = [...rowsOf(section(REQUIREMENTS, '## 4.')), ...rowsOf(section(REQUIREMENTS, '## 5.'))].map(([id = '']) => id)
const shown = [...rowsOf(section(SHOWN, '## Requirements')), ...rowsOf(section(SHOWN, '## Faults'))]

const ids = (list: readonly (string | undefined)[]): string[] => [...new Set(list)].map((id = '') => id).toSorted((a, b) => a.localeCompare(b))

void t.test('the page and the requirements have the same lines', async (test) => {
  test.ok(wanted.length > 70, 'the requirements were read')
  test.strictSame(ids(shown.map(([id]) => id)), ids(wanted))
})

void t.test('every line names a test that is there', async (test) => {
  for (const [id, file = '', title = ''] of shown) {
    test.ok(file !== '' && existsSync(file), `${id}: ${file} is there`)
    test.ok(title !== '' && existsSync(file) && readFileSync(file, 'utf8').includes(title), `${id}: ${file} has "${title}"`)
  }
})
