// Judges a network plan (contract section 11.2): every fault at once, and each overlap by both of its paths.
import { ipsecFaults, ipsecWarnings } from './ipsec.ts'
import { missingKeys, type Plan, type PlanFault, type Site, type Subnet } from './plan.ts'
import { contains, networkText, overlap, readRange, type Range } from './ranges.ts'

/** Returns every fault of a plan. */
export function planFaults(plan: Plan): PlanFault[] {
  return [
    ...missingKeys(plan).map((key) => ({ path: `network.${key}`, found: 'nothing', allowed: ALLOWED[key] ?? 'a value' })),
    ...hostBits(plan),
    ...overlaps(plan),
    ...subnetFaults(plan),
    ...gateFaults(plan),
    ...ipsecFaults(plan.ipsec),
    ...plan.sites.flatMap(keyFaults),
    ...sizeFaults(plan),
  ]
}

/** Returns what works, but probably not as meant. */
export function planWarnings(plan: Plan): PlanFault[] {
  const outside = plan.withoutSite.map((office) => ({ path: 'offices', found: `${office} without site`, allowed: 'a site, if the office should get a site-to-site tunnel: it is left out' }))
  const alone = plan.subnets !== undefined && !plan.subnets.some(({ name }) => name === ENDPOINTS)
    ? [{ path: 'network.subnets', found: `none called ${ENDPOINTS}`, allowed: `one called ${ENDPOINTS}: without it no private endpoints are written` }] : []
  return [...outside, ...alone, ...ipsecWarnings(plan.ipsec)]
}

/** The subnet for private endpoints. */
export const ENDPOINTS = 'endpoints'
const GATEWAY_SUBNET = 'GatewaySubnet'

const ALLOWED: Readonly<Record<string, string>> = {
  name: 'the name of the virtual network',
  location: 'an Azure region such as westeurope',
  addressSpace: 'the ranges of the virtual network',
  subnets: `the subnets, ${GATEWAY_SUBNET} among them`,
  gate: 'the gateway\'s private address',
  size: 'a size that can do IKEv2, such as VpnGw2AZ',
}

interface Place {
  readonly path: string
  readonly text: string
  readonly range: Range
}

function place(path: string, text: string | undefined): Place[] {
  const range = text === undefined ? undefined : readRange(text)
  return text === undefined || range === undefined ? [] : [{ path, text, range }]
}

const spaces = ({ addressSpace = [] }: Plan): Place[] => addressSpace.flatMap((text, i) => place(`network.addressSpace[${i}]`, text))
const subnets = ({ subnets: all = [] }: Plan): Place[] => all.flatMap(({ prefix }, i) => place(`network.subnets[${i}].prefix`, prefix))
const sites = (plan: Plan): Place[] => plan.sites.flatMap((site) => site.networks.flatMap((text, i) => place(`${site.path}.networks[${i}]`, text)))

// Azure refuses a prefix with host bits, hours later and in other words.
function hostBits(plan: Plan): PlanFault[] {
  return [...spaces(plan), ...place('network.pool', plan.pool), ...subnets(plan), ...sites(plan)]
    .filter(({ text, range }) => text.includes('/') && range.bits === 32 && networkText(text) !== text)
    .map(({ path, text }) => ({ path, found: `${text}, which has bits beyond its prefix`, allowed: networkText(text) }))
}

const RESERVED: readonly Place[] = ['169.254.0.0/16', '224.0.0.0/4', '168.63.129.16/32'].flatMap((text) => place('reserved', text))

function overlaps(plan: Plan): PlanFault[] {
  const all = [...spaces(plan), ...place('network.pool', plan.pool), ...sites(plan)]
  return [...pairs(all), ...pairs(subnets(plan)), ...all.flatMap(reserved)]
}

function pairs(places: readonly Place[]): PlanFault[] {
  return places.flatMap((one, index) => places.slice(0, index).filter((other) => overlap(one.range, other.range)).map((other) => ({
    path: one.path, found: `${one.text}, which overlaps ${other.text} of ${other.path}`, allowed: `a range that has no address in common with ${other.path}`,
  })))
}

function reserved({ path, text, range }: Place): PlanFault[] {
  return RESERVED.filter((it) => overlap(it.range, range)).map((it) => ({ path, found: `${text}, which overlaps ${it.text}`, allowed: `a range without ${it.text}, which Azure keeps for itself` }))
}

function subnetFaults(plan: Plan): PlanFault[] {
  const space = spaces(plan)
  const outside = plan.addressSpace === undefined ? [] : subnets(plan).filter(({ range }) => !space.some((it) => contains(it.range, range)))
  return [
    ...outside.map(({ path, text }) => ({ path, found: `${text}, which is outside of network.addressSpace`, allowed: `a range inside ${(plan.addressSpace ?? []).join(', ')}` })),
    ...sameSubnets(plan.subnets ?? []),
    ...gatewaySubnet(plan.subnets),
  ]
}

function sameSubnets(all: readonly Subnet[]): PlanFault[] {
  return all.flatMap(({ name }, index) => {
    const holder = all.findIndex((other) => other.name.toLowerCase() === name.toLowerCase())
    return holder === index ? [] : [{ path: `network.subnets[${index}].name`, found: name, allowed: `another name than network.subnets[${holder}].name` }]
  })
}

/** Azure takes this one name only, letter for letter. */
function gatewaySubnet(all: readonly Subnet[] | undefined): PlanFault[] {
  if (all === undefined) return []
  const at = all.findIndex(({ name }) => name === GATEWAY_SUBNET)
  const subnet = all[at]
  if (subnet !== undefined) return tooSmall(subnet, `network.subnets[${at}].prefix`)
  const misspelt = all.findIndex(({ name }) => /^g.*sub/i.test(name) || sameLetters(name))
  return misspelt < 0 ? [{ path: 'network.subnets', found: `no ${GATEWAY_SUBNET}`, allowed: `one called ${GATEWAY_SUBNET}, /27 or larger` }]
    : [{ path: `network.subnets[${misspelt}].name`, found: all[misspelt]?.name ?? '', allowed: `${GATEWAY_SUBNET}, spelt exactly so` }, ...tooSmall(all[misspelt], `network.subnets[${misspelt}].prefix`)]
}

const sameLetters = (name: string): boolean => sortedLetters(name) === sortedLetters(GATEWAY_SUBNET)
const sortedLetters = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, '').split('').toSorted().join('')

const LARGEST_PREFIX = 27

function tooSmall(subnet: Subnet | undefined, path: string): PlanFault[] {
  const range = subnet === undefined ? undefined : readRange(subnet.prefix)
  if (subnet === undefined || range === undefined || range.bits !== 32) return []
  return range.last - range.first + 1n >= 1n << BigInt(32 - LARGEST_PREFIX) ? [] : [{ path, found: `${subnet.prefix}, which is too small for a VPN gateway`, allowed: '/27 or larger' }]
}

function gateFaults(plan: Plan): PlanFault[] {
  const all = plan.subnets ?? []
  const gate = plan.gate === undefined ? undefined : readRange(plan.gate)
  if (plan.gate === undefined || all.length === 0) return []
  const within = gate !== undefined && gate.first === gate.last && all.some(({ name, prefix }) => {
    const range = readRange(prefix)
    return name !== GATEWAY_SUBNET && range !== undefined && contains(range, gate)
  })
  return within ? [] : [{ path: 'network.gate', found: `${plan.gate}, which is in none of the subnets`, allowed: `one address in a subnet other than ${GATEWAY_SUBNET}` }]
}

const KEY_LENGTH = { least: 32, most: 128 }
const FEWEST_CHARACTERS = 10
const KEY_ALLOWED = 'a shared key of 32 to 128 random printable ASCII characters, such as openssl rand -base64 48 prints'

/** What is wrong is told by numbers: the key itself is in no text. */
function keyFaults({ path, key }: Site): PlanFault[] {
  if ('fault' in key) return [{ path: `${path}.key`, found: key.fault, allowed: 'a file that can be read' }]
  const { length } = key.text
  const different = new Set(key.text).size
  const found = length < KEY_LENGTH.least || length > KEY_LENGTH.most ? `a shared key of ${length} characters`
    : !/^[\x21-\x7e]*$/.test(key.text) ? 'a shared key with characters other than printable ASCII'
    : different < FEWEST_CHARACTERS ? `a shared key made of ${different} different characters` : undefined
  return found === undefined ? [] : [{ path: `${path}.key`, found, allowed: KEY_ALLOWED }]
}

/** Sizes of Azure's VPN gateways that can do IKEv2. Basic cannot. */
const SIZES: readonly string[] = [1, 2, 3, 4, 5].flatMap((n) => [`VpnGw${n}`, `VpnGw${n}AZ`])

function sizeFaults({ size }: Plan): PlanFault[] {
  if (size === undefined || SIZES.includes(size)) return []
  return [{ path: 'network.size', found: size.toLowerCase() === 'basic' ? 'Basic, which cannot do IKEv2' : size, allowed: `one of ${SIZES.join(', ')}` }]
}
