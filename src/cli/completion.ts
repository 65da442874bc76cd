// tidegate completion: scripts for shells, made from the help of each command.
import { readArguments } from './arguments.ts'
import { everyHelp, type CommandHelp } from './help.ts'
import { helpHint, sayError } from './voice.ts'
import { nearest } from '../config/fault.ts'

const HELP = `usage: tidegate completion bash|zsh|fish

Prints a script that completes commands, options and file names.

  bash: source <(tidegate completion bash)
  zsh:  source <(tidegate completion zsh)
  fish: tidegate completion fish | source

  -h, --help   this text

Exit code: 0; 2 for another shell, and for wrong usage.
`

const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const

/** What follows a command, or a command and its subcommand. */
interface Words {
  /** `check`, or `office init`. */
  readonly name: string
  readonly says: string
  readonly verbs: readonly string[]
  readonly options: readonly string[]
}

const SHELLS: ReadonlyMap<string, (words: readonly Words[]) => string> = new Map([['bash', bash], ['zsh', zsh], ['fish', fish]])

/** Runs `completion` with the arguments after it. Returns the exit code: 0, or 2 for wrong usage. */
export async function completionCommand(args: string[]): Promise<number> {
  const read = readArguments('completion', { args, options: OPTIONS, allowPositionals: true })
  if (read === undefined) return 2
  const { values, positionals: [shell = '', ...more] } = read
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const script = more.length > 0 ? undefined : SHELLS.get(shell)
  if (script === undefined) {
    const meant = nearest(shell, [...SHELLS.keys()])
    process.stderr.write(sayError('completion needs one of bash, zsh and fish', ...(meant === undefined ? [] : [`did you mean ${meant}?`]), helpHint('completion')))
    return 2
  }
  process.stdout.write(script(wordsOf(await everyHelp())))
  return 0
}

/** Returns what can follow each command. Options are those that its help names; verbs are its subcommands. */
export function wordsOf(helps: readonly CommandHelp[]): Words[] {
  return helps.map(({ name, says, text }) => {
    const listed = helps.filter((other) => other.name.startsWith(`${name} `)).map((other) => other.name.slice(name.length + 1))
    const inUsage = [...text.matchAll(new RegExp(`^(?:usage:|      ) tidegate ${name} ([a-z]+)(?= |$)`, 'gm'))].map(([, verb = '']) => verb)
    const options = [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([option]) => option)
    return { name, says, verbs: [...new Set([...listed, ...inUsage])], options: [...new Set([...options, '--help'])].toSorted() }
  })
}

const topLevel = (words: readonly Words[]): string[] => [...words.filter(({ name }) => !name.includes(' ')).map(({ name }) => name), 'help']

function bash(words: readonly Words[]): string {
  const cases = words.map(({ name, verbs, options }) => `    '${name}') words='${[...verbs, ...options].join(' ')}' ;;`)
  return `# bash completion for tidegate: source <(tidegate completion bash)
_tidegate() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words=''
  local pair="$command \${COMP_WORDS[2]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${topLevel(words).join(' ')} --help --version'
  elif [ "$command" = help ]; then
    words='${topLevel(words).join(' ')}'
  else
    case "$command" in
${cases.filter((line) => !line.includes(' \'') || !/'[a-z]+ [a-z]+'\)/.test(line)).join('\n')}
    esac
    [ "$COMP_CWORD" -gt 2 ] && case "$pair" in
${cases.filter((line) => /'[a-z]+ [a-z]+'\)/.test(line)).join('\n') || '    *) ;;'}
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _tidegate tidegate
`
}

function zsh(words: readonly Words[]): string {
  return `#compdef tidegate
# zsh completion for tidegate: source <(tidegate completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bash(words).split('\n').slice(1).join('\n').replace('mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")', 'COMPREPLY=($(compgen -W "$words" -- "$current"))')}`
}

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll('\'', '\\\'')}'`

function fish(words: readonly Words[]): string {
  const commands = words.filter(({ name }) => !name.includes(' '))
  const first = commands.map(({ name, says }) => `complete -c tidegate -n __fish_use_subcommand -f -a ${name} -d ${quote(says)}`)
  const rest = words.flatMap(({ name, verbs, options }) => {
    const seen = `'__fish_seen_subcommand_from ${name.split(' ').join('; and __fish_seen_subcommand_from ')}'`
    return [
      ...verbs.map((verb) => `complete -c tidegate -n ${seen} -a ${verb}`),
      ...options.map((option) => `complete -c tidegate -n ${seen} -l ${option.slice(2)}`),
    ]
  })
  return ['# fish completion for tidegate: tidegate completion fish | source', ...first, 'complete -c tidegate -n __fish_use_subcommand -f -a help', ...rest, ''].join('\n')
}
