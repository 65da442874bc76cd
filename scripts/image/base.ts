// The base of the image: the four libraries that Node is linked with and what they need, taken from Debian's packages
// without running one of their scripts. No program, no shell, no package manager.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { output } from './run.ts'

export type Arch = 'amd64' | 'arm64'
export const ARCHES: readonly Arch[] = ['amd64', 'arm64']

/** A package of Debian's in the base. */
export interface DebianPackage {
  readonly name: string
  readonly version: string
  readonly arch: string
}

const SUITE = 'trixie'
const PACKAGES = ['base-files', 'libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1']
/** Where the machine says from where its Debian comes: the first that is there. */
const SOURCES = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']
/** Programs (mawk and the scripts of debconf come as dependencies), what no program reads, and device nodes, which a container gets anyway. */
const NOT_NEEDED = ['usr/bin/*', 'usr/sbin/*', 'usr/share/!(doc|common-licenses)', 'usr/share/doc/*/!(copyright)', 'usr/lib/*/gconv', 'usr/lib/*/perl*', 'usr/lib/*/audit', 'etc/!(host.conf|ld.so.conf.d|os-release|debian_version)', 'var/*', 'dev/*', 'boot', 'home', 'media', 'mnt', 'opt', 'srv', 'root']
/** What the packages' scripts would have written: glibc asks DNS before /etc/hosts without the last one. */
const WRITTEN: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/:/none\ntidegate:x:65532:65532:Tidegate:/:/none\n',
  'etc/group': 'root:x:0:\ntidegate:x:65532:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\n',
}

/** Fills an empty root folder for that kind of machine. Returns the packages that are in it. Needs mmdebstrap and root. */
export function makeBase(root: string, arch: Arch): readonly DebianPackage[] {
  rmSync(root, { recursive: true, force: true })
  const sources = SOURCES.find((file) => existsSync(file))
  if (sources === undefined) throw new Error(`no list of Debian's sources: ${SOURCES.join(', ')}`)
  output('mmdebstrap', ['--quiet', '--mode=root', '--variant=extract', `--architectures=${arch}`, '--format=directory', '--skip=cleanup/apt',
    `--include=${PACKAGES.join(',')}`, SUITE, root, sources], { env: { SOURCE_DATE_EPOCH: '0' } })
  const packages = globSync('var/cache/apt/archives/*.deb', { cwd: root }).toSorted().map((file) => readPackage(join(root, file)))
  for (const pattern of NOT_NEEDED) for (const file of globSync(pattern, { cwd: root })) rmSync(join(root, file), { recursive: true, force: true })
  // Without the last one OpenSSL complains at each start that it cannot be read; the roots are those that Node brings.
  for (const folder of ['var/tmp', 'etc/ssl/certs']) mkdirSync(join(root, folder), { recursive: true })
  for (const [file, text] of Object.entries(WRITTEN)) writeFileSync(join(root, file), text, { mode: 0o644 })
  output('chmod', ['-R', 'go-w,u-s,g-s', root])
  output('chmod', ['1777', join(root, 'tmp'), join(root, 'var/tmp')])
  return packages
}

function readPackage(file: string): DebianPackage {
  const { status, stdout } = spawnSync('dpkg-deb', ['--field', file, 'Package', 'Version', 'Architecture'], { encoding: 'utf8' })
  const fields = new Map(stdout.trim().split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
  const [name, version, arch] = ['Package', 'Version', 'Architecture'].map((field) => fields.get(field))
  if (status !== 0 || name === undefined || version === undefined || arch === undefined) throw new Error(`${basename(file)} cannot be read`)
  return { name, version, arch }
}

/** Given a root folder, returns the path of the library that small bases lack. */
export function libatomic(root: string): string {
  const [file] = globSync('usr/lib/*-linux-gnu*/libatomic.so.1.*', { cwd: root })
  if (file === undefined) throw new Error('the base has no libatomic')
  return join(root, file)
}

/** Given an ELF file, returns its machine by Debian's name: e_machine of the ELF header. */
export function machineOf(file: string): Arch | undefined {
  const head = readFileSync(file).subarray(0, 20)
  return head.toString('latin1', 1, 4) === 'ELF' ? ({ 62: 'amd64', 183: 'arm64' } as const)[head.readUInt16LE(18)] : undefined
}
