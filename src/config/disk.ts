// Reads the files of a configuration: regular ones only, each once, of bounded size, with a look at who else may read it.
import { access, constants, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

const LARGEST = 1_048_576
// K2 speaks of others. A group is left alone: it is how Kubernetes gives a mounted secret to a process that is not root.
const OTHERS = 0o006

export interface FileRead {
  readonly bytes: Buffer
  /** Others than owner and group may read or write it. */
  readonly exposed: boolean
}

/** Takes an absolute path. Gives the file, or in words why it cannot be read: the system's code, such as ENOENT. */
export async function readBounded(file: string): Promise<FileRead | string> {
  try {
    // Without O_NONBLOCK a pipe would keep us waiting for its writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const { mode, size } = await handle.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return (mode & constants.S_IFMT) === constants.S_IFDIR ? 'EISDIR' : 'not a regular file'
    if (size > LARGEST) return `more than ${LARGEST} bytes`
    return { bytes: await handle.readFile(), exposed: (mode & OTHERS) !== 0 }
  } catch (error) {
    return codeOf(error)
  }
}

const codeOf = (error: unknown): string => error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error'

/** Whether lines can be appended to a file, by its absolute path: in words why not, such as ENOENT; undefined where they can. */
export type Appendable = (file: string) => Promise<string | undefined>

/** Looks without changing anything: a file that is not there yet needs a folder that takes one. */
export const appendableHere: Appendable = async (file) => {
  try {
    const there = await stat(file).catch((error: unknown) => (codeOf(error) === 'ENOENT' ? undefined : Promise.reject(error)))
    if (there !== undefined && !there.isFile()) return 'not a regular file'
    await access(there === undefined ? dirname(file) : file, constants.W_OK)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** Reads one file by its absolute path, from the disk or from where it was kept. */
export type ReadFile = (file: string) => Promise<FileRead | string>

/** Takes absolute paths, some perhaps twice. Gives each file by its path. */
export async function readAll(files: Iterable<string>, readFile: ReadFile = readBounded): Promise<ReadonlyMap<string, FileRead | string>> {
  const read = [...new Set(files)].map(async (file) => [file, await readFile(file)] as const)
  return new Map(await Promise.all(read))
}
