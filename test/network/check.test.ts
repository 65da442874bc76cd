// The plan's faults: each alone in an otherwise good plan, many at once, and what is no fault.
import t from 'tap'
import { planFaults, planWarnings } from '../../src/network/check.ts'
import type { Plan, PlanFault, Site } from '../../src/network/plan.ts'
import { PLAN, SITE } from './sample.ts'

const faults = (more: Partial<Plan>): PlanFault[] => planFaults({ ...PLAN, ...more })
const site = (index: number, more: Partial<Site>): Site => ({ ...SITE, path: `offices[${index}].site`, office: `office-${index}`, ...more })
const both = (list: readonly PlanFault[]): string[] => list.map(({ path, found }) => `${path} | ${found}`)

void t.test('a good plan has no fault, and warns of nothing', async (test) => {
  test.strictSame(faults({}), [])
  test.strictSame(planWarnings(PLAN), [])
  test.strictSame(faults({ sites: [], pool: undefined, dns: undefined }), [])
})

void t.test('overlaps: every pair, named by both paths', async (test) => {
  test.strictSame(both(faults({ pool: '10.50.0.0/25', sites: [site(0, {}), site(1, { networks: ['10.50.0.128/25', '10.11.3.0/24'] }), site(2, { networks: ['10.50.0.0/16'] })] })), [
    'offices[0].site.networks[0] | 10.50.0.0/24, which overlaps 10.50.0.0/25 of network.pool',
    'offices[1].site.networks[0] | 10.50.0.128/25, which overlaps 10.50.0.0/24 of offices[0].site.networks[0]',
    'offices[1].site.networks[1] | 10.11.3.0/24, which overlaps 10.11.0.0/16 of network.addressSpace[0]',
    'offices[2].site.networks[0] | 10.50.0.0/16, which overlaps 10.50.0.0/25 of network.pool',
    'offices[2].site.networks[0] | 10.50.0.0/16, which overlaps 10.50.0.0/24 of offices[0].site.networks[0]',
    'offices[2].site.networks[0] | 10.50.0.0/16, which overlaps 10.50.0.128/25 of offices[1].site.networks[0]',
  ])
  test.strictSame(faults({ pool: '10.11.200.0/24' }).map(({ path }) => path), ['network.pool'])
  test.strictSame(both(faults({ addressSpace: ['10.11.0.0/16', 'fd00:1::/48'], sites: [site(0, { networks: ['fd00:1:0:5::/64'] })] })), ['offices[0].site.networks[0] | fd00:1:0:5::/64, which overlaps fd00:1::/48 of network.addressSpace[1]'])
})

void t.test('reserved ranges', async (test) => {
  for (const [network, holder] of [['169.254.3.0/24', '169.254.0.0/16'], ['239.0.0.0/8', '224.0.0.0/4'], ['168.63.129.0/24', '168.63.129.16/32'], ['168.63.129.16', '168.63.129.16/32']]) {
    test.strictSame(both(faults({ sites: [site(0, { networks: [network ?? ''] })] })), [`offices[0].site.networks[0] | ${network}, which overlaps ${holder}`])
  }
  test.equal(faults({ pool: '169.254.0.0/24' })[0]?.path, 'network.pool')
})

void t.test('subnets: outside, overlapping, of one name', async (test) => {
  const [gateway, gate, endpoints] = PLAN.subnets ?? []
  if (gateway === undefined || gate === undefined || endpoints === undefined) throw new Error('the sample has three')
  test.strictSame(both(faults({ subnets: [gateway, gate, { ...endpoints, prefix: '10.12.2.0/24' }] })), ['network.subnets[2].prefix | 10.12.2.0/24, which is outside of network.addressSpace'])
  test.strictSame(both(faults({ subnets: [gateway, gate, { ...endpoints, prefix: '10.11.1.128/25' }] })), ['network.subnets[2].prefix | 10.11.1.128/25, which overlaps 10.11.1.0/24 of network.subnets[1].prefix'])
  test.strictSame(faults({ subnets: [gateway, gate, { ...endpoints, name: 'Gate' }] }).map(({ path }) => path), ['network.subnets[2].name'])
})

void t.test('GatewaySubnet: missing, misspelt, too small, outside, each told apart', async (test) => {
  const [, ...others] = PLAN.subnets ?? []
  const with1 = (name: string, prefix = '10.11.255.0/27'): string[] => both(faults({ subnets: [{ name, prefix }, ...others] }))
  test.strictSame(both(faults({ subnets: others })), ['network.subnets | no GatewaySubnet'])
  for (const name of ['gatewaysubnet', 'Gateway-Subnet', 'GatewaySubnets', 'GatwaySubnet', 'GatewaySubent', 'SubnetGateway']) test.strictSame(with1(name), [`network.subnets[0].name | ${name}`], name)
  for (const prefix of ['10.11.255.0/28', '10.11.255.0/29', '10.11.255.7']) test.strictSame(with1('GatewaySubnet', prefix), [`network.subnets[0].prefix | ${prefix}, which is too small for a VPN gateway`])
  for (const prefix of ['10.11.255.0/26', '10.11.254.0/24']) test.strictSame(with1('GatewaySubnet', prefix), [])
  test.strictSame(with1('GatewaySubnet', '10.12.255.0/27'), ['network.subnets[0].prefix | 10.12.255.0/27, which is outside of network.addressSpace'])
})

const one = (more: Partial<Plan['ipsec']>): PlanFault[] => faults({ ipsec: { ...PLAN.ipsec, ...more } })

void t.test('the IPsec policy: what is weak or unknown', async (test) => {
  const weak = { encryption: ['DES', 'DES3', '3DES', 'None'], integrity: ['MD5', 'SHA1', 'SHA-1'], dhGroup: ['DHGroup1', 'DHGroup2', 'None'], pfsGroup: ['None', 'none', 'PFS1', 'PFS2'] }
  for (const [key, values] of Object.entries(weak)) for (const value of values) test.match(one({ [key]: value }), [{ path: `network.ipsec.${key}`, found: `${value}, which is too weak`, allowed: /^one of / }])
  for (const [key, value] of [['encryption', 'gcmaes256'], ['integrity', 'SHA512'], ['dhGroup', 'ECP521'], ['pfsGroup', 'toString']] as const) test.match(one({ [key]: value }), [{ found: `${value}, which is unknown` }])
  test.match(one({ encryption: 'AES256' }), [{ path: 'network.ipsec.integrity', found: /SHA384 with the encryption AES256/ }])
  test.strictSame(one({ encryption: 'AES256', integrity: 'SHA256' }), [])
  test.match(planWarnings({ ...PLAN, ipsec: { ...PLAN.ipsec, dhGroup: 'DHGroup24', pfsGroup: 'PFS24' } }), [{ path: 'network.ipsec.dhGroup' }, { path: 'network.ipsec.pfsGroup' }])
})

void t.test('shared keys: short, of few characters, unreadable; never shown', async (test) => {
  const of = (text: string): PlanFault[] => faults({ sites: [site(0, { key: { text } })] })
  const good = 'Zk3vQ9xLw2Rt7Yb5Nc8Mf1Hd4Jg6Ps0A'
  for (const [text, found] of [
    [good.slice(1), 'a shared key of 31 characters'], ['', 'a shared key of 0 characters'], [good.repeat(5), 'a shared key of 160 characters'], ['ab'.repeat(20), 'a shared key made of 2 different characters'], [`${good}\t`, 'a shared key with characters other than printable ASCII'],
  ] as const) {
    const list = of(text)
    test.match(list, [{ path: 'offices[0].site.key', found }])
    test.notMatch(JSON.stringify(list), /Zk3v|abab/)
  }
  test.strictSame(of(good), [])
  test.match(faults({ sites: [site(0, { key: { fault: 'does not exist' } })] }), [{ path: 'offices[0].site.key', found: 'does not exist' }])
})

void t.test('the size, the gateway\'s address, host bits, and what is missing', async (test) => {
  test.match(faults({ size: 'Basic' }), [{ path: 'network.size', found: 'Basic, which cannot do IKEv2' }])
  for (const size of ['basic', 'VpnGw9', 'ErGw1AZ', 'vpngw2az']) test.equal(faults({ size }).length, 1, size)
  for (const gate of ['10.12.0.1', '10.11.255.4', '10.11.1.1-10.11.1.9']) test.match(faults({ gate }), [{ path: 'network.gate' }], gate)
  test.match(faults({ pool: '172.16.201.5/24' }), [{ path: 'network.pool', allowed: '172.16.201.0/24' }])
  const bare = planFaults({ ipsec: PLAN.ipsec, egress: [], sites: [], withoutSite: [] })
  test.strictSame(bare.map(({ path }) => path), ['name', 'location', 'addressSpace', 'subnets', 'gate', 'size'].map((key) => `network.${key}`))
})

void t.test('everything at once', async (test) => {
  const list = faults({ size: 'Basic', pool: '10.11.9.0/24', gate: '1.2.3.4', subnets: [{ name: 'gatewaysubnet', prefix: '10.11.255.0/28' }], ipsec: { ...PLAN.ipsec, dhGroup: 'DHGroup2' }, sites: [site(0, { key: { text: 'short' } })] })
  test.strictSame(list.map(({ path }) => path).toSorted(), ['network.gate', 'network.ipsec.dhGroup', 'network.pool', 'network.size', 'network.subnets[0].name', 'network.subnets[0].prefix', 'offices[0].site.key'])
})

void t.test('an office without a site is left out, and said so', async (test) => {
  test.match(planWarnings({ ...PLAN, withoutSite: ['oslo'] }), [{ path: 'offices', found: 'oslo without site' }])
  test.match(planWarnings({ ...PLAN, subnets: (PLAN.subnets ?? []).slice(0, 2) }), [{ path: 'network.subnets', found: 'none called endpoints' }])
})
