// Cuts one direction of a connection into SMB frames. A frame in clear is passed on when it is whole and judged, a
// transform as soon as its header is judged (docs/spec/smb-guard.md section 4). Accepted bytes are passed on as slices of
// what arrived: nothing is edited, and only what is still to be judged is copied.
import type { Refusal } from '../refusal.ts'
import { PREFIX, TRANSFORM_HEADER } from './messages.ts'

/** A frame that does not pass. */
export interface Verdict {
  readonly refusal: Refusal
  /** What the guard tells the client before it closes; undefined where it resets. */
  readonly answer?: Buffer
}

/** How much of a frame must be there before it can be judged: all of it, or the header of a transform. */
export type Extent = 'whole' | 'header'

/** Judges the frames of one direction, in three steps. Each returns undefined, or an extent, for a frame that may go on. */
export interface Judge {
  /** The four bytes of the length are there. `first` is the byte that must be zero. */
  length(first: number, length: number): Verdict | undefined
  /** The protocol id is there as well. */
  id(id: number, length: number): Verdict | Extent
  /** A message in clear is whole. */
  message(bytes: Buffer): Verdict | undefined
  /** The header of a transform is there; its payload has `payload` bytes. */
  transform(header: Buffer, payload: number): Verdict | undefined
}

const NOTHING = Buffer.alloc(0)
const SMALLEST = 512
const ID = 4

export class FrameReader {
  readonly #judge: Judge
  readonly #pass: (bytes: Buffer) => void
  /** Of the accepted transform: bytes of its payload that are still to come. */
  #streaming = 0
  /** Bytes of the frame that is still to be judged, in front of a buffer that grows with them. */
  #held = NOTHING
  #heldLength = 0
  /** Bytes of that frame that must be there before the next step. */
  #wanted = 1
  #frames = 0

  /** `pass` is called with accepted bytes, in order. */
  constructor(judge: Judge, pass: (bytes: Buffer) => void) {
    this.#judge = judge
    this.#pass = pass
  }

  /** The number of frames that were accepted, which is the number of the next one, from 0. */
  get frames(): number {
    return this.#frames
  }

  /** No frame is half transferred. */
  get betweenFrames(): boolean {
    return this.#streaming === 0 && this.#heldLength === 0
  }

  /** Judges the next bytes and passes on what is accepted. Returns the verdict on the first frame that does not pass. */
  feed(chunk: Buffer): Verdict | undefined {
    let at = 0
    let passed = 0
    while (at < chunk.length) {
      if (this.#streaming > 0) {
        at += this.#stream(chunk.length - at)
        continue
      }
      if (this.#heldLength > 0) {
        const taken = this.#hold(chunk, at)
        at += taken
        passed = at
        const done = this.#judgeHeld()
        if (done !== undefined) return done
        continue
      }
      const accepted = this.#examine(chunk, at)
      if (typeof accepted !== 'number') {
        this.#forward(chunk, passed, at)
        return accepted
      }
      if (accepted === 0) break
      at += accepted
    }
    this.#forward(chunk, passed, at)
    if (at < chunk.length) this.#keep(chunk, at)
    return undefined
  }

  #stream(available: number): number {
    const taken = Math.min(this.#streaming, available)
    this.#streaming -= taken
    return taken
  }

  #forward(chunk: Buffer, from: number, to: number): void {
    if (to > from) this.#pass(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
  }

  /** Copies the start of a frame that cannot be judged yet. */
  #keep(chunk: Buffer, at: number): void {
    this.#hold(chunk, at, chunk.length - at)
  }

  /** Copies what is wanted of the frame that is held. Returns the number of bytes. */
  #hold(chunk: Buffer, at: number, most = this.#wanted - this.#heldLength): number {
    const taken = Math.min(most, chunk.length - at)
    const length = this.#heldLength + taken
    if (length > this.#held.length) this.#grow(length)
    chunk.copy(this.#held, this.#heldLength, at, at + taken)
    this.#heldLength = length
    return taken
  }

  /** Doubles the buffer, so that a frame that comes byte by byte is not copied once for each of them. */
  #grow(length: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(this.#wanted, Math.max(SMALLEST, length * 2))))
    this.#held.copy(grown, 0, 0, this.#heldLength)
    this.#held = grown
  }

  #judgeHeld(): Verdict | undefined {
    if (this.#heldLength < this.#wanted) return undefined
    const held = this.#held.subarray(0, this.#heldLength)
    const accepted = this.#examine(held, 0)
    if (typeof accepted !== 'number') return accepted
    if (accepted === 0) return undefined
    this.#held = NOTHING
    this.#heldLength = 0
    this.#pass(held)
    return undefined
  }

  /**
   * Judges the frame that begins at `at`. Returns how many of its bytes are accepted; 0 while there are too few, and
   * then sets how many are wanted.
   */
  #examine(bytes: Buffer, at: number): number | Verdict {
    const available = bytes.length - at
    const first = bytes[at] ?? 0
    if (available < PREFIX && first === 0) return this.#want(PREFIX)
    const length = available < PREFIX ? 0 : bytes.readUIntBE(at + 1, 3)
    const wrong = this.#judge.length(first, length)
    if (wrong !== undefined) return wrong
    if (available < PREFIX + ID) return this.#want(PREFIX + ID)
    const extent = this.#judge.id(bytes.readUInt32BE(at + PREFIX), length)
    if (typeof extent !== 'string') return extent
    return extent === 'whole' ? this.#examineMessage(bytes, at, length) : this.#examineTransform(bytes, at, length)
  }

  #examineMessage(bytes: Buffer, at: number, length: number): number | Verdict {
    if (bytes.length - at < PREFIX + length) return this.#want(PREFIX + length)
    const wrong = this.#judge.message(bytes.subarray(at + PREFIX, at + PREFIX + length))
    return wrong ?? this.#accept(PREFIX + length)
  }

  #examineTransform(bytes: Buffer, at: number, length: number): number | Verdict {
    const header = PREFIX + TRANSFORM_HEADER
    if (bytes.length - at < header) return this.#want(header)
    const wrong = this.#judge.transform(bytes.subarray(at + PREFIX, at + header), length - TRANSFORM_HEADER)
    if (wrong !== undefined) return wrong
    this.#streaming = length - TRANSFORM_HEADER
    return this.#accept(header)
  }

  #accept(bytes: number): number {
    this.#frames++
    this.#wanted = 1
    return bytes
  }

  #want(bytes: number): 0 {
    this.#wanted = bytes
    return 0
  }
}
