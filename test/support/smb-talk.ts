// A conversation through a guard without sockets: feeds each side, and keeps what passed.
import { Conversation } from '../../src/smb/conversation.ts'
import type { Rules } from '../../src/smb/dialects.ts'
import { FrameReader, type Verdict } from '../../src/smb/frames.ts'
import { chosen, loggedIn, negotiate, sessionSetup, STRICT } from './smb.ts'

export type Side = 'c' | 's'
export type Place = 'negotiate' | 'wait' | 'session' | 'login' | 'ready'

export const SESSION = 0x51n
export const OFFER = negotiate({ dialects: [0x0202, 0x0300, 0x0311], ciphers: [2, 1] })
export const CHOICE = chosen(0x0311, { ciphers: [2] })
export const MORE_PROCESSING_REQUIRED = 0xc0000016

const WAY: readonly (readonly [Place, Side, Buffer])[] = [
  ['wait', 'c', OFFER],
  ['session', 's', CHOICE],
  ['login', 'c', sessionSetup()],
  ['login', 's', loggedIn(SESSION, { status: MORE_PROCESSING_REQUIRED })],
  ['ready', 'c', sessionSetup(SESSION)],
  ['ready', 's', loggedIn(SESSION)],
]
const PLACES: readonly Place[] = ['negotiate', 'wait', 'session', 'login', 'ready']

export class Talk {
  readonly conversation: Conversation
  readonly passed: Record<Side, Buffer[]> = { c: [], s: [] }
  readonly readers: Readonly<Record<Side, FrameReader>>

  constructor(rules: Partial<Rules> = {}) {
    this.conversation = new Conversation({ ...STRICT, ...rules })
    this.readers = {
      c: new FrameReader(this.conversation.client, (bytes) => this.passed.c.push(Buffer.from(bytes))),
      s: new FrameReader(this.conversation.server, (bytes) => this.passed.s.push(Buffer.from(bytes))),
    }
  }

  /** Feeds bytes in pieces of `size`. Returns the first verdict. */
  send(side: Side, bytes: Buffer, size = bytes.length): Verdict | undefined {
    for (let at = 0; at < bytes.length; at += size) {
      const verdict = this.readers[side].feed(Buffer.from(bytes.subarray(at, at + size)))
      if (verdict !== undefined) return verdict
    }
    return undefined
  }

  /** Goes on until `place`. */
  to(place: Place): this {
    const wanted = PLACES.indexOf(place)
    for (const [reached, side, bytes] of WAY) {
      if (PLACES.indexOf(reached) > wanted) break
      const verdict = this.send(side, bytes)
      if (verdict !== undefined) throw verdict.refusal
    }
    return this
  }

  bytes(side: Side): Buffer {
    return Buffer.concat(this.passed[side])
  }
}

/** Returns a word for what becomes of a frame: `forward`, the reason with `reset`, or the reason with the status answered. */
export function outcome(verdict: Verdict | undefined): string {
  if (verdict === undefined) return 'forward'
  const { refusal: { reason }, answer } = verdict
  return `${reason} ${answer === undefined ? 'reset' : answer.readUInt32LE(12).toString(16)}`
}
