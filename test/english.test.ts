// Plain English, as far as a test can hold it: words of ours that readers did not understand, and comments that open with a
// bare verb or an indirect question in place of what the function returns. CONTRIBUTING.md has the style.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
/** Texts that came from elsewhere, and what machines write. */
const FOREIGN = /^(?:docs\/spec\/|docs\/licenses\.md|test\/vectors\/|package-lock\.json|test\/english\.test\.ts)/
const TEXT = /\.(?:ts|cjs|mjs|md|ya?ml|json|service|sh|tpl|txt)$|^Dockerfile$/
const CODE = /\.(?:ts|cjs|mjs)$/

const WORDS = /\bis to be had\b|\bcan be had\b|\bmend(?:s|ed)?\b|\bfar sides?\b|\bgoes up\b|\bsomebody\b|\bas none\b|\bnobody's\b|\btaken up\b|\btook up\b/i
const OPENERS = /^\s*(?:\*|\/\*\*|\/\/)\s*(?:Takes|Gives|Whether)\b/

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n').filter((file) => TEXT.test(file) && !FOREIGN.test(file) && existsSync(join(ROOT, file)))

function found(pattern: RegExp, among: readonly string[]): string[] {
  return among.flatMap((file) => readFileSync(join(ROOT, file), 'utf8').split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])))
}

void t.test('no word that readers stumble over', async (test) => {
  test.ok(files.length > 300, 'there is something to read')
  test.strictSame(found(WORDS, files), [])
})

void t.test('a comment says what a function returns', async (test) => {
  test.strictSame(found(OPENERS, files.filter((file) => CODE.test(file))), [])
})
