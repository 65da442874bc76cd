// Hides the signatures of copy sources in a listing while it streams: in `<CopySource>`, each character of a `sig` value
// becomes `X`, so that lengths stay and nothing is held back (spec/sas.md section 14; security.md F6). One byte at a time,
// since pieces of a listing end anywhere.

const TAG = '<CopySource'
/** A name is at most this long: `sig` with each letter encoded twice, an entity before it, and blanks. */
const NAME_LIMIT = 64
const STATE = { outside: 0, tag: 1, text: 2, name: 3, value: 4 } as const
type State = (typeof STATE)[keyof typeof STATE]

const X = 0x58
const [LESS, GREATER, AMPERSAND, QUESTION, EQUALS, HASH, SLASH] = [0x3c, 0x3e, 0x26, 0x3f, 0x3d, 0x23, 0x2f]
/** What follows the `&` between two parameters, which XML escapes. */
const ENTITY = /^(?:amp|#38|#x26);/i

/** Redacts one body. `isSignature` says of the name of a parameter, as it stands in a URL, whether its value is a signature. */
export class CopySourceRedactor {
  readonly #isSignature: (name: string) => boolean
  #state: State = STATE.outside
  #matched = 0
  /** The last byte of an element's tag so far; undefined right behind its name. */
  #last: number | undefined
  #name = ''

  constructor(isSignature: (name: string) => boolean) {
    this.#isSignature = isSignature
  }

  /** Returns the next piece as it may leave: the same buffer where nothing in it is hidden. */
  write(piece: Buffer): Buffer {
    let out = piece
    for (let i = 0; i < piece.length; i++) {
      if (!this.#hides(piece[i] as number)) continue
      if (out === piece) out = Buffer.from(piece)
      out[i] = X
    }
    return out
  }

  #hides(byte: number): boolean {
    switch (this.#state) {
      case STATE.outside:
        this.#outside(byte)
        return false
      case STATE.tag:
        this.#tag(byte)
        return false
      case STATE.text:
        this.#text(byte)
        return false
      case STATE.name:
        this.#parameterName(byte)
        return false
      default:
        if (byte !== LESS && byte !== AMPERSAND && byte !== HASH) return true
        this.#text(byte)
        return false
    }
  }

  #outside(byte: number): void {
    if (byte === TAG.charCodeAt(this.#matched)) this.#matched++
    else this.#matched = byte === LESS ? 1 : 0
    if (this.#matched < TAG.length) return
    this.#matched = 0
    this.#last = undefined
    this.#state = STATE.tag
  }

  /** Behind the name of the element: attributes and blanks, or the rest of a longer name. */
  #tag(byte: number): void {
    if (byte === GREATER) this.#state = this.#last === SLASH ? STATE.outside : STATE.text
    else if (byte === LESS) this.#leave()
    else if (this.#last === undefined && isNameByte(byte)) this.#state = STATE.outside
    this.#last = byte
  }

  #text(byte: number): void {
    if (byte === LESS) return this.#leave()
    this.#name = ''
    this.#state = byte === AMPERSAND || byte === QUESTION ? STATE.name : STATE.text
  }

  #parameterName(byte: number): void {
    if (byte === EQUALS) this.#state = this.#isSignature(this.#name.replace(ENTITY, '')) ? STATE.value : STATE.text
    else if (byte === LESS || byte === AMPERSAND || byte === QUESTION) this.#text(byte)
    else if (this.#name.length < NAME_LIMIT) this.#name += String.fromCharCode(byte)
    else this.#state = STATE.text
  }

  #leave(): void {
    this.#state = STATE.outside
    this.#matched = 1
  }
}

function isNameByte(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
}
