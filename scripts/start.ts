// `npm start`: a development authority, Azurite, a demo API and the gateway in front of both, until Ctrl-C.
import { lookup } from 'node:dns/promises'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { claim } from './dev/claim.ts'
import { Children } from './dev/children.ts'
import { accountKey, API_HOST, configuration, SERVICES, storageHost } from './dev/configuration.ts'
import { blobToken, putFirstBlob } from './dev/first-blob.ts'
import { greeting } from './dev/greeting.ts'
import { choosePorts, PORTS, type PortName } from './dev/ports.ts'
import { azurite, demoApi, gate } from './dev/services.ts'
import { makeCerts } from './make-certs.ts'

const ROOT = join(import.meta.dirname, '..')
const DEV = join(ROOT, '.dev')
const CERTS = join(ROOT, 'certs')
const CA = join(CERTS, 'ca.pem')
// A terminal's Ctrl-C comes once from the terminal and again from npm and run.cjs: within this time it is one.
const SAME_SIGNAL = 1000

const USAGE = `npm start -- [--data DIR] [--port N] ...

    --data DIR          keep Azurite's data there; without it all is in memory
${Object.entries(PORTS).map(([name, [usual, purpose]]) => `    --${`${name} N`.padEnd(18)}${purpose}; usually ${usual}`).join('\n')}
`

interface Wishes {
  readonly help: boolean
  readonly data: string | undefined
  readonly asked: Partial<Record<PortName, number>>
}

async function main(): Promise<void> {
  const wishes = readArguments()
  if (wishes.help) return void process.stdout.write(USAGE)
  mkdirSync(DEV, { recursive: true })
  const release = claim(join(DEV, 'running'))
  const end = Promise.withResolvers<string | undefined>()
  const children = new Children(ROOT, DEV, end.resolve)
  stopOnSignal(() => end.resolve(undefined), () => {
    children.kill()
    release()
    process.exit(1)
  })
  up(children, wishes).catch((error: unknown) => end.resolve(message(error)))
  const fault = await end.promise
  if (fault !== undefined) console.error(`\n${fault}`)
  if (children.size > 0) console.log('\nStopping ...')
  await children.stop()
  release()
  process.exit(fault === undefined ? 0 : 1)
}

const TEXT = { type: 'string' } as const
const PORT_OPTIONS = {
  'port': TEXT, 'plain-port': TEXT, 'admin-port': TEXT, 'blob-port': TEXT, 'queue-port': TEXT, 'table-port': TEXT, 'api-port': TEXT,
} satisfies Record<PortName, typeof TEXT>

function readArguments(): Wishes {
  const { values: { help, data, ...ports } } = parseArgs({ options: { help: { type: 'boolean', default: false }, data: TEXT, ...PORT_OPTIONS } })
  const asked = Object.fromEntries(Object.entries(ports).map(([name, text]) => [name, portNumber(name, text)]))
  // Relative to where npm was called, not to the checkout that npm goes to.
  return { help, data: data === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', data), asked }
}

function portNumber(name: string, text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error(`--${name} is a port from 1 to 65535 (0: any free one), not ${text}`)
  return port
}

/** Starts all, one behind the other, and prints the greeting. */
async function up(children: Children, { data, asked }: Wishes): Promise<void> {
  if (await makeCerts(CERTS)) console.log('Made development certificates in certs/.')
  const ports = await choosePorts(asked, (line) => console.log(`Note: ${line}.`))
  const key = accountKey(DEV)
  writeFileSync(join(DEV, 'tidegate.yaml'), configuration(ports))
  console.log('Starting Azurite, the demo API and the gateway ...')
  await Promise.all([children.start(azurite(ports, key, data)), children.start(demoApi(ports))])
  await children.start(gate())
  await putFirstBlob(key, ports.port, readFileSync(CA, 'utf8'))
  console.log(greeting({ ports, key, token: blobToken(key, new Date()), ca: CA, namesResolve: await resolves() }))
}

async function resolves(): Promise<boolean> {
  const names = [...SERVICES.map(storageHost), API_HOST]
  const found = await Promise.allSettled(names.map((name) => lookup(name)))
  return found.every(({ status }) => status === 'fulfilled')
}

/** Calls `stop` at the first signal or when the parent has gone, `kill` at a later one. */
function stopOnSignal(stop: () => void, kill: () => void): void {
  let since: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      since ??= Date.now()
      if (Date.now() - since > SAME_SIGNAL) kill()
      else stop()
    })
  }
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) stop()
  }, SAME_SIGNAL).unref()
}

const message = (error: unknown): string => error instanceof Error ? error.message : String(error)

try {
  await main()
} catch (error) {
  const misspelt = error instanceof TypeError && 'code' in error
  console.error(misspelt ? `${message(error)}. \`npm start -- --help\` shows the options.` : message(error))
  process.exitCode = 1
}
