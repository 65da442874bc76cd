// The current credentials, ready for handshakes: which context a server name gets. An RSA and an EC credential for the
// same name are offered side by side (contract section 3).
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { Credential } from './credential.ts'
import { serverOptions, takesEcdsa, type OfferedSignatures, type Profile } from './policy.ts'

/** A name's certificates: at most one of each key kind. */
type Pair = Partial<Record<Credential['keyKind'], Credential>>

/** Whose client certificates are taken, where any are asked for; every context needs it, since a name's context brings its own. */
export type ClientTrustOptions = Pick<SecureContextOptions, 'ca' | 'crl'>

/** A context for each kind, since Node takes only one certificate over from the context of a server name. */
interface Contexts {
  readonly ec: SecureContext | undefined
  readonly rsa: SecureContext | undefined
  readonly curve: string
}

/** Made with credentials, and given others by `publish`. */
export class CertStore {
  readonly #profile: Profile
  readonly #clients: ClientTrustOptions
  readonly #prepare: (context: SecureContext) => void
  /** `default` for a name whose certificates are those of the default context. */
  #byName: ReadonlyMap<string, Contexts | 'default'> = new Map()
  #fallbackOptions: Pick<SecureContextOptions, 'cert' | 'key' | 'ca' | 'crl'> = {}

  /** `prepare` is done to each context that is made. */
  constructor(profile: Profile, credentials: readonly Credential[], clients: ClientTrustOptions = {}, prepare: (context: SecureContext) => void = () => undefined) {
    this.#profile = profile
    this.#prepare = prepare
    this.#clients = clients
    this.publish(credentials)
  }

  /** Some name is shown something else than the default: only then must a handshake ask. */
  get needsServerName(): boolean {
    return [...this.#byName.values()].some((contexts) => contexts !== 'default')
  }

  /** Certificates and keys of the default context, of both kinds, as node:tls takes them. */
  get fallbackOptions(): Pick<SecureContextOptions, 'cert' | 'key' | 'ca' | 'crl'> {
    return this.#fallbackOptions
  }

  /** Builds all contexts aside and takes them up at once; throws, and changes nothing, when one cannot be made. */
  publish(credentials: readonly Credential[]): void {
    const [first] = credentials
    if (first === undefined) throw new Error('no credential')
    const contexts = new Map<Credential, SecureContext>()
    const contextOf = (credential: Credential | undefined): SecureContext | undefined => {
      if (credential === undefined) return undefined
      let context = contexts.get(credential)
      if (context === undefined) contexts.set(credential, (context = this.#contextWith(credential)))
      return context
    }
    const fallback = pairFor(credentials.filter((c) => c === first || c.names.some((name) => first.names.includes(name))))
    for (const credential of [fallback.ec, fallback.rsa]) contextOf(credential)
    const names = new Set(credentials.flatMap((credential) => credential.names))
    this.#byName = new Map([...names].map((name): [string, Contexts | 'default'] => {
      const { ec, rsa } = pairFor(credentials.filter((c) => c.names.includes(name)))
      if (ec === fallback.ec && rsa === fallback.rsa) return [name, 'default']
      return [name, { ec: contextOf(ec), rsa: contextOf(rsa), curve: ec?.key.asymmetricKeyDetails?.namedCurve ?? '' }]
    }))
    this.#fallbackOptions = { ...this.#clients, ...material(fallback) }
  }

  #contextWith(credential: Credential): SecureContext {
    const context = createSecureContext({ ...serverOptions(this.#profile), ...this.#clients, ...material({ [credential.keyKind]: credential }) })
    this.#prepare(context)
    return context
  }

  /**
   * The context of a server name: exact name, then wildcard, then the default, for which it is undefined: the handshake
   * stays with what it has, which is both kinds. Names compare in lower case, without trailing dot. Of two kinds it is EC
   * where the client takes it; `offer` is its hello.
   */
  contextFor(serverName: string, offer?: OfferedSignatures): SecureContext | undefined {
    const name = serverName.toLowerCase().replace(/\.$/, '')
    const contexts = this.#byName.get(name) ?? this.#byName.get(name.replace(/^[^.]+/, '*'))
    if (contexts === undefined || contexts === 'default') return undefined
    const { ec, rsa, curve } = contexts
    return ec === undefined || (rsa !== undefined && offer !== undefined && !takesEcdsa(offer, curve)) ? rsa : ec
  }
}

/** The first of each key kind. */
function pairFor(credentials: readonly Credential[]): Pair {
  const pair: Pair = {}
  for (const credential of credentials) pair[credential.keyKind] ??= credential
  return pair
}

function material(pair: Pair): { cert: string[]; key: string[] } {
  const credentials = [pair.ec, pair.rsa].filter((credential) => credential !== undefined)
  return {
    cert: credentials.map((credential) => credential.pem),
    key: credentials.map((credential) => credential.key.export({ type: 'pkcs8', format: 'pem' })),
  }
}
