// Development certificates: `node_modules/.bin/node scripts/make-certs.ts [DIR]` writes an authority and what it issued into
// certs/, or leaves what is there when all of it is good for another week.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority, type Wish } from '../test/support/authority.ts'

const SERVICES = ['blob', 'dfs', 'file', 'queue', 'table']
const NAMES = ['localhost', ...SERVICES.map((service) => `*.${service}.localhost`), 'api.localhost', '127.0.0.1', '::1']
const DAYS = 365
const WEEK = 7 * 86_400_000

const LEAVES: Readonly<Record<string, Wish>> = {
  gateway: { names: NAMES, days: DAYS },
  'gateway-rsa': { names: NAMES, days: DAYS, key: 'rsa2048' },
  upstream: { names: NAMES, days: DAYS },
}

/** Makes what is missing in the folder, unfit or near its end, all of it anew. Returns whether it had to. */
export async function makeCerts(folder: string): Promise<boolean> {
  if (areGood(folder, new Date(Date.now() + WEEK))) return false
  mkdirSync(folder, { recursive: true })
  const authority = await createAuthority({ name: 'Tidegate development CA', days: DAYS })
  writeFileSync(join(folder, 'ca.pem'), authority.pem)
  writeSecret(join(folder, 'ca.key'), authority.key)
  for (const [name, wish] of Object.entries(LEAVES)) {
    // oxlint-disable-next-line no-await-in-loop -- three, once a year
    const { cert, key } = await authority.issue(wish)
    writeFileSync(join(folder, `${name}.pem`), cert)
    writeSecret(join(folder, `${name}.key`), key)
  }
  return true
}

function areGood(folder: string, at: Date): boolean {
  try {
    const ca = readPair(folder, 'ca')
    return ca.validToDate > at && Object.keys(LEAVES).every((name) => isGood(readPair(folder, name), ca, at))
  } catch {
    return false
  }
}

function isGood(certificate: X509Certificate, ca: X509Certificate, at: Date): boolean {
  return certificate.validToDate > at && certificate.verify(ca.publicKey) && NAMES.every((name) => covers(certificate, name))
}

// A wildcard is asked for with a label in its place.
function covers(certificate: X509Certificate, name: string): boolean {
  return (certificate.checkHost(name.replace('*', 'x')) ?? certificate.checkIP(name)) !== undefined
}

/** Returns the certificate; throws unless it and its key can be read and fit. */
function readPair(folder: string, name: string): X509Certificate {
  const certificate = new X509Certificate(readFileSync(join(folder, `${name}.pem`)))
  const key = createPrivateKey(readFileSync(join(folder, `${name}.key`)))
  if (!certificate.checkPrivateKey(key)) throw new Error(`${name}.key is not the key of ${name}.pem`)
  return certificate
}

// A file that is there keeps its mode when it is written, so the mode is set by a new file.
function writeSecret(file: string, content: string): void {
  rmSync(file, { force: true })
  writeFileSync(file, content, { mode: 0o600, flag: 'wx' })
}

if (import.meta.main) {
  const folder = process.argv[2] ?? join(import.meta.dirname, '..', 'certs')
  console.log(await makeCerts(folder) ? `made new development certificates in ${folder}` : `the development certificates in ${folder} are good for more than a week`)
}
