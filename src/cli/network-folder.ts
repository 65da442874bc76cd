// The folder that `network write` writes: what is in it, and the files put there by rename.
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readBounded } from '../config/disk.ts'
import { foreignFiles, LIST, listText, readList, type Foreign } from '../network/written.ts'

/** Returns what keeps the folder from being written; empty where it was written. Rejects with the system's error. */
export async function writeFolder(folder: string, files: ReadonlyMap<string, string>): Promise<Foreign[]> {
  const held = await filesIn(folder)
  const list = readList(held.get(LIST)?.toString('utf8') ?? '') ?? new Map<string, string>()
  const foreign = foreignFiles(held, list, files)
  if (foreign.length > 0) return foreign
  for (const [name, content] of files) await put(join(folder, name), content, name.endsWith('.sh') ? 0o755 : 0o644)
  for (const name of list.keys()) if (held.has(name) && !files.has(name)) await rm(join(folder, name))
  await put(join(folder, LIST), listText(files), 0o644)
  return []
}

/** Every file by its path in the folder; undefined for what is no regular file of moderate size. */
async function filesIn(folder: string): Promise<ReadonlyMap<string, Buffer | undefined>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => absent(error))
  const held = entries.filter((entry) => !entry.isDirectory()).map(async (entry) => {
    const file = join(entry.parentPath, entry.name)
    const read = entry.isFile() ? await readBounded(file) : 'no file'
    return [file.slice(join(folder, '/').length), typeof read === 'string' ? undefined : read.bytes] as const
  })
  return new Map(await Promise.all(held))
}

function absent(error: unknown): [] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  throw error
}

async function put(file: string, content: string, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const beside = `${file}.new`
  await writeFile(beside, content, { mode })
  await rename(beside, file)
}
