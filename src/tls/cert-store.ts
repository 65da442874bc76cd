// The current credentials, ready for handshakes: which context a server name gets. An RSA and an EC credential for the
// same name are offered side by side (contract section 3).
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { Credential } from './credential.ts'
import { serverOptions, type Profile } from './policy.ts'

/** One context's certificates: at most one of each key kind. */
type Pair = Partial<Record<Credential['keyKind'], Credential>>

interface Published {
  readonly fallback: SecureContext
  readonly byName: ReadonlyMap<string, SecureContext>
}

export class CertStore {
  readonly #profile: Profile
  #published: Published | undefined
  #fallbackOptions: Pick<SecureContextOptions, 'cert' | 'key'> = {}

  constructor(profile: Profile, credentials: readonly Credential[]) {
    this.#profile = profile
    this.publish(credentials)
  }

  /** More than one name leads to more than one context: only then must a handshake ask. */
  get needsServerName(): boolean {
    return new Set(this.#published?.byName.values()).size > 1
  }

  /** Certificate and key of the default context, as node:tls takes them. */
  get fallbackOptions(): Pick<SecureContextOptions, 'cert' | 'key'> {
    return this.#fallbackOptions
  }

  /** Builds all contexts aside and takes them up at once; throws, and changes nothing, when one cannot be made. */
  publish(credentials: readonly Credential[]): void {
    const [first] = credentials
    if (first === undefined) throw new Error('no credential')
    const contexts = new Map<string, SecureContext>()
    const contextOf = (pair: Pair): SecureContext => {
      const key = `${pair.ec?.fingerprint ?? ''}/${pair.rsa?.fingerprint ?? ''}`
      let context = contexts.get(key)
      if (context === undefined) contexts.set(key, (context = createSecureContext({ ...serverOptions(this.#profile), ...material(pair) })))
      return context
    }
    const fallback = pairFor(credentials.filter((c) => c === first || c.names.some((name) => first.names.includes(name))))
    const names = new Set(credentials.flatMap((credential) => credential.names))
    const byName = new Map([...names].map((name) => [name, contextOf(pairFor(credentials.filter((c) => c.names.includes(name))))]))
    this.#published = { fallback: contextOf(fallback), byName }
    this.#fallbackOptions = material(fallback)
  }

  /** Exact name, then wildcard, then the default (house.md section 7). Names compare in lower case, without trailing dot. */
  contextFor(serverName: string): SecureContext | undefined {
    const name = serverName.toLowerCase().replace(/\.$/, '')
    const published = this.#published
    return published?.byName.get(name) ?? published?.byName.get(name.replace(/^[^.]+/, '*')) ?? published?.fallback
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
