// What the doors of a worker need to know of its configuration, read at each use since a reload may change it.
import { BlockList, isIPv6 } from 'node:net'
import { Census, type DoorLimits } from '../door/census.ts'
import type { DoorOptions } from '../door/front-door.ts'
import type { PlaintextOptions } from '../door/plaintext.ts'
import { serviceOf, type Snapshot } from '../gate/admit.ts'
import { hostName, isApis } from '../upstream/routes.ts'
import { roomForConnections } from '../host/descriptors.ts'
import type { InForce } from './in-force.ts'
import type { Settings } from './settings.ts'

/** What comes from the worker. */
export interface DoorNeeds {
  readonly requestId: () => string
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Connections to all upstreams. */
  readonly sockets: { readonly value: number }
}

const TLS_1_3 = 0x0304

/** Both doors of a worker share them, and the census in them. */
export function doorOptions(settings: Settings, inForce: InForce, needs: DoorNeeds): DoorOptions {
  const { proxyProtocol } = settings.config.listen
  return {
    get handshakeTimeout() {
      return settings.config.tls.handshakeTimeout
    },
    census: new Census(limitsOf(settings, needs.sockets)),
    balancers: proxyProtocol === undefined ? undefined : networks(proxyProtocol.from),
    plaintext: plaintextOptions(() => inForce.snapshot, needs),
    entersTls: (offer) => inForce.tickets.helloNext(offer?.version === TLS_1_3),
    monotonic: needs.monotonic,
  }
}

/** Connections to upstreams take their room first: without them nobody is served. */
function limitsOf(settings: Settings, sockets: { readonly value: number }): DoorLimits {
  const room = roomForConnections()
  return {
    get connections() {
      return Math.min(settings.share(settings.config.limits.connections), room - sockets.value)
    },
    /** One address's connections fall on workers by chance: each lets it have them all. */
    get connectionsPerAddress() {
      return settings.config.limits.connectionsPerAddress
    },
    get handshakes() {
      return settings.share(settings.config.limits.handshakes)
    },
  }
}

function plaintextOptions(snapshot: () => Snapshot, { requestId, wallClock }: DoorNeeds): PlaintextOptions {
  return {
    storageName: (host) => {
      const { sites } = snapshot()
      const service = serviceOf(host, undefined, sites)
      const site = sites.get(hostName(host) ?? '')
      return service === undefined || site === undefined || isApis(site) ? undefined : { service, account: site.account }
    },
    requestId,
    wallClock,
  }
}

/** Addresses and networks in CIDR notation as a list to check against. */
function networks(list: readonly string[]): BlockList {
  const blocks = new BlockList()
  for (const entry of list) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    blocks.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return blocks
}
