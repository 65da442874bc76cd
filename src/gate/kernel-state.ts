// What the kernel knows of a connection and Node does not tell: how much it still holds for a peer that has not acknowledged it
// (a socket's own numbers end where the kernel takes the bytes, megabytes at a time: a slow reader would look like one that has
// stopped), and whether the peer has ended the connection itself or only its TLS.
import { readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6']
/** Columns of a table's line: the state, "tx:rx" queues in hexadecimal, and the inode. */
const STATE = 3
const QUEUES = 4
const INODE = 9

/** TCP_ESTABLISHED: neither side has sent its FIN. */
const ESTABLISHED = '01'

export interface KernelState {
  /** Bytes sent and not acknowledged. */
  readonly unacknowledged: number
  /** Neither side has ended the connection. */
  readonly established: boolean
}

interface Held { readonly _handle?: { readonly fd?: number } | null }

/** Gives the state of each of the connections that the system tells of; of none where it has no such tables. */
export async function readKernelState(sockets: readonly Socket[]): Promise<ReadonlyMap<Socket, KernelState>> {
  const byInode = new Map<string, Socket>()
  for (const socket of sockets) {
    const inode = inodeOf(socket)
    if (inode !== undefined) byInode.set(inode, socket)
  }
  const found = new Map<Socket, KernelState>()
  if (byInode.size === 0) return found
  for (const table of await Promise.all(TABLES.map((name) => readFile(name, 'latin1').catch(() => '')))) note(table, byInode, found)
  return found
}

function note(table: string, byInode: ReadonlyMap<string, Socket>, found: Map<Socket, KernelState>): void {
  for (const line of table.split('\n')) {
    const columns = line.trim().split(/ +/)
    const socket = byInode.get(columns[INODE] ?? '')
    if (socket !== undefined) found.set(socket, { unacknowledged: Number.parseInt(columns[QUEUES] ?? '', 16), established: columns[STATE] === ESTABLISHED })
  }
}

function inodeOf(socket: Socket & Held): string | undefined {
  const fd = socket._handle?.fd
  if (fd === undefined || fd < 0) return undefined
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  } catch {
    return undefined
  }
}
