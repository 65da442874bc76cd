// systemd itself, as the first process of namespaces of its own: over this machine's files, whose changes stay in memory and
// are gone with the test. Its control groups are a second hierarchy without controllers: enough to keep track of processes.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { output, run, SEARCHED, type Ran } from './programs.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')
const UNIT = join(ROOT, 'deploy/systemd/tidegate.service')
export const SYSTEMD = ['unshare', 'nsenter', 'ip', 'mount', 'pivot_root', 'systemctl', 'systemd-analyze', 'systemd-notify'] as const

/** `$1`: the folder of the test, with `etc` for /etc/tidegate. The checkout stands in for /opt/tidegate. */
const BOOT = `set -e
mount --make-rprivate /
ip link set lo up
mkdir -p "$1/layers" "$1/root" && mount -t tmpfs tmpfs "$1/layers" && mkdir "$1/layers/upper" "$1/layers/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layers/upper,workdir=$1/layers/work" "$1/root"
cd "$1/root"
mkdir -p opt/tidegate etc/tidegate
mount --bind '${ROOT}' opt/tidegate && mount -o remount,bind,ro opt/tidegate
cp -r "$1/etc/." etc/tidegate/
mount -t proc proc proc && mount --rbind /dev dev && mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
for place in run tmp; do mount -t tmpfs tmpfs "$place"; done
rm -rf etc/systemd/system usr/lib/systemd/system/*.wants && mkdir -p etc/systemd/system
cp '${UNIT}' etc/systemd/system/
# What differs from the unit as it is shipped: nobody waits 30 s for the watchdog.
mkdir etc/systemd/system/tidegate.service.d && printf '[Service]\\nWatchdogSec=3\\n' > etc/systemd/system/tidegate.service.d/test.conf
echo tidegate:x:979:979::/:/usr/sbin/nologin >> etc/passwd
echo tidegate:x:979: >> etc/group
chroot . chown -R root:tidegate /etc/tidegate
chroot . chmod -R u=rwX,g=rX,o= /etc/tidegate
printf '[Unit]\\nRequires=systemd-journald.service dbus.service\\nAfter=systemd-journald.service dbus.service\\n' > etc/systemd/system/test.target
# Not chroot: there the kernel allows no namespace of users (PrivateUsers=).
pivot_root . mnt && umount --lazy /mnt
exec /usr/bin/env -i container=podman PATH=/usr/bin:/usr/sbin /lib/systemd/systemd --system --unit=test.target --show-status=no
`

export interface Systemd {
  /** Runs a program beside it, as root. Returns its standard output; throws when it fails. */
  inside(...command: string[]): string
  tryInside(...command: string[]): Ran
  /** A property of the unit, as `systemctl show` has it. */
  property(name: string): string
  /** What the unit wrote, and what was written about it. */
  journal(): string
}

/** Starts systemd with the given files in /etc/tidegate, without the unit; ends it, and all under it, with `t`. Needs root. */
export async function startSystemd(t: Test, files: Readonly<Record<string, string>>): Promise<Systemd> {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-systemd-'))
  output('mkdir', [join(folder, 'etc')])
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'etc', name), text)
  const child = spawn('unshare', ['--mount', '--pid', '--fork', '--cgroup', '--ipc', '--net', '--uts', '--kill-child', 'bash', '-c', BOOT, 'boot', folder], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PATH: SEARCHED } })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of the namespaces')
    rmSync(folder, { recursive: true, force: true })
  })
  const first = (): string => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
  const tryInside = (...command: string[]): Ran => run('nsenter', ['--target', first(), '--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup', '--root', '--wd', ...command])
  const inside = (...command: string[]): string => {
    const { code, stdout, stderr } = tryInside(...command)
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}\n${stdout}${stderr}`)
    return stdout
  }
  await until(() => tryInside('systemctl', 'is-active', 'dbus.service').code === 0, 'systemd')
  const property = (name: string): string => inside('systemctl', 'show', 'tidegate.service', `--property=${name}`, '--value').trim()
  return { inside, tryInside, property, journal: () => inside('journalctl', '--unit=tidegate.service', '--no-pager', '--output=cat') }
}
