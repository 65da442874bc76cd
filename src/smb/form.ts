// What both sides' frames have in common: the length, the protocol id and the form of a transform header
// (docs/spec/smb-guard.md sections 2 and 4). Where two reasons fit, the earlier check decides: length, id, order, content.
import type { Extent, Verdict } from './frames.ts'
import { CLEAR_ID, COMPRESSED_ID, HEADER, SMB1_ID, TRANSFORM_HEADER, TRANSFORM_ID } from './messages.ts'
import { refused } from './verdict.ts'

/** A frame in clear is never longer, and before a login no frame is. */
export const CLEAR_LIMIT = 128 * 1024
/** The tag of AES-GCM and AES-CCM is in the header, but nothing shorter than a block carries a message. */
const SMALLEST_PAYLOAD = 16
const SHORTEST = 4

/** Judges the first byte and the length. `ready` is whether a login has succeeded. */
export function judgeLength(first: number, length: number, ready: boolean): Verdict | undefined {
  if (first !== 0) return refused('smb-framing', 'the first byte is not 0')
  if (length < SHORTEST) return refused('smb-framing', 'shorter than a protocol id')
  if (!ready && length > CLEAR_LIMIT) return refused('smb-framing', 'longer than 128 KiB before a login')
  return undefined
}

/** Judges the protocol id, and the length that it implies. */
export function judgeId(id: number, length: number): Verdict | Extent {
  switch (id) {
    case CLEAR_ID:
      if (length > CLEAR_LIMIT) return refused('smb-framing', 'in clear and longer than 128 KiB')
      return length < HEADER ? refused('smb-framing', 'shorter than its header') : 'whole'
    case TRANSFORM_ID:
      return length < TRANSFORM_HEADER ? refused('smb-framing', 'shorter than its header') : 'header'
    case SMB1_ID:
      return refused('smb-smb1', 'SMB 1')
    case COMPRESSED_ID:
      return refused('smb-clear-command', 'compressed in clear')
    default:
      return refused('smb-framing', 'not SMB')
  }
}

const SIZE = 36
const FLAGS = 42

/** Judges the form of a transform header: what an endpoint would reject before it decrypts ([MS-SMB2] 2.2.41). */
export function judgeTransform(header: Buffer, payload: number): Verdict | undefined {
  if (header.readUInt16LE(FLAGS) !== 1) return refused('smb-framing', 'a transform whose flags are not 1')
  if (header.readUInt32LE(SIZE) !== payload) return refused('smb-framing', 'a transform of another size than it says')
  return payload < SMALLEST_PAYLOAD ? refused('smb-framing', 'a transform without payload') : undefined
}

/** Where a transform header has the id of its session. */
export const TRANSFORM_SESSION = 44

const COMMANDS: readonly string[] = [
  'NEGOTIATE', 'SESSION_SETUP', 'LOGOFF', 'TREE_CONNECT', 'TREE_DISCONNECT', 'CREATE', 'CLOSE', 'FLUSH', 'READ', 'WRITE',
  'LOCK', 'IOCTL', 'CANCEL', 'ECHO', 'QUERY_DIRECTORY', 'CHANGE_NOTIFY', 'QUERY_INFO', 'SET_INFO', 'OPLOCK_BREAK',
  'SERVER_TO_CLIENT_NOTIFICATION',
]

/** Returns the name of a command for the log. */
export function commandName(command: number): string {
  return COMMANDS[command] ?? `command ${command}`
}
