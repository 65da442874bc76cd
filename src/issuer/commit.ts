// Changes several files at once. A kill, a full disk or a power cut leaves all of them as before or as after.
//
// New contents are written aside and synced. Then a journal names them; it appears by one rename, and from then on the change
// has happened. What follows only moves files into place, and the next command completes it where a kill came between.
import { closeSync, fsyncSync, lstatSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { OfficeFault } from './fault.ts'

const JOURNAL = '.commit'
const ASIDE = '.new'

export interface Change {
  /** Absolute path. */
  readonly path: string
  /** Undefined removes the file. */
  readonly contents: string | Buffer | undefined
  /** 0o644 unless given. */
  readonly mode?: number
}

type Move = { readonly path: string; readonly from: string } | { readonly path: string; readonly from?: never }

const asideOf = (path: string): string => join(dirname(path), `.${basename(path)}${ASIDE}`)

/** Makes the changes. Throws the system's error, or an OfficeFault, with nothing changed. `folder` keeps the journal. */
export function commit(folder: string, changes: readonly Change[]): void {
  for (const { path } of changes) checkTarget(path)
  const moves = changes.map(({ path, contents }): Move => (contents === undefined ? { path } : { path, from: asideOf(path) }))
  const journal = join(folder, JOURNAL)
  try {
    for (const { path, contents, mode = 0o644 } of changes) if (contents !== undefined) write(asideOf(path), contents, mode)
    write(asideOf(journal), JSON.stringify(moves), 0o600)
    renameSync(asideOf(journal), journal)
    syncFolder(folder)
  } catch (error) {
    if (!exists(journal)) for (const path of [...changes.map((change) => change.path), journal]) rmSync(asideOf(path), { force: true })
    throw error
  }
  complete(folder, moves)
}

/** Completes the change that a killed command had begun, or clears away what it had written aside. */
export function recover(folder: string): void {
  const moves = readJournal(join(folder, JOURNAL))
  if (moves !== undefined) complete(folder, moves)
  for (const name of readdirSync(folder)) if (ASIDE_NAME.test(name)) rmSync(join(folder, name), { force: true })
}

/** Tells whether a killed command has left something to complete. */
export const isUnfinished = (folder: string): boolean => exists(join(folder, JOURNAL))

/** What a killed command may leave in the folder. Other files with such an ending are not ours to remove. */
const ASIDE_NAME = /^\.(?:(?:root-\d+|connect-root)\.(?:pem|key)|(?:ca|crl)\.pem|index\.jsonl|\.commit)\.new$/

/** Tells whether a name in the folder holds no contents: leftovers of a killed command, the lock. */
export const isLeftover = (name: string): boolean => name === 'lock' || name.startsWith('lock.') || ASIDE_NAME.test(name)

function complete(folder: string, moves: readonly Move[]): void {
  for (const { path, from } of moves) {
    if (from === undefined) rmSync(path, { force: true })
    // Moved before the kill.
    else if (exists(from)) renameSync(from, path)
  }
  for (const each of new Set(moves.map(({ path }) => dirname(path)))) if (exists(each)) syncFolder(each)
  rmSync(join(folder, JOURNAL), { force: true })
  syncFolder(folder)
}

/** A rename onto a folder would fail after the point of no return. */
function checkTarget(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile() && !found.isSymbolicLink()) throw new OfficeFault(`${path} is not a file`)
}

function write(path: string, contents: string | Buffer, mode: number): void {
  rmSync(path, { force: true })
  // Exclusive: whoever else may write in the folder cannot have a link followed, or a key put into a file of their own.
  const file = openSync(path, 'wx', mode)
  try {
    const bytes = Buffer.from(contents)
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Without it a power cut may lose the names of files whose contents are safe. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function readJournal(path: string): Move[] | undefined {
  return exists(path) ? JSON.parse(readFileSync(path, 'utf8')) as Move[] : undefined
}

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
