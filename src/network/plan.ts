// The network plan as `network check` and `network write` see it (contract sections 3.6 and 11.2).

/** The plan, as far as the configuration has it. */
export interface Plan {
  readonly name?: string | undefined
  readonly location?: string | undefined
  readonly addressSpace?: readonly string[] | undefined
  readonly subnets?: readonly Subnet[] | undefined
  readonly pool?: string | undefined
  /** The gateway's private address. */
  readonly gate?: string | undefined
  readonly dns?: readonly string[] | undefined
  /** Of the VPN gateway. */
  readonly size?: string | undefined
  readonly ipsec: Ipsec
  /** The addresses that storage sees. */
  readonly egress: readonly string[]
  /** Offices with a site, in the order of the configuration. */
  readonly sites: readonly Site[]
  /** Offices without one: they are left out of site-to-site. */
  readonly withoutSite: readonly string[]
}

export interface Subnet {
  readonly name: string
  readonly prefix: string
}

export interface Ipsec {
  readonly encryption: string
  readonly integrity: string
  readonly dhGroup: string
  readonly pfsGroup: string
}

export interface Site {
  /** `offices[0].site`. */
  readonly path: string
  readonly office: string
  /** An address or a host name. */
  readonly address: string
  readonly networks: readonly string[]
  /** What the key's file holds, without its line end; in words why it cannot be read. */
  readonly key: { readonly text: string } | { readonly fault: string }
}

/** A fault or a warning, in the form that the configuration's faults have. */
export interface PlanFault {
  readonly path: string
  readonly found: string
  readonly allowed: string
}

/** A plan in which nothing is missing. */
export type WholePlan = Plan & Readonly<Record<'name' | 'location' | 'gate' | 'size', string>> & { readonly addressSpace: readonly string[]; readonly subnets: readonly Subnet[] }

const NEEDED = ['name', 'location', 'addressSpace', 'subnets', 'gate', 'size'] as const

/** Returns the keys that `network check` needs and that the plan lacks. */
export function missingKeys(plan: Plan): string[] {
  return NEEDED.filter((key) => plan[key] === undefined)
}

/** Tells whether nothing is missing. */
export function isWhole(plan: Plan): plan is WholePlan {
  return missingKeys(plan).length === 0
}
