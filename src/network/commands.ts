// The az lines: roots, revoked certificates and accounts. Each is one line that can be read and run alone.
import { hasEndpoints } from './arm.ts'
import { NOT_RUN, vpnName, type AzureAccount, type Ground } from './ground.ts'
import { networksOf, readRange } from './ranges.ts'

/** Returns a POSIX shell script. */
export function azCommands(ground: Ground): string {
  return `#!/bin/sh
# ${NOT_RUN}
# Deploy azure/network.json first. Set GROUP to the resource group of the network, and ACCOUNT_GROUP to that of the accounts.
set -eu
: "\${GROUP:?}" "\${ACCOUNT_GROUP:?}"

${[...vpnLines(ground), ...ground.accounts.flatMap((account) => accountLines(account, ground))].join('\n')}
`
}

function vpnLines({ plan, roots, revoked }: Ground): string[] {
  if (plan.pool === undefined) return ['# No pool: no point-to-site clients.', '']
  const gateway = `--resource-group "$GROUP" --gateway-name ${vpnName(plan)}`
  return [
    '# The roots of the offices\' certificates.',
    ...(roots.length > 0 ? roots.map((root, index) => `az network vnet-gateway root-cert create ${gateway} --name office-root-${index + 1} --public-cert-data ${root}`)
      : ['# No root is known here. tidegate office root --azure > root.b64, then:', `# az network vnet-gateway root-cert create ${gateway} --name office-root-1 --public-cert-data root.b64`]),
    '',
    '# Revoked certificates, by their SHA-1 thumbprint.',
    ...(revoked === undefined ? ['# Missing: network write was run without --authority.'] : revoked.length === 0 ? ['# None.']
      : revoked.map((thumbprint) => `az network vnet-gateway revoked-cert create ${gateway} --name revoked-${thumbprint.toLowerCase()} --thumbprint ${thumbprint}`)),
    '',
  ]
}

function accountLines({ name }: AzureAccount, { plan }: Ground): string[] {
  const account = `--name ${name} --resource-group "$ACCOUNT_GROUP"`
  const always = `az storage account update ${account} --https-only true --min-tls-version TLS1_2 --default-action Deny --bypass None`
  if (hasEndpoints(plan)) return [`# ${name}: secure transfer, TLS 1.2, and only its private endpoints.`, `${always} --public-network-access Disabled`, '']
  return [
    `# ${name}: secure transfer, TLS 1.2, and only the gateway's egress.`,
    ...egressRules(plan.egress).map((address) => `az storage account network-rule add --account-name ${name} --resource-group "$ACCOUNT_GROUP" --ip-address ${address}`),
    ...(plan.egress.length > 0 ? [] : ['# network.egress is not set: after the next line nobody reaches the account from outside.']),
    `${always} --public-network-access Enabled`,
    '',
  ]
}

/** Azure takes addresses, and networks up to /30; what is smaller goes in as addresses. IPv6 has no rules there. */
function egressRules(egress: readonly string[]): string[] {
  return egress.flatMap((text) => {
    const range = readRange(text)
    return range === undefined || range.bits !== 32 ? [] : networksOf(range).flatMap((network) => singly(network))
  })
}

function singly(network: string): string[] {
  const [address = '', length] = network.split('/')
  if (length === '32') return [address]
  if (length !== '31') return [network]
  return [address, address.replace(/\d+$/, (last) => String(Number(last) + 1))]
}
