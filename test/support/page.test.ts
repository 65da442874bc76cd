// What makes a page of docs/ run is tested with pages that would not be noticed to be wrong.
import t from 'tap'
import { missingLine, readPage, readRun, scriptOf } from './page.ts'

const page = (...parts: string[]): string => parts.join('\n')

void t.test('marked blocks are read, with their lines; others are left alone', async (test) => {
  const { needs, blocks } = readPage(page('# A', '<!-- needs: curl go -->', '```sh', 'no', '```', '```sh run', 'one', '```', '', '```text shows', 'a', 'b', '```', '```sh run exit=3', 'two', '```', '```yaml file=x.yaml', 'k: v', '```', '```sh run background="msg":"now_up"', 'three', '```', ''))
  test.strictSame(needs, ['curl', 'go'])
  test.strictSame(blocks, [
    { line: 6, text: 'one\n', does: { kind: 'run', exit: 0 }, shows: ['a', 'b'] },
    { line: 14, text: 'two\n', does: { kind: 'run', exit: 3 }, shows: [] },
    { line: 17, text: 'k: v\n', does: { kind: 'file', name: 'x.yaml' }, shows: [] },
    { line: 20, text: 'three\n', does: { kind: 'background', until: '"msg":"now up"' }, shows: [] },
  ])
})

void t.test('a mark that cannot be read is an error, not a block that is passed over', async (test) => {
  test.throws(() => readPage(page('```sh run exit=two', 'x', '```')), /line 1: ```sh run exit=two/)
  test.throws(() => readPage(page('', '```sh runs', 'x', '```')), /line 2/)
  test.throws(() => readPage(page('```text shows', 'x', '```')), /follows no block/)
  test.throws(() => readPage(page('```yaml file=x', 'x', '```', '```text shows', 'x', '```')), /follows no block/)
})

void t.test('the script tells of each block what it wrote and how it ended', async (test) => {
  const script = scriptOf(readPage(page('```sh run', 'A=1', '```', '```sh run', 'echo $A', '```')).blocks)
  test.equal(script, String.raw`A=1

printf '\036%d %d\n' 0 $?
echo $A

printf '\036%d %d\n' 1 $?
`)
  test.strictSame(readRun('\x1E0 0\n1\n\x1E1 7\nhalf of the third'), [{ output: '', exit: 0 }, { output: '1\n', exit: 7 }])
})

void t.test('the first line that is not shown in its place is found', async (test) => {
  const output = 'one\r\ntwo (2.0)\nthree\n'
  for (const shown of [[], ['one'], ['one', 'three'], ['two (2.0)'], ['t…)', 'th…e'], ['…']]) test.equal(missingLine(shown, output), undefined, shown.join())
  test.equal(missingLine(['three', 'one'], output), 'one', 'the order counts')
  test.equal(missingLine(['two (2x0)'], output), 'two (2x0)', 'a dot is a dot')
  test.equal(missingLine(['two'], output), 'two', 'a line is a whole line')
  test.equal(missingLine(['one', 'one'], output), 'one', 'each counts once')
})
