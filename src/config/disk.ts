// Reads the files of a configuration: regular ones only, each once, of bounded size, with a look at who else may read it.
import { access, constants, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Bytes that a file of the configuration may have. */
export const LARGEST = 1_048_576
// K2 speaks of others. A group is left alone: it is how Kubernetes gives a mounted secret to a process that is not root.
const OTHERS = 0o006

export interface FileRead {
  readonly bytes: Buffer
  /** Others than owner and group may read or write it. */
  readonly exposed: boolean
}

/** Returns the file at an absolute path, or in words why it cannot be read, such as `does not exist`. `limit` in bytes. */
export async function readBounded(file: string, limit = LARGEST): Promise<FileRead | string> {
  try {
    // Without O_NONBLOCK a pipe would keep us waiting for its writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const { mode, size } = await handle.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return (mode & constants.S_IFMT) === constants.S_IFDIR ? 'is a directory' : 'is not a regular file'
    if (size > limit) return `has more than ${limit} bytes`
    return { bytes: await handle.readFile(), exposed: (mode & OTHERS) !== 0 }
  } catch (error) {
    return systemWords(error)
  }
}

const codeOf = (error: unknown): string => error instanceof Error && 'code' in error ? String(error.code) : ''

/** People read these; the codes are the system's (errno(3)). */
const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory',
  ENOTDIR: 'does not exist',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'is on a read-only file system',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'does not exist',
  EMFILE: 'cannot be opened: too many open files',
  ENFILE: 'cannot be opened: too many open files in the system',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EIO: 'input/output error',
  ENXIO: 'is a pipe or device that nothing reads',
  EBUSY: 'is busy',
  ETXTBSY: 'is busy',
}

/** What is only said of a file that is there. */
const OF_WHAT_EXISTS = /^(?:is|has) /

/**
 * Returns what a fault says about a file that cannot be read. It has the file's name only if the file exists: people paste
 * secrets where the name of a file belongs, and those must not come back.
 */
export function foundFile(file: string, words: string): string {
  return OF_WHAT_EXISTS.test(words) ? `${file}: ${words}` : words
}

/** Returns an error of the system in words that follow the name of a file: `does not exist`. */
export function systemWords(error: unknown): string {
  const code = codeOf(error)
  return SYSTEM_WORDS[code] ?? (code === '' ? 'cannot be used: unknown error' : `cannot be used (${code})`)
}

/** Says why no lines can be appended to the file of that absolute path, such as `permission denied`; undefined where they can. */
export type Appendable = (file: string) => Promise<string | undefined>

/** Looks without changing anything: a file that is not there yet needs a folder that takes one. */
export const appendableHere: Appendable = async (file) => {
  try {
    const there = await stat(file).catch((error: unknown) => (codeOf(error) === 'ENOENT' ? undefined : Promise.reject(error)))
    if (there !== undefined && !there.isFile()) return there.isDirectory() ? 'is a directory' : 'is not a regular file'
    await access(there === undefined ? dirname(file) : file, constants.W_OK)
    return undefined
  } catch (error) {
    return systemWords(error)
  }
}

/** Reads one file by its absolute path, from the disk or from where it was kept. */
export type ReadFile = (file: string) => Promise<FileRead | string>

/** Given absolute paths, some perhaps twice, returns each file by its path. */
export async function readAll(files: Iterable<string>, readFile: ReadFile = readBounded): Promise<ReadonlyMap<string, FileRead | string>> {
  const read = [...new Set(files)].map(async (file) => [file, await readFile(file)] as const)
  return new Map(await Promise.all(read))
}
