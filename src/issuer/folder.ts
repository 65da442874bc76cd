// The folder of an authority (contract 10.6): what is in it, and how a command gets at it.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { commit, isLeftover, isUnfinished, recover, type Change } from './commit.ts'
import { OfficeFault } from './fault.ts'
import { takeLock } from './lock.ts'
import { parseFacts, type Fact } from './record.ts'

export interface RootFile {
  /** `root-1`, `connect-root`. */
  readonly name: string
  readonly certificate: X509Certificate
  readonly pem: string
  /** PEM, encrypted or not; undefined for a root that was imported. */
  readonly key: string | undefined
}

export interface Authority {
  readonly folder: string
  /** The oldest first. */
  readonly roots: readonly RootFile[]
  readonly connectRoot: RootFile | undefined
  readonly facts: readonly Fact[]
  /** Text of crl.pem. */
  readonly lists: string
}

const INDEX = 'index.jsonl'
const ROOT = /^root-(\d+)\.pem$/

/** Returns what the folder holds, after completing what a killed command had begun. Throws an OfficeFault where it is no authority. */
export async function readAuthority(directory: string): Promise<Authority> {
  const folder = resolve(directory)
  if (!existsSync(join(folder, INDEX)) && !(existsSync(folder) && isUnfinished(folder))) {
    throw new OfficeFault(`${directory} is no authority: make one with tidegate office init`)
  }
  return isUnfinished(folder) ? await withLock(folder, () => Promise.resolve(read(folder))) : read(folder)
}

/** Does `work` with the authority while no other command writes in the folder. */
export function changeAuthority<T>(directory: string, work: (authority: Authority) => Promise<T>): Promise<T> {
  const folder = resolve(directory)
  if (!existsSync(folder)) throw new OfficeFault(`${directory} is no authority: make one with tidegate office init`)
  return withLock(folder, () => {
    if (!existsSync(join(folder, INDEX))) throw new OfficeFault(`${directory} is no authority: make one with tidegate office init`)
    return work(read(folder))
  })
}

/** As `changeAuthority`, for a folder that is missing or empty, or, with `orExisting`, an authority already. */
export function startAuthority<T>(directory: string, orExisting: boolean, work: (authority: Authority) => Promise<T>): Promise<T> {
  const folder = resolve(directory)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return withLock(folder, () => {
    const isNew = !existsSync(join(folder, INDEX))
    if (!isNew && !orExisting) throw new OfficeFault(`${directory} holds an authority already`)
    if (isNew && readdirSync(folder).some((name) => !isLeftover(name))) throw new OfficeFault(`${directory} is not empty`)
    return work(isNew ? { folder, roots: [], connectRoot: undefined, facts: [], lists: '' } : read(folder))
  })
}

/** Makes changes in the folder, and of files elsewhere that belong with them. */
export function save({ folder }: Authority, changes: readonly Change[]): void {
  for (const { path } of changes) mkdirSync(resolve(path, '..'), { recursive: true })
  commit(folder, changes)
}

async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const release = await takeLock(join(folder, 'lock'))
  try {
    recover(folder)
    return await work()
  } finally {
    release()
  }
}

function read(folder: string): Authority {
  const numbers = readdirSync(folder).flatMap((name) => ROOT.exec(name)?.[1] ?? []).map(Number).toSorted((a, b) => a - b)
  const lists = join(folder, 'crl.pem')
  return {
    folder,
    roots: numbers.map((number) => rootFile(folder, `root-${number}`)),
    connectRoot: existsSync(join(folder, 'connect-root.pem')) ? rootFile(folder, 'connect-root') : undefined,
    facts: parseFacts(readFileSync(join(folder, INDEX), 'utf8')),
    lists: existsSync(lists) ? readFileSync(lists, 'utf8') : '',
  }
}

function rootFile(folder: string, name: string): RootFile {
  const key = join(folder, `${name}.key`)
  const certificate = parse(readFileSync(join(folder, `${name}.pem`)), name)
  return { name, certificate, pem: certificate.toString(), key: existsSync(key) ? readFileSync(key, 'utf8') : undefined }
}

function parse(bytes: Buffer, name: string): X509Certificate {
  try {
    return new X509Certificate(bytes)
  } catch {
    throw new OfficeFault(`${name}.pem holds no certificate that can be read`)
  }
}
