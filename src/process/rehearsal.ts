// A rehearsal of the traffic, right after a worker's start: one request of each kind through parts built as the real ones are,
// against an upstream of its own. V8 compiles for what it has seen: on a worker that has served nothing but GETs the first
// upload, the first broken one and the first large download would each throw away dozens of compiled functions (decision 7).
import { createSecretKey, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import { loadConfig, type Loaded } from '../config/load.ts'
import { createTrafficMetrics } from '../observe/metrics.ts'
import type { Log } from '../observe/recorder.ts'
import { selfSigned, type SelfSigned } from '../tls/self-signed.ts'
import { buildParts, type Parts } from './build.ts'
import { addressText, portOf } from './messages.ts'
import { ACCOUNT, API_HOST, DOMAIN, SCENES, STORAGE_HOST, standIn, type Stage } from './rehearsal-scenes.ts'
import { listen, stop } from './traffic.ts'

/** A machine that is this slow is better left alone. */
const LONGEST_MS = 3000
const FAR_HOST = 'far.rehearsal.invalid'

export interface Circumstances {
  /** Where its lines go; nowhere, but in a test. */
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

/**
 * Plays all scenes, over the loopback interface alone, with a certificate and an account's key that are made for it and gone
 * with it. None of it is counted. Returns how many were played, when all is closed; what fails (no loopback interface, too slow a
 * machine) ends it without a word, since all that is lost is a little speed.
 */
export async function rehearse(circumstances: Circumstances): Promise<number> {
  const far = createServer(standIn)
  const built: Parts[] = []
  const end = (): void => clear(far, built)
  const timer = setTimeout(end, LONGEST_MS)
  timer.unref()
  let played = 0
  try {
    const stage = await setUp(far, built, circumstances)
    for (const scene of SCENES) {
      await scene(stage)
      played++
    }
    end()
    await built[0]?.app.close()
  } catch {
    end()
  } finally {
    clearTimeout(timer)
  }
  return played
}

/** Starts the upstream, and the gate before it. */
async function setUp(far: Server, built: Parts[], { log, wallClock, monotonic }: Circumstances): Promise<Stage> {
  const certificate = selfSigned([STORAGE_HOST, API_HOST, FAR_HOST], wallClock())
  const accountKey = randomBytes(32)
  far.setSecureContext(certificate)
  const loaded = await configure(certificate, accountKey, await listening(far), wallClock())
  const parts = await buildParts(loaded, { log, metrics: createTrafficMetrics({ ofProcess: false }), seed: randomBytes(10), ticketKeys: randomBytes(48), wallClock, monotonic })
  built.push(parts)
  const { tls } = await listen(parts, loaded.config, { ports: {}, shared: false })
  return { port: portOf(tls), certificate: certificate.cert, key: createSecretKey(accountKey) }
}

function clear(far: Server, built: readonly Parts[]): void {
  for (const parts of built) stop(parts)
  far.closeAllConnections()
  far.close()
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => resolve(portOf(addressText(server.address()))))
  })
}

/** A configuration that is in no file: one account, one API, one upstream. */
function configure({ cert, key }: SelfSigned, accountKey: Buffer, port: number, now: number): Promise<Loaded> {
  const upstream = { url: `https://${FAR_HOST}:${port}`, connect: `127.0.0.1:${port}`, ca: 'certificate' }
  const config = {
    listen: { tls: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } },
    tls: { certificates: [{ cert: 'certificate', key: 'private-key' }] },
    storage: { domain: DOMAIN, accounts: [{ name: ACCOUNT, keys: ['account-key'], blob: upstream }] },
    apis: [{ name: 'rehearsal', host: API_HOST, upstream }],
  }
  const files: Readonly<Record<string, string>> = { 'certificate': cert, 'private-key': key, 'account-key': accountKey.toString('base64'), 'rehearsal': JSON.stringify(config) }
  return loadConfig('rehearsal', {
    environment: {},
    now,
    read: (file) => Promise.resolve({ bytes: Buffer.from(files[file.slice(file.lastIndexOf('/') + 1)] ?? ''), exposed: false }),
    appendable: () => Promise.resolve(undefined),
  })
}
