// `docker build .` from end to end: both stages of the Dockerfile as they stand, by buildah, with a stand-in for the image of Node that
// the first stage begins with (no registry is here): Debian's shell, our Node, this machine's npm.
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { makeBase, type Arch } from '../../scripts/image/base.ts'
import { makePackages } from '../../scripts/image/packages.ts'
import { CONTAINERS, copyCheckout, createStore } from '../support/podman.ts'
import { output, run, slow, withoutContainers } from '../support/programs.ts'

const skip = slow || withoutContainers(...CONTAINERS)
const ARCH: Arch = process.arch === 'arm64' ? 'arm64' : 'amd64'
const AUTHORITIES = '/etc/ssl/certs'

t.setTimeout(600_000)

void t.test('both stages of the Dockerfile run, and give the files that `npm run image` puts together', { skip }, async (test) => {
  const store = createStore(test)
  const [checkout, build, base, packages] = ['checkout', 'build', 'base', 'packages'].map((name) => join(store.folder, name)) as [string, string, string, string]
  copyCheckout(checkout)
  makeBase(base, ARCH)
  makeBuildBase(build)
  writeFileSync(join(store.folder, 'Dockerfile.scratch'), 'FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n')
  for (const [name, folder] of [['build', build], ['base', base]] as const) store.buildah('bud', '--quiet', '--network=none', '--file', join(store.folder, 'Dockerfile.scratch'), '--tag', `localhost/${name}`, folder)
  // Without CAP_SYS_RESOURCE limits can only be lowered; chroot is the isolation that needs no network of its own.
  store.buildah('bud', '--pull=never', '--network=host', '--isolation=chroot', '--format=docker', '--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096', `--volume=${AUTHORITIES}:${AUTHORITIES}:ro`,
    '--build-arg=BUILD=localhost/build', '--build-arg=BASE=localhost/base', '--tag', 'localhost/tidegate:docker', checkout)
  const root = store.mount('localhost/tidegate:docker')
  makePackages(checkout, packages, base, ARCH)
  const same = run('diff', ['-r', '--brief', '--no-dereference', join(root, 'app/node_modules'), join(packages, 'app/node_modules')])
  test.equal(same.stdout, '', 'the same packages')
  test.equal(run('diff', ['-r', '--brief', join(root, 'app/src'), join(checkout, 'src')]).stdout, '', 'the same program')
  test.equal(run('diff', ['--brief', join(root, 'usr/lib/libatomic.so.1'), join(packages, 'libraries/libatomic.so.1')]).stdout, '', 'the same library')
  test.notOk(existsSync(join(root, 'usr/bin/sh')), 'no shell in the last stage')
  test.equal(store.podman('run', '--rm', '--network=none', '--read-only', '--cap-drop=ALL', 'localhost/tidegate:docker', '--help').split('\n')[0], 'usage: tidegate COMMAND [OPTIONS]')
})

/** A root folder with a shell, Node and npm. */
function makeBuildBase(folder: string): void {
  const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'].find((file) => existsSync(file)) ?? ''
  output('mmdebstrap', ['--quiet', '--mode=root', '--variant=extract', '--format=directory', '--include=base-files,libc6,libstdc++6,libgcc-s1,libatomic1,dash,coreutils', 'trixie', folder, sources])
  rmSync(join(folder, 'dev'), { recursive: true })
  const npm = dirname(dirname(output('readlink', ['-f', output('which', ['npm']).trim()]).trim()))
  for (const place of ['dev', 'usr/local/bin', 'usr/local/lib', 'usr/local/etc']) mkdirSync(join(folder, place), { recursive: true })
  cpSync(process.execPath, join(folder, 'usr/local/bin/node'))
  cpSync(npm, join(folder, 'usr/local/lib/npm'), { recursive: true })
  symlinkSync('../lib/npm/bin/npm-cli.js', join(folder, 'usr/local/bin/npm'))
  if (!existsSync(join(folder, 'usr/bin/sh'))) symlinkSync('dash', join(folder, 'usr/bin/sh'))
  // A registry and authorities of this machine's, where it has some.
  const registry = output('npm', ['config', 'get', 'registry']).trim()
  writeFileSync(join(folder, 'usr/local/etc/npmrc'), `registry=${registry}\n${existsSync(`${AUTHORITIES}/ca-certificates.crt`) ? `cafile=${AUTHORITIES}/ca-certificates.crt\n` : ''}`)
}
