// The plan of the contract's example, with one site.
import type { Ground } from '../../src/network/ground.ts'
import type { Plan, Site } from '../../src/network/plan.ts'

export const SITE: Site = { path: 'offices[0].site', office: 'genoa', address: '198.51.100.7', networks: ['10.50.0.0/24'], key: { text: 'Zk3vQ9xLw2Rt7Yb5Nc8Mf1Hd4Jg6Ps0AeUiOy' } }

export const PLAN = {
  name: 'tide-hub',
  location: 'westeurope',
  addressSpace: ['10.11.0.0/16'],
  subnets: [{ name: 'GatewaySubnet', prefix: '10.11.255.0/27' }, { name: 'gate', prefix: '10.11.1.0/24' }, { name: 'endpoints', prefix: '10.11.2.0/24' }],
  pool: '172.16.201.0/24',
  gate: '10.11.1.10',
  dns: ['10.11.1.4'],
  size: 'VpnGw2AZ',
  ipsec: { encryption: 'GCMAES256', integrity: 'SHA384', dhGroup: 'ECP384', pfsGroup: 'ECP384' },
  egress: ['203.0.113.7'],
  sites: [SITE],
  withoutSite: [],
} as const satisfies Plan

/** With a second site, accounts, a root and a revoked certificate. */
export const GROUND: Ground = {
  plan: { ...PLAN, sites: [SITE, { ...SITE, office: 'oslo-2', path: 'offices[1].site', address: 'vpn.oslo.example', networks: ['10.60.0.0/24', '10.61.0.0/24'] }], withoutSite: ['lima'] },
  accounts: [{ name: 'tideoffice', services: ['blob', 'dfs'] }, { name: 'tidelogs', services: ['queue'] }],
  names: ['payroll.tide.example', 'tideoffice.blob.storage.tide.example'],
  roots: ['MIIB'],
  revoked: ['AB'.repeat(20)],
}
