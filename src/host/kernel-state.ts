// What the kernel knows of a connection and Node does not tell: how much it still holds for a peer that has not acknowledged it
// (a socket's own numbers end where the kernel takes the bytes, megabytes at a time: a slow reader would look like one that has
// stopped), and whether the peer has ended the connection itself or only its TLS.
import { readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/** Tables and the characters of an address with its port in them. */
const TABLES = [['/proc/self/net/tcp', 13], ['/proc/self/net/tcp6', 37]] as const
/** From the state on a line is the same in both: "st tx:rx tr:when retrnsmt", then user, timeout and inode of changing width. */
const QUEUED = 3
const QUEUED_END = 11
const RETRANSMITS_END = 41
const USER_TIMEOUT_INODE = / +\d+ +\d+ +(\d+)/y

/** TCP_TIME_WAIT: most lines of a busy system, and of no process any more. */
const TIME_WAIT = '06'
/** TCP_ESTABLISHED: neither side has sent its FIN. */
const ESTABLISHED = '01'

export interface KernelState {
  /** Bytes sent and not acknowledged. */
  readonly unacknowledged: number
  /** Neither side has ended the connection. */
  readonly established: boolean
}

interface Held { readonly _handle?: { readonly fd?: number } | null }

/** Returns the state of each of the connections that the system tells of; of none where it has no such tables. */
export async function readKernelState(sockets: readonly Socket[]): Promise<ReadonlyMap<Socket, KernelState>> {
  const byInode = new Map<string, Socket>()
  for (const socket of sockets) {
    const inode = inodeOf(socket)
    if (inode !== undefined) byInode.set(inode, socket)
  }
  const found = new Map<Socket, KernelState>()
  if (byInode.size === 0) return found
  await Promise.all(TABLES.map(async ([name, address]) => note(await readFile(name, 'latin1').catch(() => ''), address, byInode, found)))
  return found
}

/** Reads a table without making anything of the lines that are not asked for: there can be tens of thousands, and this is asked often. */
function note(table: string, address: number, byInode: ReadonlyMap<string, Socket>, found: Map<Socket, KernelState>): void {
  let line = table.indexOf('\n') + 1
  while (line > 0 && line < table.length) {
    // "sl: local remote st"
    const at = table.indexOf(':', line) + 2 * (address + 2)
    const state = table.slice(at, at + 2)
    const socket = state === TIME_WAIT ? undefined : byInode.get(inodeAt(table, at + RETRANSMITS_END))
    if (socket !== undefined) found.set(socket, { unacknowledged: Number.parseInt(table.slice(at + QUEUED, at + QUEUED_END), 16), established: state === ESTABLISHED })
    line = table.indexOf('\n', at) + 1
  }
}

function inodeAt(table: string, from: number): string {
  USER_TIMEOUT_INODE.lastIndex = from
  return USER_TIMEOUT_INODE.exec(table)?.[1] ?? ''
}

/** Of sockets that were asked for before: it stays the same. */
const inodes = new WeakMap<Socket, string>()

function inodeOf(socket: Socket & Held): string | undefined {
  const fd = socket._handle?.fd
  if (fd === undefined || fd < 0) return undefined
  let inode = inodes.get(socket)
  if (inode === undefined && (inode = readInode(fd)) !== undefined) inodes.set(socket, inode)
  return inode
}

function readInode(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  } catch {
    return undefined
  }
}
