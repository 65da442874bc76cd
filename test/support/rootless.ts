// podman as an ordinary user with numbers of its own for the users of its containers (subuid(5)). The user exists in namespaces
// of the test only; so do its processes, podman's own that stays behind included.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, type Ran } from './programs.ts'

export const ROOTLESS = ['unshare', 'setpriv', 'newuidmap', 'newgidmap'] as const
const UID = 2000
const NAME = 'tidegate-test'

/** Runs a script for sh as that user, at home in a folder that everybody may enter. Returns how it ended. Needs root. */
export function runRootless(folder: string, script: string): Ran {
  const [home, runtime] = ['home', 'runtime'].map((name) => join(folder, name)) as [string, string]
  for (const place of [home, runtime]) {
    mkdirSync(place, { mode: 0o700 })
    chownSync(place, UID, UID)
  }
  const files = { 'passwd': `${NAME}:x:${UID}:${UID}::${home}:/bin/sh`, 'group': `${NAME}:x:${UID}:`, 'subuid': `${NAME}:300000:65536`, 'subgid': `${NAME}:300000:65536` }
  for (const [name, line] of Object.entries(files)) {
    const system = join('/etc', name)
    writeFileSync(join(folder, name), `${existsSync(system) ? readFileSync(system, 'utf8') : ''}${line}\n`)
  }
  writeFileSync(join(folder, 'rootless.conf'), '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n')
  for (const name of ['rootless.conf', ...Object.keys(files)]) chmodSync(join(folder, name), 0o644)
  const binds = Object.keys(files).map((name) => `mount --bind ${join(folder, name)} /etc/${name}`)
  const user = `exec setpriv --reuid ${UID} --regid ${UID} --clear-groups env -i PATH=/usr/bin:/usr/sbin:/bin HOME=${home} XDG_RUNTIME_DIR=${runtime} CONTAINERS_CONF=${folder}/rootless.conf PODMAN_IGNORE_CGROUPSV1_WARNING=1 sh -c "$1"`
  return run('unshare', ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', 'bash', '-c', ['set -e', 'mount --make-rprivate /', ...binds, 'cd /', user].join('\n'), 'rootless', script])
}
