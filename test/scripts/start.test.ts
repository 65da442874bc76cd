// `npm start` as a newcomer meets it: what it prints works when pasted, and it leaves nothing behind.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { checkout } from '../support/checkout.ts'

const ANY_PORTS = ['port', 'plain-port', 'admin-port', 'blob-port', 'queue-port', 'table-port', 'api-port'].flatMap((name) => [`--${name}`, '0'])
const curl = spawnSync('curl', ['--version']).status === 0

const spawnStart = (folder: string, args: readonly string[]): ChildProcess =>
  spawn(process.execPath, [join(folder, 'scripts/start.ts'), ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })

/** Returns all that it writes, up to and with a text, or up to its end. */
async function read({ stdout, stderr }: ChildProcess, until: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let said = ''
  let open = 2
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes(until)) resolve()
    }).on('end', () => {
      open -= 1
      if (open === 0) resolve()
    })
  }
  await promise
  return said
}

const isOpen = (port: number): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
  socket.on('connect', () => socket.destroy())
})

await test('the five commands do what is said beside them; Ctrl-C ends all', { skip: curl ? false : 'curl is missing' }, async (t) => {
  const folder = checkout(t)
  const start = spawnStart(folder, ANY_PORTS)
  t.teardown(() => start.kill('SIGTERM'))
  const said = await read(start, `[1-9]'\n`)
  const commands = said.split('\n').filter((line) => line.startsWith('curl '))
  t.equal(commands.length, 5, 'five commands are printed')
  const [tightened, plain, badSignature, api, metrics] = commands.map((line) => spawnSync('sh', ['-c', line], { encoding: 'utf8' }).stdout)
  t.match(tightened, /^HTTP\/1\.1 200 (.*\r\n)*x-tidegate-sas: tightened\r\n(.*\r\n)*\r\nHello from behind the gate\./i)
  t.match(plain, /^HTTP\/1\.1 400 (.*\r\n)*x-ms-error-code: AccountRequiresHttps\r\n/i)
  t.match(plain, 'The account being accessed does not support http.')
  t.notMatch(plain, /^location:/im)
  t.match(badSignature, /^HTTP\/1\.1 403 (.*\r\n)*x-tidegate-reason: sas-signature\r\n/i)
  t.match(badSignature, 'AuthenticationFailed')
  t.match(api, /^HTTP\/1\.1 200 [^]*"Ada Ebb"/)
  t.match(metrics, /reason="plaintext-http"\} 1\n/)
  t.match(metrics, /reason="sas-signature"\} 1\n/)

  const beside = spawnStart(folder, ANY_PORTS)
  t.match(await read(beside, 'never'), /already running in this checkout \(process \d+\)/)
  t.equal(beside.exitCode ?? (await once(beside, 'exit'))[0], 1)

  const ports = [...said.matchAll(/(?::|127\.0\.0\.1:|, )(\d{4,5})\b/g)].map(([, port]) => Number(port))
  t.ok(ports.length >= 7)
  start.kill('SIGINT')
  t.strictSame(await once(start, 'exit'), [0, null])
  t.strictSame(await Promise.all([...new Set(ports)].map(isOpen)), [...new Set(ports)].map(() => false))
  t.notOk(existsSync(join(folder, '.dev/running')))
})

await test('a port that was asked for and is in use is told, and nothing stays up', async (t) => {
  const taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const start = spawnStart(checkout(t), [...ANY_PORTS, '--port', String(port)])
  t.match(await read(start, 'never'), `--port ${port}, for the gateway (TLS), cannot be had: it is in use`)
  t.equal(start.exitCode ?? (await once(start, 'exit'))[0], 1)
  taken.close()
})
