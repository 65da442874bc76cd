// The unit: what systemd's own tools say of it, what a receiver hears, and a real systemd that runs it.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { createAuthority } from '../support/authority.ts'
import { serveGate } from '../support/gate.ts'
import { run, without, withoutContainers } from '../support/programs.ts'
import { createRealm } from '../support/realm.ts'
import { startSystemd, SYSTEMD } from '../support/systemd.ts'
import { pause, until } from '../support/until.ts'

const UNIT = join(import.meta.dirname, '../../deploy/systemd/tidegate.service')
/** What docs/alerts.md says to type where it writes LOG. */
const [LOG = ''] = /^journalctl .+$/m.exec(readFileSync(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8')) ?? []
const PYTHON = '/usr/bin/python3'

t.setTimeout(600_000)

void t.test('systemd-analyze security is content with the unit', { skip: without('systemd-analyze') }, async (test) => {
  const { code, stdout } = run('systemd-analyze', ['security', '--offline=true', '--threshold=15', '--no-pager', UNIT])
  test.equal(code, 0, stdout.trim().split('\n').at(-1) ?? '')
})

/** Stands for systemd: prints each datagram as a line. A descriptor that comes along (BARRIER=1) is closed by the kernel, which is its answer. */
const RECEIVER = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(4096).decode().strip().replace('\\n', ' '), flush=True)
`

void t.test('tells ready, reloading, stopping, and a sign of life only while every worker answers', { skip: without('systemd-notify', PYTHON.slice('/usr/bin/'.length)) }, async (test) => {
  const realm = await createRealm(test)
  const socket = join(realm.folder, 'notify')
  const receiver = spawn(PYTHON, ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  test.teardown(() => receiver.kill('SIGKILL'))
  const heard: string[] = []
  createInterface({ input: receiver.stdout }).on('line', (line) => heard.push(line))
  await until(() => heard.includes('bound'), 'the receiver')
  Object.assign(process.env, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' })
  test.teardown(() => {
    delete process.env['NOTIFY_SOCKET']
    delete process.env['WATCHDOG_USEC']
  })
  const told = (): string[] => heard.map((line) => /READY=1|RELOADING=1|STOPPING=1/.exec(line)?.[0] ?? '').filter((word) => word !== '')
  const alive = (): number => heard.filter((line) => line.includes('WATCHDOG=1')).length
  const gate = await serveGate(test, realm, { apis: [{ name: 'api', host: 'api.localhost', upstream: 'https://127.0.0.1:9' }], names: ['api.localhost'], workers: 2 })
  await until(() => told().length > 0 && alive() > 2, 'ready, and signs of life')
  test.strictSame(told(), ['READY=1'])
  gate.child.kill('SIGHUP')
  await until(() => told().length > 2, 'the reload')
  test.strictSame(told(), ['READY=1', 'RELOADING=1', 'READY=1'])
  const [worker = 0] = await gate.workers()
  process.kill(worker, 'SIGSTOP')
  // A question that was answered before may still be on its way to the receiver.
  await pause(1500)
  const before = alive()
  await pause(1500)
  test.equal(alive(), before, 'one of two workers hangs: no sign of life')
  process.kill(worker, 'SIGCONT')
  await until(() => alive() > before + 1, 'signs of life again')
  gate.child.kill('SIGTERM')
  test.equal(await gate.ended, 0)
  await until(() => told().length > 3, 'the end')
  test.equal(told().at(-1), 'STOPPING=1')
})

void t.test('where systemd cannot be told, the log says so once and the gateway serves', { skip: without('systemd-notify') }, async (test) => {
  const realm = await createRealm(test)
  Object.assign(process.env, { NOTIFY_SOCKET: join(realm.folder, 'nobody'), WATCHDOG_USEC: '100000' })
  test.teardown(() => {
    delete process.env['NOTIFY_SOCKET']
    delete process.env['WATCHDOG_USEC']
  })
  const gate = await serveGate(test, realm, { apis: [{ name: 'api', host: 'api.localhost', upstream: 'https://127.0.0.1:9' }], names: ['api.localhost'] })
  await until(() => gate.lines('systemd cannot be told').length > 0, 'the line')
  test.equal((await gate.admin('/readyz')).status, 200)
  test.equal(gate.lines('systemd cannot be told').length, 1)
})

const root = process.getuid?.() === 0 ? false : 'not root'

void t.test('a real systemd runs the unit: started when ready, reloaded, ended by the watchdog when a worker hangs, stopped in order', { skip: withoutContainers(...SYSTEMD) || root }, async (test) => {
  const systemd = await startSystemd(test, await files())
  test.equal(systemd.inside('systemd-analyze', 'verify', '/etc/systemd/system/tidegate.service'), '')
  // Blocks until READY=1.
  const started = systemd.tryInside('systemctl', 'start', 'tidegate.service')
  test.equal(started.code, 0, started.code === 0 ? '' : systemd.journal())
  test.equal(systemd.property('ActiveState'), 'active', systemd.journal())
  const main = systemd.property('MainPID')
  const status = systemd.inside('cat', `/proc/${main}/status`)
  for (const line of [/^Uid:\s979/m, /^CapEff:\s0+$/m, /^NoNewPrivs:\s1$/m, /^Seccomp:\s2$/m]) test.match(status, line)
  test.match(systemd.inside('cat', `/proc/${main}/limits`), /Max core file size\s+0\s+0/)
  test.match(systemd.inside('curl', '-sk', '-o', '/dev/null', '-w', '%{http_code} %{ssl_verify_result}', '-H', 'Host: probe.invalid', 'https://127.0.0.1:8443/'), '421')
  systemd.inside('systemctl', 'reload', 'tidegate.service')
  await until(() => /"trigger":"SIGHUP","generation":2,"msg":"reloaded"/.test(systemd.journal()) && systemd.property('ActiveState') === 'active', 'the reload')
  test.equal(systemd.property('MainPID'), main)
  test.notMatch(systemd.journal(), /systemd cannot be told|Permission denied|EPERM|EACCES/, 'the sandbox is in nobody\'s way')
  const worker = systemd.inside('cat', `/proc/${main}/task/${main}/children`).trim().split(' ')[0] ?? ''
  systemd.inside('kill', '-STOP', worker)
  await until(() => systemd.property('NRestarts') === '1' && systemd.property('ActiveState') === 'active', 'the watchdog, and another start')
  test.match(systemd.journal(), /Watchdog timeout/)
  test.not(systemd.property('MainPID'), main)
  const messages = systemd.inside('sh', '-c', LOG).trim().split('\n').map((line) => (JSON.parse(line) as { msg: string }).msg)
  test.ok(['listening', 'reloaded'].every((message) => messages.includes(message)), 'LOG of the runbook prints our lines, and systemd\'s own are not among them')
  systemd.inside('systemctl', 'stop', 'tidegate.service')
  test.match([systemd.property('ActiveState'), systemd.property('Result'), systemd.property('ExecMainStatus')], ['inactive', 'success', '0'])
  systemd.inside('sh', '-c', 'sed -i "s/8443/443/" /etc/tidegate/tidegate.yaml && cp /opt/tidegate/deploy/systemd/privileged-ports.conf /etc/systemd/system/tidegate.service.d/ && systemctl daemon-reload && systemctl start tidegate.service')
  test.match(systemd.inside('curl', '-sk', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'Host: probe.invalid', 'https://127.0.0.1:443/'), '421', 'a port below 1024, by the drop-in')
  systemd.inside('systemctl', 'stop', 'tidegate.service')
  systemd.inside('sh', '-c', 'echo "nonsense: 1" >> /etc/tidegate/tidegate.yaml')
  test.not(systemd.tryInside('systemctl', 'start', 'tidegate.service').code, 0, 'a faulty configuration does not start')
  test.match([systemd.property('ActiveState'), systemd.property('ExecMainStatus')], ['failed', '2'], 'and is not started again')
  test.match(systemd.journal(), /nonsense/)
})

async function files(): Promise<Readonly<Record<string, string>>> {
  const { cert, key } = await (await createAuthority({ name: 'systemd test' })).issue({ names: ['tideoffice.blob.storage.tide.example'] })
  return { 'tls.crt': cert, 'tls.key': key, 'key1': randomBytes(64).toString('base64'), 'tidegate.yaml': stringify({
    listen: { tls: { port: 8443 } }, tls: { certificates: [{ cert: 'tls.crt', key: 'tls.key' }] }, drain: { deadline: '5s' },
    storage: { domain: 'storage.tide.example', accounts: [{ name: 'tideoffice', keys: ['key1'], blob: 'https://tideoffice.blob.core.windows.net' }] },
  }) }
}

