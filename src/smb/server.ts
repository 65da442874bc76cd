// Judges what the server sends: the second table of docs/spec/smb-guard.md section 4. What stays in clear inside an
// encrypted session is listed in section 3.1: answers to logins and ECHO, breaks of oplocks and leases, and a few errors.
import type { Conversation } from './conversation.ts'
import { AES_128_CCM, counts, SMB_3_1_1, WILDCARD } from './dialects.ts'
import { commandName, judgeId, judgeLength, judgeTransform, TRANSFORM_SESSION } from './form.ts'
import type { Extent, Judge, Verdict } from './frames.ts'
import {
  ACCESS_DENIED, ClearMessage, ECHO, HEADER, NEGOTIATE, OPLOCK_BREAK, PENDING, readNegotiateResponse, SESSION_SETUP,
  SUCCESS, TREE_CONNECT, type NegotiateResponse,
} from './messages.ts'
import { refused } from './verdict.ts'

const USER_SESSION_DELETED = 0xc0000203
const NETWORK_SESSION_EXPIRED = 0xc000035c
const REQUEST_NOT_ACCEPTED = 0xc00000d0
/** A server that has lost a session cannot encrypt that it has. */
const ERRORS_IN_CLEAR = new Set([USER_SESSION_DELETED, NETWORK_SESSION_EXPIRED, ACCESS_DENIED, REQUEST_NOT_ACCEPTED])

const ECHO_LENGTH = HEADER + 4
const TREE_LENGTH = HEADER + 16
/** The StructureSize of a notification of an oplock break and of a lease break; the body has that length. */
const BREAKS = new Set([24, 44])

const GUEST_OR_ANONYMOUS = 3
const ENCRYPT_DATA = 0x8000

export class ServerJudge implements Judge {
  readonly #state: Conversation

  constructor(state: Conversation) {
    this.#state = state
  }

  length(first: number, length: number): Verdict | undefined {
    return judgeLength(first, length, this.#state.phase === 'ready')
  }

  id(id: number, length: number): Verdict | Extent {
    return judgeId(id, length)
  }

  message(bytes: Buffer): Verdict | undefined {
    const message = new ClearMessage(bytes)
    const { phase } = this.#state
    const answersNegotiate = message.command === NEGOTIATE
    if (message.structureSize !== HEADER) return refused('smb-framing', 'another StructureSize than 64')
    if (!message.isResponse) return refused('smb-order', 'a request from the server')
    if (phase === 'closing' || phase === 'negotiate') return refused('smb-order', 'nothing was asked')
    if (answersNegotiate !== (phase === 'wait' || phase === 'upgrade')) {
      return refused('smb-order', `${commandName(message.command)} ${answersNegotiate ? 'again' : 'before NEGOTIATE'}`)
    }
    if (message.nextCommand !== 0) return refused('smb-clear-command', 'a second command behind the first')
    return answersNegotiate ? this.#negotiate(message) : this.#command(message)
  }

  transform(header: Buffer, payload: number): Verdict | undefined {
    const wrong = judgeTransform(header, payload)
    if (wrong !== undefined) return wrong
    if (this.#state.sessions.isOpenAt(header, TRANSFORM_SESSION)) return undefined
    return refused('smb-order', 'encrypted for a session that is not logged in')
  }

  #negotiate(message: ClearMessage): Verdict | undefined {
    if (message.isError) {
      this.#state.phase = 'closing'
      return undefined
    }
    const choice = message.status === SUCCESS ? readNegotiateResponse(message) : 'malformed'
    if (choice === 'malformed') return refused('smb-framing', 'a malformed answer to NEGOTIATE')
    return this.#state.phase === 'upgrade' ? this.#upgrade(choice) : this.#agree(choice)
  }

  #upgrade({ dialect }: NegotiateResponse): Verdict | undefined {
    if (dialect !== WILDCARD) return refused('smb-dialect', 'an answer to SMB 1 that does not ask to negotiate again')
    this.#state.phase = 'negotiate'
    return undefined
  }

  #agree({ dialect, ciphers, canEncrypt }: NegotiateResponse): Verdict | undefined {
    const { rules, offer } = this.#state
    if (!counts(dialect, rules)) return refused('smb-dialect', 'the server chose a dialect that is not allowed')
    if (offer?.dialects.includes(dialect) !== true) {
      return refused('smb-dialect', 'the server chose a dialect that was not offered')
    }
    const cipher = dialect === SMB_3_1_1 ? this.#cipherOf(ciphers) : canEncrypt ? AES_128_CCM : undefined
    if (cipher === undefined) return refused('smb-no-encryption-agreed', 'the server chose no cipher that is allowed')
    Object.assign(this.#state, { dialect, cipher, phase: 'session' })
    return undefined
  }

  /** The one cipher that the server names, where it is allowed and was offered; 0 stands for none in common. */
  #cipherOf(named: readonly number[] = []): number | undefined {
    const { rules, offer } = this.#state
    const [cipher = 0, ...more] = named
    return more.length === 0 && rules.ciphers.has(cipher) && offer?.ciphers?.includes(cipher) === true ? cipher : undefined
  }

  #command(message: ClearMessage): Verdict | undefined {
    if (message.command === SESSION_SETUP) return this.#sessionSetup(message)
    if (message.command === ECHO && message.length === ECHO_LENGTH) return undefined
    if (message.command === OPLOCK_BREAK && this.#isBreak(message)) return undefined
    if (message.isBareError && ERRORS_IN_CLEAR.has(message.status)) return undefined
    if (message.command === TREE_CONNECT && this.#state.clearTrees > 0) return this.#treeConnect(message)
    return refused('smb-clear-command', commandName(message.command))
  }

  #sessionSetup(message: ClearMessage): Verdict | undefined {
    const { sessions } = this.#state
    const { status, sessionId } = message
    if (status === PENDING && message.isBareError) return undefined
    if (status !== SUCCESS && !message.isError) return refused('smb-clear-command', 'SESSION_SETUP with an odd status')
    if (status !== SUCCESS) return sessions.enter(sessionId) ? undefined : refused('smb-limit', 'sessions')
    const flags = message.bodyUInt16(2)
    if (flags === undefined) return refused('smb-framing', 'a malformed answer to SESSION_SETUP')
    if ((flags & GUEST_OR_ANONYMOUS) !== 0) return refused('smb-guest', 'a session without keys')
    if (!sessions.open(sessionId)) return refused('smb-limit', 'sessions')
    this.#state.logins++
    this.#state.phase = 'ready'
    return undefined
  }

  /** Servers break oplocks and leases in clear, whatever was agreed; the notification names a file id and no data. */
  #isBreak(message: ClearMessage): boolean {
    const size = message.bodySize
    return this.#state.phase === 'ready' && message.isUnsolicited && BREAKS.has(size) && message.length === HEADER + size
  }

  #treeConnect(message: ClearMessage): Verdict | undefined {
    if (message.status === PENDING && message.isBareError) return undefined
    this.#state.clearTrees--
    if (message.isError && message.isBareError) return undefined
    if (message.status !== SUCCESS || message.length !== TREE_LENGTH) return refused('smb-clear-command', 'TREE_CONNECT')
    const encrypts = ((message.bodyUInt32(4) ?? 0) & ENCRYPT_DATA) !== 0
    return encrypts ? undefined : refused('smb-no-encryption-agreed', 'the share does not ask for encryption')
  }
}
