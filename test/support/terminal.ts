// A terminal on a machine of its own, as far as network, names, processes and /etc/hosts go: there a page can say 8443 and
// `*.localhost` as people do, whatever else runs here, and nothing it started is left behind.
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Test } from 'tap'

const APART = ['--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0

/** Why there can be no such terminal here; undefined where there can. */
export const missingTerminal: string | undefined = [
  ['unshare cannot make namespaces here', () => succeeds('unshare', ...APART, 'true')] as const,
  ['ip is missing (iproute2)', () => succeeds('sh', '-c', 'command -v ip')] as const,
].find(([, there]) => !there())?.[0]

export interface Terminal {
  /** Runs a bash script in the folder, with output and errors in one; returns them when it has ended. What it leaves running goes on. */
  run(script: string): Promise<string>
}

/** Opens one in a folder; it and all that runs in it end with the test. The names lead to this machine. */
export async function openTerminal(t: Test, folder: string, names: readonly string[]): Promise<Terminal> {
  const own = join(folder, '.terminal')
  mkdirSync(own)
  writeFileSync(join(own, 'hosts'), `127.0.0.1 localhost ${names.join(' ')}\n`)
  const shell = spawn('unshare', [...APART, 'bash', '--norc', '-s'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'], env: environment(own) })
  const ended = once(shell, 'close')
  t.teardown(async () => {
    shell.kill('SIGKILL')
    await ended
  })
  let number = 0
  const run = async (script: string): Promise<string> => {
    const file = join(own, `run-${number += 1}.sh`)
    writeFileSync(file, script)
    return await converse(shell, `bash ${file} < /dev/null 2>&1`, `\x1F${number}`)
  }
  await run(`ip link set lo up && mount --bind '${own}/hosts' /etc/hosts`)
  return { run }
}

/** Says a line to a shell, and gives what it writes until it has done with it. */
function converse({ stdin, stdout }: ChildProcessByStdio<Writable, Readable, null>, line: string, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (text: string): void => {
      said += text
      if (!said.endsWith(`${end}\n`)) return
      stdout.off('data', hear).off('end', deaf)
      resolve(said.slice(0, -end.length - 1))
    }
    const deaf = (): void => reject(new Error(`the terminal ended: ${said}`))
    stdout.setEncoding('utf8').on('data', hear).once('end', deaf)
    stdin.write(`${line}; printf '${end}\\n'\n`)
  })
}

// Of this process's own nothing but where programs are: a proxy or a bundle of authorities set here would change what is run.
// The system's programs come first: its Python has the packages of the distribution.
function environment(own: string): NodeJS.ProcessEnv {
  return { PATH: `/usr/sbin:/usr/bin:${process.env['PATH'] ?? ''}`, HOME: own, TMPDIR: own, LANG: 'C.UTF-8' }
}
