// STEPS.md: the article's steps in order, who does each, and the command that shows that it worked.
import { ENDPOINTS } from './check.ts'
import { hasEndpoints } from './arm.ts'
import { accountParameter, keyParameter, NOT_RUN, VPN_ADDRESS, vpnName, type Ground } from './ground.ts'

interface Step {
  readonly what: string
  readonly who: string
  readonly shows: string
}

/** Returns the steps as Markdown. */
export function stepsText(ground: Ground): string {
  const { plan } = ground
  return `# From the plan to a working network

${NOT_RUN} The steps are those of Microsoft's article on encryption in transit. "Azure" means someone who may deploy into the subscription, "office" whoever runs the office's VPN device, "gate" whoever runs Tidegate.

**What this does not cover**: the gateway protects HTTPS to storage and APIs, and SMB on port 445. Every other protocol is protected by the tunnel alone, or by nothing where there is no tunnel.

## Before you begin

${[...before(ground), ...missing(ground)].map((line) => `* ${line}`).join('\n')}

## Site-to-site

${plan.sites.length === 0 ? 'No office has a `site`: there is nothing to do here.\n' : table(siteSteps(ground))}
## Point-to-site

${plan.pool === undefined ? 'The plan has no `pool`: there is nothing to do here.\n' : table(clientSteps(ground))}
## Storage accounts

${table(accountSteps())}`
}

function before({ plan, accounts, roots }: Ground): string[] {
  const root = plan.pool === undefined || roots.length > 0 ? [] : ['officeRoot']
  const parameters = [...plan.sites.map(({ office }) => keyParameter(office)), ...root, ...(hasEndpoints(plan) ? accounts.map(({ name }) => accountParameter(name)) : [])]
  return [
    `Deploy \`azure/network.json\`: \`az deployment group create --resource-group "$GROUP" --mode Incremental --template-file azure/network.json\`. It asks for ${parameters.length === 0 ? 'nothing' : parameters.map((name) => `\`${name}\``).join(', ')}. No secret stands in any of these files.`,
    'A template that lists subnets removes those that it does not list. If the network exists already, compare first: add `--what-if`.',
    `The files of a site hold the placeholder \`${VPN_ADDRESS}\`: the deployment's output \`vpnGatewayAddress\` is the value.`,
  ]
}

function missing({ plan, revoked, accounts }: Ground): string[] {
  return [
    ...(revoked === undefined ? ['The thumbprints of revoked certificates are missing here, since `network write` was run without `--authority`. Run it again with it, or add them with `az network vnet-gateway revoked-cert create`.'] : []),
    ...plan.withoutSite.map((office) => `The office ${office} has no \`site\`: it is left out of site-to-site.`),
    ...(hasEndpoints(plan) ? [] : [`The plan has no subnet called \`${ENDPOINTS}\`: no private endpoints are written. The accounts then let in only \`network.egress\`.`]),
    ...(accounts.length > 0 ? [] : ['No account of the configuration has one of Azure\'s own names: no line is written for accounts.']),
  ]
}

const inGroup = (command: string): string => `${command} --resource-group "$GROUP"`

function siteSteps({ plan }: Ground): Step[] {
  const offices = plan.sites.map(({ office }) => office)
  return [
    { what: 'Create a virtual network', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet show --name ${plan.name} --query addressSpace`) },
    { what: 'Specify a DNS server', who: 'Azure: azure/network.json; office: dns.txt into the office\'s DNS', shows: 'getent hosts NAME, for each name of dns.txt' },
    { what: 'Create the gateway subnet', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet subnet show --vnet-name ${plan.name} --name GatewaySubnet --query addressPrefix`) },
    { what: 'Create the VPN gateway', who: 'Azure: azure/network.json; it takes up to 45 minutes', shows: inGroup(`az network vnet-gateway show --name ${vpnName(plan)} --query provisioningState`) },
    { what: 'Create the local network gateway', who: 'Azure: azure/network.json', shows: inGroup('az network local-gateway list --query [].name') },
    { what: 'Configure the VPN device', who: `office: ${offices.map((office) => `sites/${office}/swanctl.conf`).join(', ')}, with secrets.conf beside it`, shows: 'swanctl --load-all && swanctl --list-conns' },
    { what: 'Create the connection', who: 'Azure: azure/network.json, with the shared key as a parameter', shows: inGroup(`az network vpn-connection show --name to-${offices[0] ?? 'OFFICE'} --query connectionStatus`) },
    { what: 'Verify the connection', who: 'office', shows: 'tidegate verify --bundle FILE: the line way says tunnel' },
  ]
}

function clientSteps({ plan }: Ground): Step[] {
  return [
    { what: 'Create a virtual network', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet show --name ${plan.name} --query addressSpace`) },
    { what: 'Create the gateway subnet', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet subnet show --vnet-name ${plan.name} --name GatewaySubnet --query addressPrefix`) },
    { what: 'Specify a DNS server (optional)', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet show --name ${plan.name} --query dhcpOptions`) },
    { what: 'Create the VPN gateway', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet-gateway show --name ${vpnName(plan)} --query provisioningState`) },
    { what: 'Generate certificates', who: 'gate: tidegate office init, tidegate office issue NAME', shows: 'tidegate office check FILE' },
    { what: 'Add the client address pool', who: 'Azure: azure/network.json', shows: inGroup(`az network vnet-gateway show --name ${vpnName(plan)} --query vpnClientConfiguration.vpnClientAddressPool`) },
    { what: 'Upload the root certificate\'s public data', who: 'Azure: azure/network.json or azure/commands.sh', shows: inGroup(`az network vnet-gateway show --name ${vpnName(plan)} --query vpnClientConfiguration.vpnClientRootCertificates`) },
    { what: 'Generate the client configuration package', who: 'Azure: only Azure can make its package', shows: inGroup(`az network vnet-gateway vpn-client generate --name ${vpnName(plan)}`) },
    { what: 'Install the client certificate', who: 'office: install/ of the bundle', shows: 'certutil -user -store my (Windows), security find-identity (macOS)' },
    { what: 'Connect', who: 'office: Azure\'s package, or ipsec/swanctl.conf of the bundle', shows: 'swanctl --list-sas' },
    { what: 'Verify the connection', who: 'office', shows: 'tidegate verify --bundle FILE: the line way says tunnel' },
  ]
}

function accountSteps(): Step[] {
  return [
    { what: 'Require secure transfer and TLS 1.2; let in the gateway alone', who: 'Azure: azure/commands.sh', shows: 'az storage account list -o json > accounts.json && tidegate audit --config FILE accounts.json' },
    { what: 'See that nobody can walk around the gateway', who: 'gate', shows: 'tidegate audit: no finding A7 or A8' },
  ]
}

function table(steps: readonly Step[]): string {
  const rows = steps.map(({ what, who, shows }, index) => `| ${index + 1} | ${what} | ${who} | \`${shows.replaceAll('|', '\\|')}\` |`)
  return ['| step | what | who, with what | what shows that it worked |', '| --- | --- | --- | --- |', ...rows, ''].join('\n')
}
