// `npm run image`: builds the image of the Dockerfile without a registry: a base from Debian's packages, node_modules from npm,
// put together by buildah without running anything in it. Twice the same checkout gives twice the same id.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ARCHES, makeBase, type Arch } from './image/base.ts'
import { makePackages } from './image/packages.ts'
import { output } from './image/run.ts'
import { makeSbom } from './image/sbom.ts'
import { settle } from './image/settle.ts'

const ROOT = join(import.meta.dirname, '..')

const USAGE = `npm run image -- [--arch amd64|arm64] [--tag NAME] [--out FOLDER] [--archive]

    --arch      the kind of machine; usually this one's
    --tag       the image's name; usually localhost/tidegate:ARCH
    --out       where the list of its parts goes (tidegate-ARCH.cdx.json); usually .dev/image
    --archive   also FOLDER/tidegate-ARCH.oci.tar, for \`skopeo copy oci-archive:FILE docker://REGISTRY/NAME\`

Needs root and Debian's buildah, mmdebstrap and skopeo. The image goes into this machine's own store, where podman finds it.
`

const OPTIONS = { arch: { type: 'string', default: process.arch === 'arm64' ? 'arm64' : 'amd64' }, tag: { type: 'string' }, out: { type: 'string', default: join(ROOT, '.dev/image') }, archive: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const

interface Wish {
  readonly arch: Arch
  readonly tag: string
  readonly out: string
  readonly archive: boolean
}

function main(): void {
  const { values: { help, arch, tag, out, archive } } = parseArgs({ options: OPTIONS })
  if (help) return void process.stdout.write(USAGE)
  const known = ARCHES.find((it) => it === arch)
  if (known === undefined) throw new Error(`--arch is one of ${ARCHES.join(', ')}, not ${arch}`)
  const id = build({ arch: known, tag: tag ?? `localhost/tidegate:${known}`, out, archive })
  console.log(id)
}

/** Returns the image's id. */
function build({ arch, tag, out, archive }: Wish): string {
  const work = mkdtempSync(join(tmpdir(), 'tidegate-image-'))
  try {
    const [base, packages] = [join(work, 'base'), join(work, 'packages')]
    const debian = makeBase(base, arch)
    makePackages(ROOT, packages, base, arch)
    mkdirSync(out, { recursive: true })
    writeFileSync(join(out, `tidegate-${arch}.cdx.json`), makeSbom(ROOT, debian))
    const id = assemble(work, arch, tag)
    if (archive) output('buildah', ['push', '--quiet', id, `oci-archive:${join(out, `tidegate-${arch}.oci.tar`)}:${tag}`])
    return id
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Nothing is pulled, nothing runs, and no time is written down. Docker's format keeps HEALTHCHECK, which OCI's does not know. */
function assemble(work: string, arch: Arch, tag: string): string {
  const base = `localhost/tidegate-base:${arch}`
  const common = ['bud', '--quiet', '--pull=never', '--network=none', '--timestamp=0', '--no-cache', '--format=docker', `--platform=linux/${arch}`]
  writeFileSync(join(work, 'Dockerfile.base'), 'FROM scratch\nCOPY . /\n')
  output('buildah', [...common, '--file', join(work, 'Dockerfile.base'), '--tag', base, join(work, 'base')])
  output('buildah', [...common, `--build-arg=BASE=${base}`, `--build-context=packages=${join(work, 'packages')}`, '--tag', tag, ROOT])
  return settle(tag, join(work, 'image'))
}

try {
  main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
