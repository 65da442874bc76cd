// What a client offered in its ClientHello, for the log and for the counts by client.
import type { OfferNote } from '../observe/offers.ts'
import type { Detail } from '../refusal.ts'
import { offeredVersion, type ClientHello } from '../tls/client-hello.ts'
import { CIPHER_SUITES } from '../tls/policy.ts'

const NAME = /^[a-z0-9._-]{1,253}$/
const SUITE_NAMES = new Map(CIPHER_SUITES.map((suite) => [suite.id, suite.iana]))
const LISTED = 24

/** What a client offered, for the log: suites by name where they are ours, by number otherwise. */
export function describeOffer(offer: ClientHello | undefined): Detail {
  const { offered, serverName } = noteOf(offer)
  if (offer === undefined) return { offered }
  return {
    offered,
    suites: offer.suites.slice(0, LISTED).map((id) => SUITE_NAMES.get(id) ?? hex(id)),
    groups: offer.groups.slice(0, LISTED).map(hex),
    serverName,
  }
}

/** What of a hello is counted by client: never more of its name than a host name may hold. */
export function noteOf(offer: ClientHello | undefined): OfferNote {
  const name = offer?.serverName
  return { offered: offeredVersion(offer), serverName: name === undefined ? null : NAME.test(name) ? name : 'unreadable' }
}

function hex(id: number): string {
  return `0x${id.toString(16).padStart(4, '0')}`
}
