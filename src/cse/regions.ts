// Content of protocol 2: regions of nonce, ciphertext and tag, one after the other, and the order of their nonces
// (spec/client-side-encryption.md 4). No byte of a region is given out before its tag and its nonce's place are checked.
import { createCipheriv, createDecipheriv, type CipherGCM, type DecipherGCM } from 'node:crypto'
import { refuseCode } from '../refusal.ts'

export const NONCE_LENGTH = 12
export const TAG_LENGTH = 16
/** Stored bytes of a region beside its content. */
export const OVERHEAD = NONCE_LENGTH + TAG_LENGTH

const CIPHER = 'aes-256-gcm'

/** Returns the stored length of `plain` bytes in regions of `regionLength`. */
export function storedLength(plain: number, regionLength: number): number {
  return plain + OVERHEAD * Math.ceil(plain / regionLength)
}

/** Returns the plaintext length of `stored` bytes; undefined where no plaintext gives that length. */
export function plainLength(stored: number, regionLength: number): number | undefined {
  const whole = regionLength + OVERHEAD
  const rest = stored % whole
  // A lone region without content authenticates nothing but its key; some writer may have made one (spec 4).
  if (stored === OVERHEAD) return 0
  return rest > 0 && rest <= OVERHEAD ? undefined : stored - OVERHEAD * Math.ceil(stored / whole)
}

type Scheme = (index: bigint, nonce: Buffer) => void

/** How each SDK counts: Python, Java, .NET (spec 4.1). */
const SCHEMES: readonly Scheme[] = [
  (index, nonce) => void nonce.writeBigUInt64BE(index, 4),
  (index, nonce) => void nonce.writeBigUInt64BE(index, 0),
  (index, nonce) => void nonce.writeBigUInt64LE(index + 1n, 4),
]

/** Returns the nonce of the region at `index` as the gateway writes it: Python's. */
export function nonceAt(index: number, scheme = 0): Buffer {
  const nonce = Buffer.alloc(NONCE_LENGTH)
  SCHEMES[scheme]?.(BigInt(index), nonce)
  return nonce
}

/** The schemes that the regions of one read still allow. */
export class NonceOrder {
  #possible = [0, 1, 2]

  /** Returns whether a region's nonce fits its place in one scheme for all regions so far. */
  accept(nonce: Buffer, index: number): boolean {
    this.#possible = this.#possible.filter((scheme) => nonceAt(index, scheme).equals(nonce))
    return this.#possible.length > 0
  }
}

/** Encrypts one blob as its plaintext arrives. */
export class Sealer {
  readonly #key: Buffer
  readonly #regionLength: number
  #index = 0
  #left = 0
  #cipher: CipherGCM | undefined

  constructor(key: Buffer, regionLength: number) {
    this.#key = key
    this.#regionLength = regionLength
  }

  /** Returns the stored bytes that more plaintext gives. The tag of a region comes with the first byte after it. */
  update(plain: Buffer): Buffer[] {
    const out: Buffer[] = []
    for (let at = 0; at < plain.length;) {
      if (this.#left === 0) this.#begin(out)
      const piece = plain.subarray(at, at + this.#left)
      const sealed = this.#cipher?.update(piece)
      if (sealed !== undefined) out.push(sealed)
      this.#left -= piece.length
      at += piece.length
    }
    return out
  }

  /** Returns what ends the last region: nothing for an empty blob. */
  end(): Buffer[] {
    const out: Buffer[] = []
    this.#finish(out)
    return out
  }

  #begin(out: Buffer[]): void {
    this.#finish(out)
    const nonce = nonceAt(this.#index++)
    this.#cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_LENGTH })
    this.#left = this.#regionLength
    out.push(nonce)
  }

  #finish(out: Buffer[]): void {
    const cipher = this.#cipher
    if (cipher === undefined) return
    this.#cipher = undefined
    cipher.final()
    out.push(cipher.getAuthTag())
  }
}

/** What an opener reads. */
export interface Extent {
  /** Index of the first region. */
  readonly first: number
  /** Stored bytes from its beginning on. */
  readonly stored: number
  readonly regionLength: number
}

/** Decrypts consecutive regions as their stored bytes arrive. */
export class Opener {
  readonly #key: Buffer
  readonly #order = new NonceOrder()
  readonly #regionLength: number
  #index: number
  /** Stored bytes that are still to come, and those of the region under way. */
  #left: number
  #content = 0
  #decipher: DecipherGCM | undefined
  #frame: Buffer[] = []
  #framed = 0
  #plain: Buffer[] = []

  constructor(key: Buffer, { first, stored, regionLength }: Extent) {
    this.#key = key
    this.#index = first
    this.#left = stored
    this.#regionLength = regionLength
  }

  /** Returns whether every stored byte has come and was checked. */
  get done(): boolean {
    return this.#left === 0
  }

  /** The region that is being read. */
  get region(): number {
    return this.#index
  }

  /**
   * Reads stored bytes and calls `region` with the pieces of each region once it is whole and checked. Refuses with
   * `CseTampered` for a nonce, a tag or a byte out of place.
   */
  update(stored: Buffer, region: (plain: Buffer[], length: number) => void): void {
    for (let at = 0; at < stored.length;) at += this.#take(stored.subarray(at), region)
  }

  #take(bytes: Buffer, region: (plain: Buffer[], length: number) => void): number {
    if (this.#left === 0) return this.#tampered('bytes after the end')
    if (this.#decipher === undefined) return this.#takeFrame(bytes, NONCE_LENGTH, (nonce) => this.#begin(nonce))
    if (this.#content === 0) return this.#takeFrame(bytes, TAG_LENGTH, (tag) => this.#finish(tag, region))
    const piece = bytes.subarray(0, this.#content)
    this.#plain.push(this.#decipher.update(piece))
    this.#content -= piece.length
    this.#left -= piece.length
    return piece.length
  }

  #takeFrame(bytes: Buffer, length: number, whole: (frame: Buffer) => void): number {
    const piece = bytes.subarray(0, length - this.#framed)
    this.#frame.push(Buffer.from(piece))
    this.#framed += piece.length
    this.#left -= piece.length
    if (this.#framed === length) {
      const frame = Buffer.concat(this.#frame)
      this.#frame = []
      this.#framed = 0
      whole(frame)
    }
    return piece.length
  }

  #begin(nonce: Buffer): void {
    if (!this.#order.accept(nonce, this.#index)) this.#tampered('nonce')
    this.#decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_LENGTH })
    this.#content = Math.min(this.#regionLength, this.#left - TAG_LENGTH)
    if (this.#content < 0) this.#tampered('length')
  }

  #finish(tag: Buffer, region: (plain: Buffer[], length: number) => void): void {
    const decipher = this.#decipher
    try {
      decipher?.setAuthTag(tag)
      decipher?.final()
    } catch {
      this.#tampered('tag')
    }
    const plain = this.#plain
    this.#decipher = undefined
    this.#plain = []
    this.#index++
    region(plain, plain.reduce((sum, piece) => sum + piece.length, 0))
  }

  #tampered(why: string): never {
    this.#plain = []
    return refuseCode('CseTampered', { region: this.#index, why })
  }
}
