// swanctl.conf for strongSwan: an office's end of a site-to-site tunnel, and a point-to-site client. The shared key stands
// in secrets.conf, which the administrator writes beside it.
import { isIP } from 'node:net'
import { NOT_RUN, VPN_ADDRESS } from './ground.ts'
import { swanProposals } from './ipsec.ts'
import type { Ipsec, Site, WholePlan } from './plan.ts'

/** Returns the office's side of a site-to-site tunnel. */
export function siteSwanctl({ office, address, networks }: Site, { ipsec, addressSpace }: WholePlan): string {
  const { ike, esp } = swanProposals(ipsec)
  return `# ${NOT_RUN}
# The end of the office ${office}. Replace ${VPN_ADDRESS} by the public address of the VPN gateway:
# it is the output vpnGatewayAddress of azure/network.json.
#
# secrets.conf stands beside this file, readable by root alone, and holds the shared key:
#   secrets { ike-azure { secret = "THE KEY" } }
include secrets.conf

connections {
  azure {
    version = 2
    local_addrs = %any
    remote_addrs = ${VPN_ADDRESS}
    proposals = ${ike}
    dpd_delay = 30s
    keyingtries = 0
    mobike = no
    local {
      auth = psk
      id = ${isIP(address) === 0 ? `fqdn:${address}` : address}
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = ${networks.join(',')}
        remote_ts = ${addressSpace.join(',')}
        esp_proposals = ${esp}
        start_action = start
        dpd_action = restart
        close_action = start
      }
    }
  }
}
`
}

/** What a point-to-site client needs of the plan. */
export interface ClientEnd {
  readonly ipsec: Ipsec
  readonly addressSpace: readonly string[]
  /** Names of files beside it: certificate and chain, private key. */
  readonly certificate: string
}

/** Returns a point-to-site client that authenticates by EAP-TLS with its office's certificate. */
export function clientSwanctl({ ipsec, addressSpace, certificate }: ClientEnd): string {
  const { ike, esp } = swanProposals(ipsec)
  return `# ${NOT_RUN}
# Point-to-site. Replace ${VPN_ADDRESS} by the address of the VPN gateway, as Azure's client package has it.
# The certificate belongs into x509/, its key into private/, the VPN gateway's own authority into x509ca/.
connections {
  azure {
    version = 2
    local_addrs = %any
    remote_addrs = ${VPN_ADDRESS}
    vips = 0.0.0.0
    proposals = ${ike}
    dpd_delay = 30s
    local {
      auth = eap-tls
      certs = ${certificate}
    }
    remote {
      auth = pubkey
      id = %any
    }
    children {
      net {
        remote_ts = ${addressSpace.join(',')}
        esp_proposals = ${esp}
        start_action = start
        dpd_action = restart
      }
    }
  }
}
`
}
