// The name constraint of the connect root (RFC 5280 section 4.2.1.10): which servers it may sign, and which it may never sign.
import { der, elementsOf, TAG } from './der.ts'

/** What the configuration says about names. */
export interface OwnNames {
  readonly storage?: { readonly domain: string; readonly accounts: readonly { readonly name: string; readonly services: readonly string[] }[] }
  readonly apiHosts: readonly string[]
}

/** Domains of Azure's own. A root for all of them would be a root for everyone's storage. */
const AZURE = ['core.windows.net', 'core.chinacloudapi.cn', 'core.usgovcloudapi.net', 'storage.azure.net']

/** Returns the DNS names that the connect root is limited to, names below each included. */
export function permittedNames({ storage, apiHosts }: OwnNames): string[] {
  if (storage === undefined) return [...apiHosts]
  const domain = storage.domain.toLowerCase()
  if (!AZURE.some((own) => domain === own || domain.endsWith(`.${own}`))) return [domain, ...apiHosts]
  return [...storage.accounts.flatMap(({ name, services }) => services.map((service) => `${name}.${service}.${domain}`)), ...apiHosts]
}

/** Tells whether a DNS name is one of the permitted ones or below one of them. */
export function isPermitted(host: string, permitted: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/^\*\./, '')
  return permitted.some((own) => name === own || name.endsWith(`.${own}`))
}

const ALL_IPV4 = Buffer.alloc(8)
const ALL_IPV6 = Buffer.alloc(32)

/** Returns the extension's value. Addresses are excluded, since a constraint on DNS names alone says nothing about them. */
export function nameConstraints(names: readonly string[]): Buffer {
  const permitted = names.map((name) => der(TAG.sequence, der(TAG.context2, Buffer.from(name, 'latin1'))))
  const excluded = [ALL_IPV4, ALL_IPV6].map((range) => der(TAG.sequence, der(TAG.context7, range)))
  return der(TAG.sequence, der(TAG.constructed0, ...permitted), der(TAG.constructed1, ...excluded))
}

/** Returns the DNS names in an extension that `nameConstraints` wrote. */
export function readPermitted(value: Buffer): string[] {
  const [constraints] = elementsOf(value)
  const [permitted] = constraints === undefined ? [] : elementsOf(constraints.body)
  if (permitted?.tag !== TAG.constructed0) return []
  return elementsOf(permitted.body).flatMap(({ body }) => elementsOf(body))
    .flatMap(({ tag, body }) => (tag === TAG.context2 ? [body.toString('latin1')] : []))
}
