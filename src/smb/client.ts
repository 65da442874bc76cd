// Judges what the client sends: the first table of docs/spec/smb-guard.md section 4.
import type { Conversation } from './conversation.ts'
import { counts, SMB_3_1_1 } from './dialects.ts'
import { commandName, judgeId, judgeLength, judgeTransform, TRANSFORM_SESSION } from './form.ts'
import type { Extent, Judge, Verdict } from './frames.ts'
import {
  ACCESS_DENIED, asksForSmb2, CLEAR_ID, ClearMessage, ECHO, errorAnswer, HEADER, NEGOTIATE, NOT_SUPPORTED,
  readNegotiateRequest, SESSION_SETUP, SMB1_ID, TREE_CONNECT, type NegotiateRequest,
} from './messages.ts'
import { refused } from './verdict.ts'

const ECHO_LENGTH = HEADER + 4

export class ClientJudge implements Judge {
  readonly #state: Conversation

  constructor(state: Conversation) {
    this.#state = state
  }

  length(first: number, length: number): Verdict | undefined {
    return judgeLength(first, length, this.#state.phase === 'ready')
  }

  id(id: number, length: number): Verdict | Extent {
    if (id === SMB1_ID && this.#state.phase === 'negotiate') this.#state.smb1 = true
    if (id === SMB1_ID && this.#mayUpgrade()) return 'whole'
    const extent = judgeId(id, length)
    return extent === 'whole' && this.#mustWait() ? this.#tooEarly() : extent
  }

  message(bytes: Buffer): Verdict | undefined {
    if (bytes.readUInt32BE(0) !== CLEAR_ID) return this.#smb1(bytes)
    const message = new ClearMessage(bytes)
    if (message.structureSize !== HEADER) return refused('smb-framing', 'another StructureSize than 64')
    const { phase } = this.#state
    const negotiates = message.command === NEGOTIATE
    if (phase === 'negotiate' && !negotiates) return refused('smb-order', `${commandName(message.command)} before NEGOTIATE`)
    if (phase !== 'negotiate' && negotiates) return refused('smb-order', 'a second NEGOTIATE')
    if (message.isResponse) return refused('smb-order', 'a response from the client', errorAnswer(message, ACCESS_DENIED))
    if (message.nextCommand !== 0) return this.#inClear(message, 'a second command behind the first')
    return negotiates ? this.#negotiate(message) : this.#command(message)
  }

  transform(header: Buffer, payload: number): Verdict | undefined {
    const wrong = judgeTransform(header, payload)
    if (wrong !== undefined) return wrong
    if (this.#mustWait()) return this.#tooEarly()
    if (this.#state.sessions.isOpenAt(header, TRANSFORM_SESSION)) return undefined
    return refused('smb-order', 'encrypted for a session that is not logged in')
  }

  #mayUpgrade(): boolean {
    const { phase, upgraded, rules } = this.#state
    return phase === 'negotiate' && !upgraded && rules.smb1Upgrade
  }

  /** The server has not answered yet, so the client cannot know what to send. */
  #mustWait(): boolean {
    const { phase } = this.#state
    return phase === 'wait' || phase === 'upgrade' || phase === 'closing'
  }

  #tooEarly(): Verdict {
    return refused('smb-order', 'before the server has answered NEGOTIATE')
  }

  #smb1(bytes: Buffer): Verdict | undefined {
    if (!asksForSmb2(bytes)) return refused('smb-smb1', 'SMB 1 that does not ask for SMB 2')
    this.#state.upgraded = true
    this.#state.phase = 'upgrade'
    return undefined
  }

  #negotiate(message: ClearMessage): Verdict | undefined {
    const offer = readNegotiateRequest(message)
    if (offer === 'malformed') return refused('smb-framing', 'a malformed NEGOTIATE')
    this.#state.offer = offer
    const wrong = this.#judgeOffer(offer, message)
    if (wrong === undefined) this.#state.phase = 'wait'
    return wrong
  }

  #judgeOffer(offer: NegotiateRequest, message: ClearMessage): Verdict | undefined {
    const { rules } = this.#state
    if (!offer.dialects.some((dialect) => counts(dialect, rules))) {
      return refused('smb-dialect', 'no dialect that is allowed', errorAnswer(message, NOT_SUPPORTED))
    }
    const encrypts = offer.dialects.includes(SMB_3_1_1)
      ? (offer.ciphers ?? []).some((cipher) => rules.ciphers.has(cipher))
      : offer.canEncrypt
    if (encrypts) return undefined
    return refused('smb-no-encryption-offered', 'no cipher that is allowed', errorAnswer(message, NOT_SUPPORTED))
  }

  #command(message: ClearMessage): Verdict | undefined {
    const { sessions } = this.#state
    switch (message.command) {
      case SESSION_SETUP:
        return sessions.enter(message.sessionId) ? undefined : refused('smb-limit', 'sessions')
      case ECHO:
        return message.length === ECHO_LENGTH ? undefined : this.#inClear(message, 'ECHO of another length than 68')
      case TREE_CONNECT:
        return this.#treeConnect(message)
      default:
        return this.#inClear(message, commandName(message.command))
    }
  }

  /** With encryption share by share, the request that names the share goes in clear, signed. */
  #treeConnect(message: ClearMessage): Verdict | undefined {
    const { rules, sessions } = this.#state
    if (!rules.clearTreeConnect || !message.isSigned || !sessions.isOpen(message.sessionId)) {
      return this.#inClear(message, 'TREE_CONNECT')
    }
    this.#state.clearTrees++
    return undefined
  }

  #inClear(message: ClearMessage, why: string): Verdict {
    return refused('smb-clear-command', why, errorAnswer(message, ACCESS_DENIED))
  }
}
