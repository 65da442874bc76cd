// The real Azurite over HTTPS, addressed by host names, in memory, on ports of its own (spec/sas.md 18).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ACCOUNT, upstreamHost, type Realm } from './realm.ts'
import { until } from './until.ts'

const PROGRAM = join(import.meta.dirname, '../../node_modules/azurite/dist/src/azurite.js')
const SERVICES = ['blob', 'queue', 'table'] as const
const LISTENING = /Azurite (Blob|Queue|Table) service is successfully listening at \S+?:(\d+)\s/g

export type Azurite = Readonly<Record<typeof SERVICES[number], number>>

/** Why Azurite cannot be run here; undefined where it can. */
export const missingAzurite: string | undefined = existsSync(PROGRAM) ? undefined : 'azurite is not installed'

/** Starts it with the realm's two keys; returns its ports. It stops with the test. */
export async function startAzurite(t: Test, realm: Realm): Promise<Azurite> {
  const own = await realm.certificate('azurite', { names: ['127.0.0.1', ...SERVICES.map((service) => upstreamHost(service))] })
  const ports = SERVICES.flatMap((service) => [`--${service}Port`, '0'])
  const child = spawn(process.execPath, [PROGRAM, '--silent', '--inMemoryPersistence', '--disableTelemetry', '--skipApiVersionCheck', '--oauth', 'basic', '--cert', own.certFile, '--key', own.keyFile, ...ports], {
    cwd: realm.folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${realm.key1}:${realm.key2}` },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const found = (): Map<string, number> => new Map([...said.matchAll(LISTENING)].map(([, name = '', port]) => [name.toLowerCase(), Number(port)]))
  await until(() => found().size === SERVICES.length || child.exitCode !== null, `Azurite; it said: ${said}`)
  const at = found()
  if (at.size < SERVICES.length) throw new Error(`Azurite did not start: ${said}`)
  return Object.fromEntries(at) as Azurite
}
