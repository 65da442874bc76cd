// What of a page in docs/ is run: code blocks whose info string says so.
//     ```sh run                         run by bash; the exit code has to be 0
//     ```sh run exit=2                  another exit code
//     ```sh run background=TEXT         left running; the next block comes when its output has TEXT (a blank is written _)
//     ```yaml file=tidegate.yaml        written to that file of the folder that the page is in by then
//     ```text shows                     lines of the run block before it, in this order; … stands for anything within a line
// `<!-- needs: PROGRAM ... -->` names what has to be installed.

export interface Block {
  /** Line of the page that it begins in, from 1. */
  readonly line: number
  readonly text: string
  readonly does: { readonly kind: 'run'; readonly exit: number } | { readonly kind: 'background'; readonly until: string } | { readonly kind: 'file'; readonly name: string }
  /** Lines that its output has to have. */
  readonly shows: readonly string[]
}

export interface Page {
  /** Programs without which it cannot be run. */
  readonly needs: readonly string[]
  readonly blocks: readonly Block[]
}

const FENCE = /^```(\S+) ([^\n]+)\n([^]*?)^```$/gm

/** Given a page in Markdown, returns its marked blocks; throws on a mark that cannot be read, naming the line. */
export function readPage(markdown: string): Page {
  const blocks: Block[] = []
  for (const { 0: whole, 2: marks = '', 3: text = '', index } of markdown.matchAll(FENCE)) {
    const line = markdown.slice(0, index).split('\n').length
    if (marks === 'shows') showLines(blocks, text, line)
    else blocks.push({ line, text, does: readMarks(marks, `line ${line}: ${whole.split('\n')[0]}`), shows: [] })
  }
  const needs = /^<!-- needs: (.+) -->$/m.exec(markdown)?.[1]?.split(' ') ?? []
  return { needs, blocks }
}

function showLines(blocks: Block[], text: string, line: number): void {
  const last = blocks.pop()
  if (last === undefined || last.does.kind === 'file') throw new Error(`line ${line}: \`shows\` follows no block that is run`)
  blocks.push({ ...last, shows: text.trimEnd().split('\n') })
}

function readMarks(marks: string, where: string): Block['does'] {
  const [, name] = /^file=(\S+)$/.exec(marks) ?? []
  if (name !== undefined) return { kind: 'file', name }
  const [, until] = /^run background=(\S+)$/.exec(marks) ?? []
  if (until !== undefined) return { kind: 'background', until: until.replaceAll('_', ' ') }
  const [found, exit = '0'] = /^run(?: exit=(\d+))?$/.exec(marks) ?? []
  if (found === undefined) throw new Error(where)
  return { kind: 'run', exit: Number(exit) }
}

/** What separates the output of one block from the next: `\x1e`, the block's number, its exit code. */
const MARK = String.raw`printf '\036%d %d\n'`

/** Given blocks, returns one bash script: what a block sets is there in the next, as in a terminal. */
export function scriptOf(blocks: readonly Block[]): string {
  return blocks.map((block, at) => `${commandOf(block, at)}\n${MARK} ${at} $?\n`).join('')
}

function commandOf({ text, does }: Block, at: number): string {
  if (does.kind === 'run') return text
  if (does.kind === 'file') return `cat > '${does.name}' <<'END OF FILE'\n${text}END OF FILE`
  const log = `"$TMPDIR/background-${at}.log"`
  // It ends where the program does, so that a fault is seen at once.
  return `{ ${text}} > ${log} 2>&1 &
while ! grep -qF '${does.until}' ${log} && kill -0 $! 2> /dev/null; do sleep 0.1; done
cat ${log}; grep -qF '${does.until}' ${log}`
}

export interface Ran {
  readonly exit: number
  readonly output: string
}

/** Given what such a script wrote, returns what each block did, as far as it got. */
export function readRun(output: string): Ran[] {
  const parts = output.split(/\x1E(\d+) (\d+)\n/)
  const ran: Ran[] = []
  for (let at = 0; at + 2 < parts.length; at += 3) ran.push({ output: parts[at] ?? '', exit: Number(parts[at + 2]) })
  return ran
}

/** Returns the first of the lines that the output does not have after those before it; undefined when it has all. */
export function missingLine(shows: readonly string[], output: string): string | undefined {
  const lines = output.split('\n').map((line) => line.trimEnd())
  let from = 0
  return shows.find((wanted) => {
    const at = lines.findIndex((line, number) => number >= from && patternOf(wanted).test(line))
    from = at + 1
    return at === -1
  })
}

// Escaped one part at a time, so that the dots of the text stay dots.
const patternOf = (wanted: string): RegExp => new RegExp(`^${wanted.trimEnd().split('…').map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)).join('.*')}$`)
