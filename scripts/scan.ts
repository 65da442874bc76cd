// `npm run scan`: testssl.sh and sslscan (Debian) against a gateway that runs with development certificates of both kinds.
// Fails on any finding worse than OK that scripts/scan/findings.ts does not explain, and on a grade below the best.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { makeCerts } from './make-certs.ts'
import { sslscanFindings, verdictOf, type Finding, type Verdict } from './scan/findings.ts'

const MAIN = join(import.meta.dirname, '../src/cli/main.ts')
const WITH_PARENT = pathToFileURL(join(import.meta.dirname, 'dev/with-parent.ts')).href
const NAME = 'api.localhost'
const BEST = 'A+'
const READY_WITHIN = 30_000
/** For one scanner: the whole of testssl.sh takes two minutes on two cores. */
const SCAN_WITHIN = 900_000

const USAGE = `npm run scan -- [sections of testssl.sh, e.g. -p -S]

    Without sections: all of testssl.sh, with its grade, and sslscan.
`

async function main(sections: readonly string[]): Promise<number> {
  if (sections.includes('--help')) return say(0, USAGE)
  const tools = ['testssl', 'sslscan'].filter((tool) => spawnSync('which', [tool]).status === 0)
  if (tools.length === 0) return say(2, 'neither testssl.sh nor sslscan is installed: apt-get install testssl.sh sslscan')
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-scan-'))
  await makeCerts(folder)
  const upstream = await startUpstream(folder)
  const gate = startGate(configuration(folder, portOf(upstream)))
  try {
    const port = await listening(gate)
    const found = [...(tools.includes('testssl') ? await testssl(folder, port, sections) : []), ...(tools.includes('sslscan') ? await sslscan(folder, port) : [])]
    return report(verdictOf(found), tools, tools.includes('testssl') && sections.length === 0)
  } finally {
    await stop(gate)
    upstream.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Something that answers 200: what a scanner sees then is the gateway's ordinary reply. */
async function startUpstream(folder: string): Promise<Server> {
  const pair = { cert: readFileSync(join(folder, 'upstream.pem')), key: readFileSync(join(folder, 'upstream.key')) }
  const server = createServer(pair, (_request, reply) => reply.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

/** Writes the configuration; returns the file's name. YAML reads JSON. */
function configuration(folder: string, upstream: number): string {
  const file = join(folder, 'tidegate.yaml')
  const own = ['gateway', 'gateway-rsa'].map((name) => ({ cert: `${name}.pem`, key: `${name}.key` }))
  const here = { host: '127.0.0.1', port: 0 }
  writeFileSync(file, JSON.stringify({ listen: { tls: here, admin: here }, tls: { certificates: own }, apis: [{ name: 'scan', host: NAME, upstream: `https://127.0.0.1:${upstream}`, ca: 'ca.pem' }] }))
  return file
}

/** Ends with us, whatever ends us. */
function startGate(file: string): ChildProcess {
  return spawn(process.execPath, ['--import', WITH_PARENT, MAIN, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TIDEGATE_DEV_PARENT: String(process.pid) },
  })
}

/** The port of the TLS listener, once it is there. Rejects when the gateway ends or says nothing. */
function listening(gate: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the gateway was not ready')), READY_WITHIN)
    gate.once('close', () => reject(new Error('the gateway ended')))
    if (gate.stdout === null) return
    // All lines are read, so that the gateway never waits for a full pipe.
    createInterface({ input: gate.stdout }).on('line', (line) => {
      const port = /"tls":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(Number(port))
    })
  })
}

async function testssl(folder: string, port: number, sections: readonly string[]): Promise<Finding[]> {
  const file = join(folder, 'testssl.json')
  const args = ['--quiet', '--warnings', 'batch', '--color', '0', '--nodns', 'none', '--ip', '127.0.0.1', '--add-ca', join(folder, 'ca.pem'), '--jsonfile', file, ...sections, `${NAME}:${port}`]
  await run('testssl', args, folder)
  return JSON.parse(readFileSync(file, 'utf8')) as Finding[]
}

async function sslscan(folder: string, port: number): Promise<Finding[]> {
  const file = join(folder, 'sslscan.xml')
  await run('sslscan', ['--no-colour', `--sni-name=${NAME}`, `--xml=${file}`, `127.0.0.1:${port}`], folder)
  return sslscanFindings(readFileSync(file, 'utf8'))
}

/** Beside us, not instead of us: the upstream answers in this process. */
async function run(tool: string, args: readonly string[], folder: string): Promise<void> {
  const child = spawn(tool, args, { stdio: ['ignore', 'inherit', 'inherit'], timeout: SCAN_WITHIN, cwd: folder })
  await once(child, 'close')
}

async function stop(gate: ChildProcess): Promise<void> {
  if (gate.exitCode !== null || gate.signalCode !== null) return
  gate.kill('SIGTERM')
  await once(gate, 'close')
}

/** Prints the verdict; returns the exit code. A grade is asked for only where all sections ran. */
function report({ bad, explained, grade, count }: Verdict, tools: readonly string[], graded: boolean): number {
  console.log(`\n${count} findings of ${tools.join(' and ')}${tools.length === 2 ? '' : ' (the other is not installed)'}.`)
  for (const { severity, id, finding, why } of explained) console.log(`  explained  ${severity} ${id}: ${finding}\n             ${why}`)
  for (const { severity, id, finding } of bad) console.log(`  BAD        ${severity} ${id}: ${finding}`)
  if (graded) console.log(`Grade: ${grade ?? 'none'}; the best is ${BEST}.`)
  return bad.length > 0 || (graded && grade !== BEST) ? 1 : 0
}

function say(code: number, text: string): number {
  console.log(text)
  return code
}

process.exitCode = await main(process.argv.slice(2))
