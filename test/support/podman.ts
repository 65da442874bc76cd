// A store of images and containers that belongs to one test, and is gone with it. What this machine lacks for containers is in
// runc, since crun does not know its cgroups, and limits that may be set without CAP_SYS_RESOURCE.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { output, run, type Ran } from './programs.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Programs that podman needs and does not name. */
export const CONTAINERS = ['buildah', 'podman', 'runc', 'conmon', 'mmdebstrap', 'skopeo', 'dpkg-deb', 'npm'] as const
export const NODE = '/app/node_modules/.bin/node'

export interface Store {
  readonly folder: string
  /** Runs podman; throws when it fails. Returns its standard output. */
  podman(...args: string[]): string
  /** As `podman`. */
  buildah(...args: string[]): string
  /** Runs podman to whatever end. */
  tryPodman(...args: string[]): Ran
  /** `npm run image` in a copy of the checkout, into this store. Returns the image's id. */
  build(checkout: string, ...args: string[]): string
  /** Mounts an image. Returns its root folder. */
  mount(image: string): string
}

/** A new store, gone at the end of `t` with all that runs in it. */
export function createStore(t: Test): Store {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-store-'))
  const env = environment(folder)
  const podman = (...args: string[]): string => output('podman', args, { env })
  t.teardown(() => {
    for (const args of [['pod', 'rm', '--all', '--force', '--time=0'], ['rm', '--all', '--force', '--time=0'], ['image', 'unmount', '--all']]) run('podman', args, { env })
    run('umount', [join(folder, 'graph/overlay')])
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder,
    podman,
    buildah: (...args) => output('buildah', args, { env }),
    tryPodman: (...args) => run('podman', args, { env }),
    build: (checkout, ...args) => output(process.execPath, [join(checkout, 'scripts/image.ts'), ...args], { env, cwd: checkout }).trim().split('\n').at(-1) ?? '',
    mount: (image) => podman('image', 'mount', image).trim(),
  }
}

/** Copies what an image is made of, so that nobody edits it between two builds. Returns the copy's folder. */
export function copyCheckout(to: string): string {
  for (const part of ['src', 'scripts', 'package.json', 'package-lock.json', 'Dockerfile', '.dockerignore']) cpSync(join(ROOT, part), join(to, part), { recursive: true })
  return to
}

function environment(folder: string): Readonly<Record<string, string>> {
  const [storage, containers] = [join(folder, 'storage.conf'), join(folder, 'containers.conf')]
  mkdirSync(join(folder, 'run'))
  writeFileSync(storage, `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n`)
  writeFileSync(containers, `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n[engine]\nruntime = "runc"\nevents_logger = "none"\n`)
  return { CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: containers, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' }
}

/** A program for a container: asks the gateway over TLS for a name that nobody configured, and is content with the gateway's own refusal. */
export const PROBE = [NODE, '-e', `require('node:https').get({ host: '127.0.0.1', port: 8443, servername: '', headers: { host: 'probe.invalid' }, rejectUnauthorized: false },
  reply => { console.log(reply.socket.getProtocol(), reply.statusCode, reply.headers['x-tidegate-reason']); process.exit(reply.headers['x-tidegate-reason'] === 'host-unknown' ? 0 : 1) })
  .on('error', error => { console.error(error.message); process.exit(1) })`] as const

/** Given a process of the host's, returns a field of /proc/PID/status. */
export function statusOf(pid: number, field: string): string {
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(output('cat', [`/proc/${pid}/status`]))?.[1]?.trim() ?? ''
}

/** Given a process of the host's, returns the ports that anything in its network namespace listens on, sorted. */
export function listeningPorts(pid: number): readonly number[] {
  const lines = ['tcp', 'tcp6'].flatMap((table) => run('cat', [`/proc/${pid}/net/${table}`]).stdout.split('\n'))
  const LISTEN = '0A'
  const fields = lines.map((line) => line.trim().split(/\s+/)).filter((line) => line[3] === LISTEN)
  return [...new Set(fields.map(([, local = '']) => Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)))].toSorted((a, b) => a - b)
}
