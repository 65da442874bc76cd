// Adds lines to a small file so that a reader, and a crash, see the old contents or the new ones and nothing between: a
// temporary file beside it takes its place by rename. A lock file keeps two writers apart.
import { chmod, chown, link, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const LOCK_WAIT_MS = 5000
const LOCK_POLL_MS = 50
/** A lock this old belongs to a command that was killed: none holds it for more than a few milliseconds. */
const STALE_MS = 30_000

/** Why nothing was written, in words for people. */
export class NotWritten extends Error {}

/**
 * Replaces a file's text by what `change` makes of it; a missing file is made with `mode`. `change` returns undefined to
 * leave it as it is. Owner and mode stay. Rejects with NotWritten after five seconds of another writer's lock, and with the
 * system's own error otherwise.
 */
export async function rewriteFile(name: string, mode: number, change: (text: string | undefined) => string | undefined): Promise<void> {
  // The file itself, where the name is a link to it: a rename would put a plain file in the link's place.
  const file = await realpath(name).catch((error: unknown) => (isCode(error, 'ENOENT') ? name : Promise.reject(error)))
  const lock = `${file}.lock`
  await takeLock(lock)
  try {
    const before = await textOf(file)
    const after = change(before)
    if (after !== undefined && after !== before) await replace(file, after, mode)
  } finally {
    await unlink(lock).catch(() => {})
  }
}

async function replace(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.new`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await dress(temporary, file, mode)
    await rename(temporary, file)
    await syncFolder(dirname(file))
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

/** Owner and mode of the file that it replaces; a new one belongs to the folder's owner, or the gateway could not read it. */
async function dress(temporary: string, file: string, mode: number): Promise<void> {
  const old = await stat(file).catch(() => undefined)
  const model = old ?? await stat(dirname(file))
  const own = await stat(temporary)
  if (own.uid !== model.uid || own.gid !== model.gid) {
    const changed = await chown(temporary, model.uid, model.gid).then(() => true, () => false)
    if (!changed && old !== undefined) throw new NotWritten('the file belongs to another user: run the command as that user')
  }
  await chmod(temporary, old === undefined ? mode : old.mode & 0o777)
}

async function takeLock(lock: string): Promise<void> {
  const made = `${lock}.${process.pid}`
  const deadline = performance.now() + LOCK_WAIT_MS
  await (await open(made, 'w', 0o600)).close()
  try {
    while (!(await linked(made, lock))) {
      await dropStale(lock, made)
      if (performance.now() > deadline) throw new NotWritten(`another command holds ${lock}`)
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
    }
  } finally {
    await unlink(made).catch(() => {})
  }
}

/** A hard link is made by one of several writers only, on network file systems too. */
async function linked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(() => true, (error: unknown) => (isCode(error, 'EEXIST') ? false : Promise.reject(error)))
}

/** By the file system's clock: `made` is as old as this command's wish for the lock. */
async function dropStale(lock: string, made: string): Promise<void> {
  const held = await stat(lock).catch(() => undefined)
  const own = await stat(made)
  if (held !== undefined && own.mtimeMs - held.mtimeMs > STALE_MS) await unlink(lock).catch(() => {})
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: unknown) => (isCode(error, 'ENOENT') ? undefined : Promise.reject(error)))
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(join(folder, '.'), 'r')
  // Some file systems cannot sync a folder; the file is in its place all the same.
  await handle.sync().catch(() => {})
  await handle.close()
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
