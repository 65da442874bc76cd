// What the first stage of the Dockerfile would make, made here: node_modules for run time, and libatomic.
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { libatomic, machineOf, type Arch } from './base.ts'
import { output } from './run.ts'

const NPM_CPU = { amd64: 'x64', arm64: 'arm64' } as const

/**
 * Fills the empty `folder` with `app/node_modules` and `libraries`: npm's packages of the checkout for that machine, and
 * libatomic of the base. No package's script runs. Throws if Node's binary is not the one that package-lock.json names.
 */
export function makePackages(checkout: string, folder: string, base: string, arch: Arch): void {
  const app = join(folder, 'app')
  rmSync(folder, { recursive: true, force: true })
  for (const place of [app, join(folder, 'libraries')]) mkdirSync(place, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(checkout, file), join(app, file))
  output('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--os=linux', `--cpu=${NPM_CPU[arch]}`, '--libc=glibc'], { cwd: app })
  checkNode(folder, app, arch)
  copyFileSync(libatomic(base), join(folder, 'libraries/libatomic.so.1'))
  output('chmod', ['-R', 'u=rwX,go=rX', folder])
}

/** npm checks the digest when it unpacks. This checks the file that goes into the image, whatever npm's cache or settings did. */
function checkNode(folder: string, app: string, arch: Arch): void {
  const name = `node-linux-${NPM_CPU[arch]}`
  const lock = JSON.parse(readFileSync(join(app, 'package-lock.json'), 'utf8')) as Lock
  const wanted = lock.packages[`node_modules/${name}`]
  if (wanted?.version === undefined || wanted.integrity === undefined) throw new Error(`package-lock.json has no digest of ${name}`)
  output('npm', ['pack', `${name}@${wanted.version}`, '--prefer-offline', '--loglevel=error', `--pack-destination=${folder}`], { cwd: folder })
  const archive = join(folder, `${name}-${wanted.version}.tgz`)
  if (integrityOf(readFileSync(archive)) !== wanted.integrity) throw new Error(`${name}-${wanted.version}.tgz is not the file that package-lock.json names`)
  output('tar', ['xzf', archive, 'package/bin/node'], { cwd: folder })
  const placed = join(app, 'node_modules', name, 'bin/node')
  if (!readFileSync(join(folder, 'package/bin/node')).equals(readFileSync(placed))) throw new Error(`${placed} is not the file of ${name}-${wanted.version}.tgz`)
  for (const leftover of [archive, join(folder, 'package')]) rmSync(leftover, { recursive: true })
  if (machineOf(placed) !== arch) throw new Error(`${name} is for another machine`)
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string } | undefined>>
}

/** The digest of a package's archive as package-lock.json spells it (Subresource Integrity). */
function integrityOf(archive: Buffer): string {
  return `sha512-${createHash('sha512').update(archive).digest('base64')}`
}
