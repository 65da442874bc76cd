// The manual page tidegate(1), made from what each command prints for --help. Every package holds it as tidegate.1.
import type { CommandHelp } from './help.ts'

/** Returns the page in roff (man(7)). `version` stands in its foot. */
export function manualPage(helps: readonly CommandHelp[], version: string): string {
  return [
    `.TH TIDEGATE 1 "" "Tidegate ${version}" "User Commands"`,
    '.SH NAME',
    'tidegate \\- TLS\\-enforcing reverse proxy in front of Azure Storage and internal APIs',
    '.SH SYNOPSIS',
    '.B tidegate',
    '.I COMMAND',
    '.RI [ OPTIONS ]',
    '.SH DESCRIPTION',
    'Tidegate refuses plaintext, makes every shared access signature https\\-only, and says who connected how.',
    'Every command has',
    '.B \\-\\-help',
    'and',
    '.BR \\-h ;',
    '.B tidegate help',
    '.I COMMAND',
    'is the same.',
    '.SH COMMANDS',
    ...helps.flatMap(({ name, text }) => [`.SS tidegate ${name}`, '.nf', ...text.trimEnd().split('\n').map(roff), '.fi']),
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR',
    'If it is set and not empty, log lines at a terminal have no colours.',
    '.SH SEE ALSO',
    'The documents that come with the program, also under /docs of the admin listener.',
    '',
  ].join('\n')
}

/** A line of text: backslashes and hyphens as they are, and no line that begins as a request does. */
function roff(line: string): string {
  const text = line.replaceAll('\\', '\\e').replaceAll('-', '\\-')
  return /^[.']/.test(text) ? `\\&${text}` : text
}
