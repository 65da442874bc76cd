// Every handler that the gateway puts on a socket, or on a server of sockets, is contained: what it throws ends one
// connection, not a worker (security.md F1).
import { globSync, readFileSync } from 'node:fs'
import t from 'tap'

const FILES = globSync('src/{door,gate,upstream,admin}/**/*.ts').filter((file) => !file.includes('/page/'))
const LISTENS = /\.(?:on|once|prependListener|prependOnceListener)\('[\w-]+', (.*)/
const CONTAINED = /contain(?:On)?[<(]|#contained\(|forEach\(/
/** Handlers that do no more than these can throw nothing: `destroy` and `ignore` by name, and a destroy in place. */
const HARMLESS = /^(?:ignore|destroy)\)|^\(\) => (?:this|socket)\.destroy\(\)\)/
/** Handlers that contain all their work, but for counting the connection. */
const OWN = new Set(['door.accept'])

/** Returns the places in a file whose handlers are not contained, as FILE:LINE. */
function bare(file: string, text: string): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, i) => {
    const handler = LISTENS.exec(line)?.[1]
    if (handler === undefined || HARMLESS.test(handler)) return []
    // A handler in several lines is contained at its beginning.
    if (CONTAINED.test(handler.endsWith('{') ? `${handler}${lines.slice(i + 1, i + 3).join('')}` : handler)) return []
    return OWN.has(/^[\w.]+/.exec(handler)?.[0] ?? '') || isNamed(text, handler) ? [] : [`${file}:${i + 1}`]
  })
}

/** Returns whether the handler is a name, or a call of one, that the file gives to something contained. */
function isNamed(text: string, handler: string): boolean {
  const names = [...handler.matchAll(/\b([a-z]\w*)(?=[()])/gi)].map(([name]) => name)
  return names.some((name) =>
    new RegExp(
      `const ${name} = (?:contain|containOn|forEach|this\\.#contained)\\b|const ${name} = .*=>[^]{0,250}containOn\\(`,
    ).test(text),
  )
}

void t.test('no handler of a socket is bare', async (test) => {
  test.ok(FILES.length > 40, `${FILES.length} files`)
  const sources = FILES.map((file) => [file, readFileSync(file, 'utf8')] as const)
  test.ok(sources.filter(([, text]) => LISTENS.test(text)).length > 8, 'files that listen')
  test.strictSame(
    sources.flatMap(([file, text]) => bare(file, text)),
    [],
  )
})

void t.test('a bare one would be found', async (test) => {
  for (const line of [
    "socket.on('data', (chunk) => take(chunk))",
    "socket.once('end', over)",
    "far.on('close', () => this.#close())",
  ]) {
    test.strictSame(bare('f', `${line}\nsocket.on('end', containOn(socket, 'x', end))`), ['f:1'], line)
  }
  test.strictSame(bare('f', "const over = containOn(socket, 'x', end)\nsocket.once('end', over)"), [])
})
