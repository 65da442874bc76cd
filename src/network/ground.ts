// What the written files need beside the plan itself.
import type { ServiceName } from '../azure/services.ts'
import type { WholePlan } from './plan.ts'

/** A storage account in Azure that the gateway leads to. */
export interface AzureAccount {
  /** Its name in Azure. */
  readonly name: string
  readonly services: readonly ServiceName[]
}

export interface Ground {
  readonly plan: WholePlan
  readonly accounts: readonly AzureAccount[]
  /** Every name that clients use, in lower case. */
  readonly names: readonly string[]
  /** The offices' roots: DER in base64, on one line; empty where none is known. */
  readonly roots: readonly string[]
  /** SHA-1 thumbprints of revoked certificates; undefined where no authority was given. */
  readonly revoked: readonly string[] | undefined
}

const AZURE_HOST = /^([a-z0-9]{3,24})\.(?:privatelink\.)?(?:blob|dfs|file|queue|table)\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)$/

/** Returns the account that a host of Azure's public names belongs to; undefined for any other host. */
export function azureAccount(host: string): string | undefined {
  return AZURE_HOST.exec(host)?.[1]
}

/** What stands on top of each file: these files were never given to Azure by those who made Tidegate. */
export const NOT_RUN = 'Written by tidegate network write. It was not run against Azure: read it before you use it.'

/** The placeholder of the VPN gateway's public address, which exists only after the deployment. */
export const VPN_ADDRESS = 'VPN_GATEWAY_ADDRESS'

/** Returns the name of the VPN gateway. */
export const vpnName = ({ name }: WholePlan): string => `${name}-vpn`

/** Returns the template's parameter for an office's shared key. */
export const keyParameter = (office: string): string => `sharedKey_${office.replaceAll(/[^A-Za-z0-9]/g, '_')}`

/** Returns the template's parameter for an account's resource id. */
export const accountParameter = (account: string): string => `accountId_${account}`
