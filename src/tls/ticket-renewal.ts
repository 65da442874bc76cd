// Session tickets that are renewed when they are used. Node's own handling gives no new ticket in a resumed TLS 1.3 session, so
// that a client that uses each ticket once, as RFC 8446 appendix C.4 advises, would resume only every second time.
import { randomFillSync } from 'node:crypto'
import type { SecureContext, Server } from 'node:tls'

/** What OpenSSL does with a ticket (SSL_CTX_set_tlsext_ticket_key_evp_cb): none, seal with it, open it, open it and give a new one. */
const UNKNOWN = 0
const SEAL = 1
const OPEN = 1
const OPEN_AND_RENEW = 2

type Answer = readonly [number, ...Buffer[]]

/** The native half of a context. Node keeps this hook without documenting it; its own tests and one of ours hold it in place. */
interface NativeContext {
  enableTicketKeyCallback(): void
  onticketkeycallback: (name: Buffer, iv: Buffer, seals: boolean) => Answer
}

const IV_LENGTH = 16
/** Initialization vectors that are made at once: asking for each costs a hundredth of a handshake. */
const IVS = 256

/** Seals and opens the tickets of every context it is put on, with the keys in force. */
export class TicketSeal {
  #name: Buffer
  #mac: Buffer
  #cipher: Buffer
  #renews = false
  #ivs = Buffer.alloc(0)

  /** `keys` are 48 bytes as node:tls takes them: name, MAC key, cipher key. */
  constructor(keys: Buffer) {
    [this.#name, this.#mac, this.#cipher] = parts(keys)
  }

  /** Other keys: tickets sealed before open nothing from now on, so a chain of renewals ends with the day of its keys. */
  take(keys: Buffer): void {
    [this.#name, this.#mac, this.#cipher] = parts(keys)
  }

  /** A handshake may end in another context than it began in, so each one that a server name can get needs it. */
  putOn(context: SecureContext): void {
    const native = (context as unknown as { readonly context: NativeContext }).context
    native.onticketkeycallback = (name, _iv, seals) => this.#answer(name, seals)
    native.enableTicketKeyCallback()
  }

  /** The same for a server's default context; again after each `setSecureContext`, which makes another. */
  putOnServer(server: Server): void {
    this.putOn((server as unknown as { readonly _sharedCreds: SecureContext })._sharedCreds)
  }

  /**
   * Says of the hello that TLS reads next whether it leads to TLS 1.3. Only there is a ticket renewed: in TLS 1.2 it is used
   * again and again, and OpenSSL's clients drop the old one for a new one that they then do not tell of.
   */
  helloNext(tls13: boolean): void {
    this.#renews = tls13
  }

  #answer(name: Buffer, seals: boolean): Answer {
    if (seals) return [SEAL, this.#mac, this.#cipher, this.#name, this.#freshIv()]
    // Node reads both keys before it looks at the answer, and ends the process where they are not there.
    if (!name.equals(this.#name)) return [UNKNOWN, this.#mac, this.#cipher]
    return [this.#renews ? OPEN_AND_RENEW : OPEN, this.#mac, this.#cipher]
  }

  /** Given once each. */
  #freshIv(): Buffer {
    if (this.#ivs.length === 0) this.#ivs = randomFillSync(Buffer.alloc(IVS * IV_LENGTH))
    const iv = this.#ivs.subarray(0, IV_LENGTH)
    this.#ivs = this.#ivs.subarray(IV_LENGTH)
    return iv
  }
}

function parts(keys: Buffer): [Buffer, Buffer, Buffer] {
  return [keys.subarray(0, 16), keys.subarray(16, 32), keys.subarray(32, 48)]
}
