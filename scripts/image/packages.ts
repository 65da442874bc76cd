// What the first stage of the Dockerfile would make, made here: node_modules for run time, and libatomic.
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { libatomic, machineOf, type Arch } from './base.ts'
import { output } from './run.ts'

const NPM_CPU = { amd64: 'x64', arm64: 'arm64' } as const

/**
 * Takes the checkout, an empty place, the base's root folder and the kind of machine. Fills the place with `app/node_modules`
 * and `libraries`. No package's script runs; Node's binary is the one that its script would have fetched: the npm package
 * `node-linux-CPU` of the version that package-lock.json names.
 */
export function makePackages(checkout: string, folder: string, base: string, arch: Arch): void {
  const app = join(folder, 'app')
  rmSync(folder, { recursive: true, force: true })
  for (const place of [app, join(folder, 'libraries')]) mkdirSync(place, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(checkout, file), join(app, file))
  output('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--os=linux', `--cpu=${NPM_CPU[arch]}`], { cwd: app })
  placeNode(folder, app, arch)
  copyFileSync(libatomic(base), join(folder, 'libraries/libatomic.so.1'))
  output('chmod', ['-R', 'u=rwX,go=rX', folder])
}

function placeNode(folder: string, app: string, arch: Arch): void {
  const name = `node-linux-${NPM_CPU[arch]}`
  const { version } = JSON.parse(readFileSync(join(app, 'node_modules/node/package.json'), 'utf8')) as { version: string }
  output('npm', ['pack', `${name}@${version}`, '--prefer-offline', '--loglevel=error', `--pack-destination=${folder}`], { cwd: folder })
  const [archive] = globSync(`${name}-*.tgz`, { cwd: folder })
  if (archive === undefined) throw new Error(`npm pack gave no ${name}`)
  output('tar', ['xzf', archive, 'package/bin/node'], { cwd: folder })
  const node = join(app, 'node_modules/node/bin/node')
  mkdirSync(join(app, 'node_modules/node/bin'), { recursive: true })
  copyFileSync(join(folder, 'package/bin/node'), node)
  chmodSync(node, 0o755)
  symlinkSync('../node/bin/node', join(app, 'node_modules/.bin/node'))
  for (const leftover of [archive, 'package']) rmSync(join(folder, leftover), { recursive: true })
  if (machineOf(node) !== arch) throw new Error(`${name} is for another machine`)
}
