// Which certificates and lists the configuration has put to use, when each ends, and when that is to be told.
import { SERVICE_NAMES } from '../azure/services.ts'
import type { Loaded } from '../config/load.ts'

export const DAY_MS = 86_400_000

/** A certificate, a bundle (then of the one that ends first) or a list. */
export interface CertificateInUse {
  /** Its place in the configuration. */
  readonly name: string
  readonly use: Use
  /** Milliseconds since the epoch. */
  readonly validUntil: number
}

type Use = 'server' | 'client-ca' | 'crl' | 'upstream-ca' | 'upstream-client'

/** Every one that the configuration put to use; those of authorities that the system brings are not ours to watch. */
export function certificatesOf(loaded: Loaded): CertificateInUse[] {
  const server = loaded.credentials.map((credential, i): CertificateInUse => ({ name: `tls.certificates[${i}]`, use: 'server', validUntil: credential.validUntil }))
  return [...server, ...clientTrustOf(loaded), ...trustOf(loaded), ...shownUpstream(loaded)]
}

function clientTrustOf({ clientTrust }: Loaded): CertificateInUse[] {
  if (clientTrust === undefined) return []
  const lists = clientTrust.lists.flatMap(({ nextUpdate }, i): CertificateInUse[] => (nextUpdate === undefined ? [] : [{ name: `tls.clients.crl[${i}]`, use: 'crl', validUntil: nextUpdate }]))
  return [{ name: 'tls.clients.ca', use: 'client-ca', validUntil: clientTrust.bundle.validUntil }, ...lists]
}

function trustOf({ config, trust }: Loaded): CertificateInUse[] {
  const places = [
    ...(config.storage?.accounts ?? []).flatMap((account, i) => SERVICE_NAMES.map((service) => [`storage.accounts[${i}].${service}.ca`, account[service]?.ca] as const)),
    ...config.apis.map((api, i) => [`apis[${i}].ca`, api.upstream.ca] as const),
  ]
  return places.flatMap(([name, file]) => {
    const bundle = file === undefined ? undefined : trust.get(file)
    return bundle === undefined ? [] : [{ name, use: 'upstream-ca' as const, validUntil: bundle.validUntil }]
  })
}

function shownUpstream({ config, clientCredentials }: Loaded): CertificateInUse[] {
  return config.apis.flatMap(({ name }, i): CertificateInUse[] => {
    const credential = clientCredentials.get(name)
    return credential === undefined ? [] : [{ name: `apis[${i}].clientCertificate`, use: 'upstream-client', validUntil: credential.validUntil }]
  })
}

/** Something that nears its end, or has passed it: then `daysLeft` is below zero. */
export interface Notice extends CertificateInUse {
  readonly daysLeft: number
}

/** From how many days on the end is near. Lists of revocation last days or hours: of those only the end is news. */
const NEAR_DAYS: Readonly<Record<Use, number>> = { 'server': 30, 'upstream-client': 30, 'client-ca': 30, 'upstream-ca': 30, 'crl': 0 }

/** Remembers what was told, so that each near end is told once at first, and then once for each day that is less. */
export class EndsToTell {
  readonly #told = new Map<string, number>()

  /** Another configuration is in force: all is told anew. */
  startOver(): void {
    this.#told.clear()
  }

  /** Given all that is in use and the time in ms since the epoch, returns what is to be told now. */
  due(certificates: readonly CertificateInUse[], now: number): Notice[] {
    const near = certificates.map((it): Notice => ({ ...it, daysLeft: daysLeft(it, now) })).filter((it) => it.daysLeft < 0 || it.validUntil - now <= NEAR_DAYS[it.use] * DAY_MS)
    const news = near.filter((it) => this.#told.get(keyOf(it)) !== it.daysLeft)
    for (const it of news) this.#told.set(keyOf(it), it.daysLeft)
    return news
  }
}

/** Whole days until the end; below zero where it has passed. */
export function daysLeft({ validUntil }: Pick<CertificateInUse, 'validUntil'>, now: number): number {
  return Math.floor((validUntil - now) / DAY_MS)
}

function keyOf({ name, use, validUntil }: CertificateInUse): string {
  return `${use} ${name} ${validUntil}`
}
