// Azure's SDKs against a gate. They take neither an authority nor a resolver of ours on every way that their requests
// go, so this process trusts the realm's authority, and finds every name of a gate on this machine.
import dns from 'node:dns'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Gate } from './gate.ts'
import { DOMAIN, storageHost, type Service } from './realm.ts'

type Done = (error: Error | null, address: string | dns.LookupAddress[], family?: number) => void

const lookup = dns.lookup.bind(dns) as (...parts: unknown[]) => void

/** `*.localhost` is this machine, as RFC 6761 wants it; not every resolver knows. */
function lookupHere(name: string, options: { all?: boolean }, done: Done): void {
  if (!name.endsWith(`.${DOMAIN}`)) lookup(name, options, done)
  else if (options.all === true) done(null, [{ address: '127.0.0.1', family: 4 }])
  else done(null, '127.0.0.1', 4)
}

dns.lookup = lookupHere as typeof dns.lookup

/** Where an SDK finds a service; from now on its certificate is trusted in this process. */
export function endpoint({ realm, port }: Pick<Gate, 'realm' | 'port'>, service: Service): string {
  const known = getCACertificates('default')
  if (!known.includes(realm.authority.pem)) setDefaultCACertificates([...known, realm.authority.pem])
  return `https://${storageHost(service)}:${port}`
}

/** For clients of every SDK: no retries, so that the first answer is the one that a test sees. */
export const ONCE = { retryOptions: { maxTries: 1, maxRetries: 0 } }
