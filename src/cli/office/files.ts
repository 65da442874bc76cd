// Files that `tidegate office` is given: requests, certificates, passphrases, the configuration.
import { readFileSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { SERVICE_NAMES } from '../../azure/services.ts'
import { ConfigFaults, loadConfig, type Loaded } from '../../config/load.ts'
import { OfficeFault } from '../../issuer/fault.ts'
import type { OwnNames } from '../../issuer/constraints.ts'
import { sayFindings } from '../voice.ts'

const LARGEST = 16 * 1024 * 1024
const PASSPHRASE_LIMIT = 1024

/** Returns the bytes of a file. Throws an OfficeFault where it cannot be read. */
export function readInput(file: string, what: string, limit = LARGEST): Buffer {
  try {
    if (statSync(file).size > limit) throw new OfficeFault(`${what} is longer than ${limit} bytes`)
    return readFileSync(file)
  } catch (error) {
    if (error instanceof OfficeFault) throw error
    throw new OfficeFault(`${what} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error'}`)
  }
}

/** Returns the passphrase of the file, without its last line break, or what is typed at the terminal. `twice` asks for it again. */
export async function readPassphrase(file: string | undefined, { twice = false }: { twice?: boolean } = {}): Promise<Buffer> {
  if (file !== undefined) return checked(readInput(file, 'the passphrase file', PASSPHRASE_LIMIT).toString('utf8').replace(/\r?\n$/, ''))
  if (!process.stdin.isTTY) throw new OfficeFault('a passphrase is needed: --passphrase-file FILE, or a terminal to type it')
  const typed = await ask('passphrase: ')
  if (twice && await ask('again: ') !== typed) throw new OfficeFault('the two passphrases differ')
  return checked(typed)
}

function checked(text: string): Buffer {
  if (text === '') throw new OfficeFault('the passphrase is empty')
  return Buffer.from(text, 'utf8')
}

/** Asks at the terminal; what is typed is not shown. */
async function ask(question: string): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await lines.question('')
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}

/** Returns a configuration that is in order. Throws an OfficeFault after telling its faults. */
export async function readConfiguration(file: string): Promise<Loaded> {
  try {
    return await loadConfig(file, { environment: process.env, now: Date.now() })
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error
    process.stderr.write(sayFindings(error, file))
    throw new OfficeFault('the configuration has faults')
  }
}

/** Returns the names of a configuration that a connect root may sign for. */
export function namesOf({ config: { storage, apis } }: Loaded): OwnNames {
  const apiHosts = [...new Set(apis.map(({ host }) => host))]
  if (storage === undefined) return { apiHosts }
  const accounts = storage.accounts.map((account) => ({ name: account.name, services: SERVICE_NAMES.filter((service) => account[service] !== undefined) }))
  return { storage: { domain: storage.domain, accounts }, apiHosts }
}
