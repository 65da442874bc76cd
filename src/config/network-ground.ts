// What `network write` and the audit need of the rest of the configuration: Azure's accounts and the names that clients use.
import { SERVICE_NAMES, type ServiceName } from '../azure/services.ts'
import { azureAccount, type AzureAccount } from '../network/ground.ts'
import type { Config } from './schema.ts'

/** Returns the accounts that the configuration reaches by Azure's own names, in the order of the file. */
export function azureAccounts({ storage }: Config): AzureAccount[] {
  const services = new Map<string, Set<ServiceName>>()
  for (const account of storage?.accounts ?? []) {
    for (const service of SERVICE_NAMES) {
      const name = azureAccount(account[service]?.url.hostname ?? '')
      if (name !== undefined) services.set(name, (services.get(name) ?? new Set()).add(service))
    }
  }
  return [...services].map(([name, its]) => ({ name, services: [...its] }))
}

/** Returns every name that clients use, in lower case and sorted: accounts with their secondaries, virtual accounts, APIs. */
export function clientNames({ storage, apis, offices }: Config): string[] {
  const accounts = storage?.accounts ?? []
  const served = (account: string, real: (typeof accounts)[number]): string[] => SERVICE_NAMES.filter((service) => real[service] !== undefined)
    .flatMap((service) => [account, ...(real[service]?.secondary === undefined ? [] : [`${account}-secondary`])].map((name) => `${name}.${service}.${storage?.domain}`))
  const direct = accounts.filter((account) => !('direct' in account) || account.direct !== false).flatMap((account) => served(account.name, account))
  const virtual = virtualAccounts(offices).flatMap(({ name, account }) => accounts.filter((real) => real.name === account).flatMap((real) => served(name, real)))
  return [...new Set([...direct, ...virtual, ...apis.map(({ host }) => host)].map((name) => name.toLowerCase()))].toSorted()
}

interface VirtualAccount {
  readonly name: string
  readonly account: string
}

function virtualAccounts(offices: unknown): VirtualAccount[] {
  const all = Array.isArray(offices) ? offices as readonly { readonly name: string; readonly accounts?: readonly { readonly name?: string; readonly account: string }[] }[] : []
  return all.flatMap(({ name: office, accounts = [] }) => accounts.map(({ name = office, account }) => ({ name, account })))
}
