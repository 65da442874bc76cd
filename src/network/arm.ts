// The ARM template: network, subnets, VPN gateway, local gateways, connections, private endpoints and their DNS. It never
// holds a storage account, since a template resets what it leaves out, and never a secret: those are parameters.
import { isIP } from 'node:net'
import { ENDPOINTS } from './check.ts'
import { accountParameter, keyParameter, NOT_RUN, vpnName, type AzureAccount, type Ground } from './ground.ts'
import { armPolicy } from './ipsec.ts'
import type { Site, WholePlan } from './plan.ts'

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json }

interface Resource {
  readonly type: string
  readonly apiVersion: string
  readonly name: string
  readonly location?: string
  readonly dependsOn?: readonly string[]
  readonly [key: string]: Json | undefined
}

const NETWORK_API = '2024-05-01'
const DNS_API = '2020-06-01'

const id = (type: string, ...names: readonly string[]): string => `resourceId('${type}', ${names.map((name) => `'${name}'`).join(', ')})`
const expression = (text: string): string => `[${text}]`
const idOf = (type: string, ...names: readonly string[]): string => expression(id(type, ...names))

const NETWORKS = 'Microsoft.Network/virtualNetworks'
const ADDRESSES = 'Microsoft.Network/publicIPAddresses'
const GATEWAYS = 'Microsoft.Network/virtualNetworkGateways'
const LOCAL_GATEWAYS = 'Microsoft.Network/localNetworkGateways'
const CONNECTIONS = 'Microsoft.Network/connections'
const ENDPOINT = 'Microsoft.Network/privateEndpoints'
const ZONES = 'Microsoft.Network/privateDnsZones'

/** Returns the template as text; the same ground gives the same bytes. */
export function armTemplate(ground: Ground): string {
  const { plan } = ground
  return `${JSON.stringify({
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    metadata: { description: `${NOT_RUN} Deploy it in mode Incremental.` },
    parameters: parametersOf(ground),
    resources: [
      network(plan), publicAddress(plan), gateway(ground), ...plan.sites.map((site) => localGateway(site, plan)), ...plan.sites.map((site) => connection(site, plan)),
      ...endpointResources(ground),
    ],
    outputs: { vpnGatewayAddress: { type: 'string', value: expression(`reference(${id(ADDRESSES, addressName(plan))}, '${NETWORK_API}').ipAddress`) } },
  }, null, 2)}\n`
}

function parametersOf({ plan, roots, accounts }: Ground): Json {
  const keys = plan.sites.map(({ office }) => [keyParameter(office), { type: 'securestring', minLength: 32, metadata: { description: `The shared key of the office ${office}.` } }] as const)
  const root = plan.pool === undefined || roots.length > 0 ? [] : [['officeRoot', { type: 'string', metadata: { description: 'The offices\' root: DER in base64, on one line, without header. tidegate office root --azure prints it.' } }] as const]
  const ids = hasEndpoints(plan) ? accounts.map(({ name }) => [accountParameter(name), { type: 'string', metadata: { description: `The resource id of the storage account ${name}: az storage account show --name ${name} --query id` } }] as const) : []
  const parameters: readonly (readonly [string, Json])[] = [...keys, ...root, ...ids]
  return Object.fromEntries<Json>(parameters)
}

function network({ name, location, addressSpace, dns, subnets }: WholePlan): Resource {
  return {
    type: NETWORKS, apiVersion: NETWORK_API, name, location,
    properties: {
      addressSpace: { addressPrefixes: addressSpace },
      ...(dns === undefined ? {} : { dhcpOptions: { dnsServers: dns } }),
      subnets: subnets.map((subnet) => ({ name: subnet.name, properties: { addressPrefix: subnet.prefix } })),
    },
  }
}

const addressName = (plan: WholePlan): string => `${vpnName(plan)}-ip`

/** Zone-redundant where the gateway's size is. */
function publicAddress(plan: WholePlan): Resource {
  return {
    type: ADDRESSES, apiVersion: NETWORK_API, name: addressName(plan), location: plan.location, sku: { name: 'Standard' }, ...(plan.size.endsWith('AZ') ? { zones: ['1', '2', '3'] } : {}),
    properties: { publicIPAllocationMethod: 'Static' },
  }
}

function gateway({ plan, roots, revoked = [] }: Ground): Resource {
  return {
    type: GATEWAYS, apiVersion: NETWORK_API, name: vpnName(plan), location: plan.location,
    dependsOn: [idOf(NETWORKS, plan.name), idOf(ADDRESSES, addressName(plan))],
    properties: {
      gatewayType: 'Vpn', vpnType: 'RouteBased', vpnGatewayGeneration: plan.size.startsWith('VpnGw1') ? 'Generation1' : 'Generation2', enableBgp: false,
      sku: { name: plan.size, tier: plan.size },
      ipConfigurations: [{ name: 'default', properties: { privateIPAllocationMethod: 'Dynamic', subnet: { id: idOf(`${NETWORKS}/subnets`, plan.name, 'GatewaySubnet') }, publicIPAddress: { id: idOf(ADDRESSES, addressName(plan)) } } }],
      ...(plan.pool === undefined ? {} : { vpnClientConfiguration: clients(plan, plan.pool, roots, revoked) }),
    },
  }
}

function clients(plan: WholePlan, pool: string, roots: readonly string[], revoked: readonly string[]): Json {
  const known = roots.length > 0 ? roots : ['[parameters(\'officeRoot\')]']
  return {
    vpnClientAddressPool: { addressPrefixes: [pool] },
    vpnClientProtocols: ['IkeV2', 'OpenVPN'],
    vpnAuthenticationTypes: ['Certificate'],
    vpnClientRootCertificates: known.map((publicCertData, index) => ({ name: `office-root-${index + 1}`, properties: { publicCertData } })),
    vpnClientRevokedCertificates: revoked.map((thumbprint) => ({ name: `revoked-${thumbprint.toLowerCase()}`, properties: { thumbprint } })),
    vpnClientIpsecPolicies: [armPolicy(plan.ipsec)],
  }
}

const siteName = (office: string): string => `site-${office}`

function localGateway({ office, address, networks }: Site, { location }: WholePlan): Resource {
  return {
    type: LOCAL_GATEWAYS, apiVersion: NETWORK_API, name: siteName(office), location,
    properties: { localNetworkAddressSpace: { addressPrefixes: networks }, ...(isIP(address) === 0 ? { fqdn: address } : { gatewayIpAddress: address }) },
  }
}

function connection({ office }: Site, plan: WholePlan): Resource {
  return {
    type: CONNECTIONS, apiVersion: NETWORK_API, name: `to-${office}`, location: plan.location,
    dependsOn: [idOf(GATEWAYS, vpnName(plan)), idOf(LOCAL_GATEWAYS, siteName(office))],
    properties: {
      virtualNetworkGateway1: { id: idOf(GATEWAYS, vpnName(plan)) }, localNetworkGateway2: { id: idOf(LOCAL_GATEWAYS, siteName(office)) },
      connectionType: 'IPsec', connectionProtocol: 'IKEv2', enableBgp: false, usePolicyBasedTrafficSelectors: false, dpdTimeoutSeconds: 45,
      sharedKey: `[parameters('${keyParameter(office)}')]`, ipsecPolicies: [armPolicy(plan.ipsec)],
    },
  }
}

/** Tells whether private endpoints can be written: they need a subnet of their own. */
export function hasEndpoints({ subnets }: WholePlan): boolean {
  return subnets.some(({ name }) => name === ENDPOINTS)
}

function endpointResources({ plan, accounts }: Ground): Resource[] {
  if (!hasEndpoints(plan)) return []
  const services = [...new Set(accounts.flatMap((account) => account.services))].toSorted()
  return [...services.flatMap((service) => zone(service, plan)), ...accounts.flatMap((account) => account.services.flatMap((service) => endpoint(account, service, plan)))]
}

const zoneName = (service: string): string => `privatelink.${service}.core.windows.net`

function zone(service: string, { name }: WholePlan): Resource[] {
  return [
    { type: ZONES, apiVersion: DNS_API, name: zoneName(service), location: 'global' },
    {
      type: `${ZONES}/virtualNetworkLinks`, apiVersion: DNS_API, name: `${zoneName(service)}/${name}`, location: 'global', dependsOn: [idOf(ZONES, zoneName(service)), idOf(NETWORKS, name)],
      properties: { registrationEnabled: false, virtualNetwork: { id: idOf(NETWORKS, name) } },
    },
  ]
}

function endpoint(account: AzureAccount, service: string, plan: WholePlan): Resource[] {
  const name = `${account.name}-${service}`
  return [
    {
      type: ENDPOINT, apiVersion: NETWORK_API, name, location: plan.location, dependsOn: [idOf(NETWORKS, plan.name)],
      properties: {
        subnet: { id: idOf(`${NETWORKS}/subnets`, plan.name, ENDPOINTS) },
        privateLinkServiceConnections: [{ name, properties: { privateLinkServiceId: `[parameters('${accountParameter(account.name)}')]`, groupIds: [service] } }],
      },
    },
    {
      type: `${ENDPOINT}/privateDnsZoneGroups`, apiVersion: NETWORK_API, name: `${name}/default`, dependsOn: [idOf(ENDPOINT, name), idOf(ZONES, zoneName(service))],
      properties: { privateDnsZoneConfigs: [{ name: service, properties: { privateDnsZoneId: idOf(ZONES, zoneName(service)) } }] },
    },
  ]
}
